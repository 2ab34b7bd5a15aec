"""What follows a complete accumulator: skip, rescale, φ, saturate. The numeric contract's order, in gateware."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from npde.fixed import Q
from npde.program import Clip, Grid, Relu, Stencil, Table


def rescaled(acc, shift):
    """``acc / 2**shift`` rounded half up: the arithmetic shift plus the highest bit it drops."""
    return acc if shift == 0 else (acc >> shift) + acc[shift - 1]


def clamped(value, low: int, high: int):
    """``value`` limited to ``[low, high]``.

    Where the bounds are those of a word (or of one without its lowest value, or without its
    negative half) a look at the bits above it replaces two comparisons.
    """
    width = high.bit_length() + 1
    if high != (1 << (width - 1)) - 1 or low not in (-high - 1, -high, 0):
        return Mux(value < low, Const(low), Mux(value > high, Const(high), value))
    if len(value) <= width:
        fits, negative, within = Const(1), value[-1], value
    else:
        spare = value[width - 1 :]
        fits, negative, within = spare.all() | ~spare.any(), value[-1], value[:width].as_signed()
    if low == 0:
        return Mux(negative, 0, Mux(fits, within, high))
    bounded = Mux(fits, within, Mux(negative, Const(-high - 1), Const(high)))
    if low == -high - 1:
        return bounded
    # The one value too low differs from the bound in its last bit alone.
    return Cat(bounded[0] | (bounded == -high - 1), bounded[1:]).as_signed()


class Reaction(wiring.Component):
    """Takes PE accumulators at once and hands out the finished values ``lanes`` at a time.

    Parameters
    ----------
    stencil, grid : Stencil, Grid
        The step and the grid before it.
    pe, lanes : int
        Accumulators taken, values handed out a cycle; ``lanes`` divides ``pe``.

    Members
    -------
    load, ready : In(1), Out(1)
        Accumulators are taken in a cycle in which both are high.
    sums, centre : In(ArrayLayout)
        As :class:`~npde_hdl.stencil.lanes.Lanes` gives them.
    values : Out(stream.Signature(ArrayLayout(signed(out bits), lanes)))
        Output values in channel order.
    """

    def __init__(self, stencil: Stencil, grid: Grid, pe: int, lanes: int):
        if pe % lanes:
            raise ValueError(f"{lanes} lanes do not divide {pe} accumulators")
        self.stencil, self.grid, self.pe, self.lanes = stencil, grid, pe, lanes
        super().__init__(
            {
                "load": In(1),
                "ready": Out(1),
                "sums": In(data.ArrayLayout(signed(stencil.accumulator_width(grid)), pe)),
                "centre": In(data.ArrayLayout(signed(grid.q.width), pe)),
                "values": Out(stream.Signature(data.ArrayLayout(signed(stencil.out.width), lanes))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        stencil, grid, lanes = self.stencil, self.grid, self.lanes
        turns = self.pe // lanes
        width, bits = stencil.accumulator_width(grid), grid.q.width

        # Waiting accumulators: a shift register `lanes` wide.
        waiting = Signal(self.pe * width)
        centres = Signal(self.pe * bits)
        left = Signal(range(turns + 1))
        shift_out = Signal()
        m.d.comb += self.ready.eq(left == 0)
        with m.If(self.load & self.ready):
            m.d.sync += [waiting.eq(self.sums), centres.eq(self.centre), left.eq(turns)]
        with m.Elif(shift_out):
            m.d.sync += [
                waiting.eq(waiting >> (lanes * width)),
                centres.eq(centres >> (lanes * bits)),
                left.eq(left - 1),
            ]

        # Skip (where there is one), rescale, φ with saturation: a register after each, and one enable for all of them.
        move = ~self.values.valid | self.values.ready
        valid = Signal(1 + stencil.skip)
        m.d.comb += shift_out.eq((left != 0) & move)
        with m.If(move):
            m.d.sync += Cat(valid, self.values.valid).eq(Cat(left != 0, valid))

        for lane in range(lanes):
            acc = waiting.word_select(lane, width).as_signed()
            if stencil.skip:
                acc = acc + (centres.word_select(lane, bits).as_signed() << stencil.weight.frac)
                skipped = Signal.like(acc, name=f"skipped{lane}")
                with m.If(move):
                    m.d.sync += skipped.eq(acc)
                acc = skipped
            scaled = rescaled(acc, stencil.shift(grid))
            held = Signal.like(scaled, name=f"scaled{lane}")
            with m.If(move):
                m.d.sync += held.eq(scaled)
            if isinstance(stencil.phi, Table):
                index_format = stencil.phi.input
                index = clamped(held, index_format.low, index_format.high)[: index_format.width]
                m.submodules[f"table{lane}"] = table = self._table(stencil.phi, stencil.out)
                read = table.read_port()
                # Adding 2**(n-1) to an n-bit two's-complement index flips its sign bit.
                m.d.comb += [
                    read.addr.eq(Cat(index[:-1], ~index[-1])),
                    read.en.eq(move),
                    self.values.payload[lane].eq(read.data),
                ]
            else:
                low, high = self._bounds()
                with m.If(move):
                    m.d.sync += self.values.payload[lane].eq(clamped(held, low, high))
        return m

    def _bounds(self):
        """φ and saturation as one clamp."""
        out = self.stencil.out
        match self.stencil.phi:
            case Relu():
                return 0, out.high
            case Clip(low=low, high=high):
                return low, high
            case _:
                return out.low, out.high

    @staticmethod
    def _table(phi: Table, out: Q):
        mask = (1 << out.width) - 1
        return Memory(shape=out.width, depth=len(phi.entries), init=[entry & mask for entry in phi.entries])
