"""Components between streams: each value once, in order, as it should be; and the rules their neighbours count on."""

from __future__ import annotations

from types import SimpleNamespace

from amaranth.asserts import AnyConst
from amaranth.hdl import Array, Assert, Assume, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npde.program import Grid, Pool, Q
from npde_hdl.evolve.note import Note
from npde_sim.formal import Proof, Twin, in_order, keeps_offers, module, patient, unknown


def streamed(cells, delay, whole_frames):
    """Frames through a rigid pipeline: here a row of registers."""

    class Row(wiring.Component):
        def __init__(self):
            self.delay = delay
            super().__init__(
                {"ce": In(1), "cell": In(2), "first": In(1), "note": In(Note(1)), "o": Out(2), "o_first": Out(1)}
            )

        def elaborate(self, platform):
            m = Module()
            held = [Signal(3, name=f"held{at}") for at in range(delay)]
            with m.If(self.ce):
                m.d.sync += [
                    after.eq(before) for before, after in zip([Cat(self.cell, self.first), *held], held, strict=False)
                ]
            m.d.comb += Cat(self.o, self.o_first).eq(held[-1])
            return m

    def top(twin):
        m = Module()
        m.submodules.streamed = dut = module("npde_hdl.evolve.streamed", twin).Streamed(
            Row(), cells, whole_frames=whole_frames
        )
        unknown(m, dut.i.valid, dut.i.payload, dut.o.ready)
        keeps_offers(m, dut.o)
        in_order(m, dut.i, dut.o, bits=2, lanes_in=1, lanes_out=1, most=delay + 2, within=None)
        # A frame that has wholly entered leaves by itself, though nothing may follow it.
        place, inside = Signal(range(cells)), Signal(range(delay + 4))
        enters, leaves = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
        with m.If(enters):
            m.d.sync += place.eq(Mux(place == cells - 1, 0, place + 1))
        m.d.sync += inside.eq(inside + enters - leaves)
        patient(m, (inside != 0) & (place == 0) & dut.o.ready & ~dut.o.valid, delay + cells)
        return m

    return top


def answer(twin):
    """Behind the values of a frame comes the index of the first greatest: any two of them compared."""
    m = Module()
    size, bits = 3, 2
    m.submodules.answer = dut = module("npde_hdl.readout.answer", twin).Answer(Grid(1, 1, size, Q(bits, 0)), True)
    unknown(m, dut.values.valid, dut.values.payload, dut.bytes.ready)
    keeps_offers(m, dut.values, Assume, "values")
    keeps_offers(m, dut.bytes, name="bytes")
    place = Signal(range(size + 1))
    given = dut.bytes.valid & dut.bytes.ready
    this, other = Signal(range(size)), Signal(range(size))
    m.d.comb += [this.eq(AnyConst(2)), other.eq(AnyConst(2)), Assume(this < size), Assume(other < size)]
    kept = [Signal(signed(bits), name=name) for name in ("this_value", "other_value")]
    with m.If(given):
        m.d.sync += place.eq(Mux(place == size, 0, place + 1))
        for index, value in zip((this, other), kept, strict=True):
            with m.If(place == index):
                m.d.sync += value.eq(dut.values.payload[0])
    with m.If(dut.bytes.valid & (place < size)):
        m.d.comb += Assert(dut.bytes.payload.as_signed() == dut.values.payload[0])
        m.d.comb += Assert(dut.values.ready == dut.bytes.ready)
    with m.If(place == size):
        m.d.comb += [Assert(dut.bytes.valid), Assert(~dut.values.ready), Assert(dut.bytes.payload < size)]
        with m.If(dut.bytes.payload == this):
            m.d.comb += Assert(kept[0] >= kept[1])
            with m.If(other < this):
                m.d.comb += Assert(kept[0] > kept[1])
    return m


def wide_answer(twin):
    """A value of nine bits as two bytes, the lower one first, its sign extended."""
    m = Module()
    m.submodules.answer = dut = module("npde_hdl.readout.answer", twin).Answer(Grid(1, 1, 2, Q(9, 0)), False)
    unknown(m, dut.values.valid, dut.values.payload, dut.bytes.ready)
    keeps_offers(m, dut.values, Assume, "values")
    keeps_offers(m, dut.bytes, name="bytes")
    upper, lower, value = Signal(), Signal(8), dut.values.payload[0]
    given = dut.bytes.valid & dut.bytes.ready
    with m.If(given):
        m.d.sync += [upper.eq(~upper), lower.eq(dut.bytes.payload)]
    m.d.comb += Assert((dut.values.valid & dut.values.ready) == (given & upper))
    with m.If(dut.bytes.valid & upper):
        m.d.comb += Assert(Cat(lower, dut.bytes.payload).as_signed() == value)
    m.d.comb += Assert(dut.bytes.valid == dut.values.valid)
    return m


def gathered(twin):
    """Bytes to values of nine bits: the lower byte first, spare bits ignored."""
    m = Module()
    m.submodules.values = dut = module("npde_hdl.pipeline", twin).ByteValues(9)
    unknown(m, dut.bytes.valid, dut.bytes.payload, dut.values.ready)
    keeps_offers(m, dut.values)
    number, first, expected = Signal(range(5)), Signal(8), Signal(9)
    enters, leaves = dut.bytes.valid & dut.bytes.ready, dut.values.valid & dut.values.ready
    after = Signal.like(number)
    m.d.comb += after.eq(number - Mux(leaves, 2, 0))
    m.d.sync += number.eq(after + enters)
    m.d.comb += [Assert(number <= 2), Assert(dut.values.valid == (number == 2))]
    with m.If(enters):
        m.d.sync += first.eq(dut.bytes.payload)
        with m.If(after == 1):
            m.d.sync += expected.eq(Cat(first, dut.bytes.payload))
    with m.If(dut.values.valid):
        m.d.comb += Assert(dut.values.payload.as_value() == expected)
    return m


def pooled(kind, height, width, size, out):
    """A tile's sum to the nearest multiple, limited, or its greatest value; cells beyond whole tiles do not count."""
    grid, bits = Grid(height, width, 1, Q(2, 1)), 2
    step = Pool(kind=kind, size=size, out=out)
    shift = step.shift(grid)

    def top(twin):
        m = Module()
        m.submodules.pool = dut = module("npde_hdl.readout.pool", twin).PoolStep(step, grid, 1)
        unknown(m, dut.cells_in.valid, dut.cells_in.payload, dut.values.ready)
        keeps_offers(m, dut.cells_in, Assume, "cells")
        keeps_offers(m, dut.values, name="values")
        row, col, value = Signal(range(height)), Signal(range(width)), dut.cells_in.payload[0]
        taken, given = dut.cells_in.valid & dut.cells_in.ready, dut.values.valid & dut.values.ready
        tiles = [Signal(signed(bits + 4), name=f"tile{at}") for at in range(width // size)]
        so_far, whole = Signal(signed(bits + 4)), Signal(signed(bits + 4))
        within = (row < height // size * size) & (col < width // size * size)
        begins = ((row % size) == 0) & ((col % size) == 0)
        ends = within & ((row % size) == size - 1) & ((col % size) == size - 1)
        m.d.comb += so_far.eq(Array(tiles)[col // size])
        grown = so_far + value if kind == "sum" else Mux(value > so_far, value, so_far)
        m.d.comb += whole.eq(Mux(begins, value, grown))
        with m.If(taken):
            with m.If(within):
                m.d.sync += Array(tiles)[col // size].eq(whole)
            m.d.sync += col.eq(Mux(col == width - 1, 0, col + 1))
            with m.If(col == width - 1):
                m.d.sync += row.eq(Mux(row == height - 1, 0, row + 1))
        m.d.comb += Assert(given == (taken & ends))
        with m.If(given):
            came, twice, unit = dut.values.payload[0], whole + whole, 1 << shift
            with m.If(twice >= (2 * out.high + 1) * unit):
                m.d.comb += Assert(came == out.high)
            with m.Elif(twice < (2 * out.low - 1) * unit):
                m.d.comb += Assert(came == out.low)
            with m.Else():
                m.d.comb += [Assert(twice >= (2 * came - 1) * unit), Assert(twice < (2 * came + 1) * unit)]
        patient(m, dut.cells_in.valid & dut.values.ready & ~taken, 2)
        return m

    return top


def line(divisor):
    """A transmitter and a receiver: each byte once, in order, no error, however the sender pauses."""

    def top(twin):
        m = Module()
        uart = module("npde_hdl.link.uart", twin)
        m.submodules.transmitter, m.submodules.receiver = there, here = (
            uart.UartTransmitter(divisor),
            uart.UartReceiver(divisor),
        )
        unknown(m, there.bytes.valid, there.bytes.payload)
        m.d.comb += [there.bit.eq(divisor), here.bit.eq(divisor), here.rx.eq(there.tx), Assert(~here.error)]
        # The next byte may be on its way a few cycles before this one is whole. Nobody can hold a serial line up.
        came = SimpleNamespace(valid=here.valid, ready=Const(1), payload=here.byte)
        in_order(m, there.bytes, came, bits=8, lanes_in=1, lanes_out=1, most=2, within=10 * divisor + 4)
        return m

    return top


MOVES_ON = Twin("free.eq(~self.o.valid | self.o.ready)", "free.eq(1)", "the pipeline moves over a cell nobody took")
SWALLOWS = Twin("(idle == 0)),\n            take", "(idle <= 1)),\n            take", "a cell is taken and not let in")
LAST_WINS = Twin("(value > best)", "(value >= best)", "the last of equals wins")
SIGN_LOST = Twin("Signal(8 * count)", "Signal(signed(8 * count))", "Yosys' wreduce cuts a signed part-select short")
DROPS = Twin("gather.o.ready.eq(self.values.ready)", "gather.o.ready.eq(1)", "a value leaves while nobody takes it")
RUNS_ON = Twin("Mux(first, value, grown)", "grown", "a tile begins with the last one's sum")
LEAST = Twin("Mux(value > before, value, before)", "Mux(value < before, value, before)", "the least value wins")
LATE = Twin("(self.bit >> 1) - 1", "self.bit - 1", "bits are sampled at their edge")
PROOFS = [
    Proof("rigid pipeline of 3 between streams", streamed(2, 3, False), MOVES_ON),
    Proof("rigid pipeline of 3, whole frames of 4", streamed(4, 3, True), SWALLOWS, slow=True),
    Proof("answer of one-byte values, argmax", answer, LAST_WINS),
    Proof("answer of two-byte values", wide_answer, SIGN_LOST),
    Proof("sample bytes to values", gathered, DROPS),
    Proof("pool, sum of 2×2 on 2×5", pooled("sum", 2, 5, 2, Q(2, 0)), RUNS_ON, twin_depth=40, slow=True),
    Proof("pool, maximum of 2×2 on 3×2", pooled("max", 3, 2, 2, Q(2, 1)), LEAST, twin_depth=24, slow=True),
    Proof("serial line, 4 cycles a bit", line(4), LATE, twin_depth=60, slow=True, timeout=900),
]


def test_it_holds_and_its_twin_does_not(proof, holds):
    holds(proof)
