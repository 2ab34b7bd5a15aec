"""The deframer on any bytes: it never writes over what is unread, and keeps a frame whole or counts it as dropped.

The specification is COBS once more, written from Cheshire and Baker's paper (IEEE/ACM Trans. Networking 7(2), 1999):
a block of code c is c - 1 bytes, and a zero unless c is 255 or the frame ends. The CRC is cut out and may match or
not as it likes, which only adds behaviours; in the first proof ring and frame have their real sizes.
"""

from __future__ import annotations

from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assert, Assume, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npde.link.protocol import FRAME_BYTES
from npde_sim.formal import Proof, Twin, module, opened

HEADER, CRC = 2, 4


class AnyCrc(wiring.Component):
    """A CRC that matches when it likes."""

    def __init__(self):
        super().__init__(
            {"byte": In(8), "valid": In(1), "start": In(1), "busy": Out(1), "crc": Out(32), "match": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.match.eq(AnySeq(1))
        return m


class Frame:
    """What the bytes since the last delimiter are: ``count`` bytes unstuffed, ``left`` of the block still to come."""

    def __init__(self, m, byte, valid, error, longest):
        self.count, self.left, self.code = Signal(12), Signal(8), Signal(8)
        self.any, self.lost = Signal(), Signal()
        self.ends = valid & (byte == 0) & self.any
        self.whole = ~self.lost & (self.left == 0) & (self.count >= 2 + CRC) & (self.count <= longest)
        self.grows, self.value = Signal(), Signal(8)
        m.d.comb += self.grows.eq(
            valid & (byte != 0) & ((self.left != 0) | (self.any & (self.code != 0) & (self.code != 255)))
        )
        m.d.comb += self.value.eq(Mux(self.left != 0, byte, 0))
        with m.If(error):
            m.d.sync += [self.lost.eq(1), self.any.eq(1)]
        with m.Elif(valid & (byte == 0)):
            m.d.sync += [self.count.eq(0), self.left.eq(0), self.code.eq(0), self.any.eq(0), self.lost.eq(0)]
        with m.Elif(valid):
            m.d.sync += [self.any.eq(1), self.count.eq(Mux(self.count == 4095, 4095, self.count + self.grows))]
            with m.If(self.left == 0):
                m.d.sync += [self.code.eq(byte), self.left.eq(byte - 1)]
            with m.Else():
                m.d.sync += self.left.eq(self.left - 1)


def deframer(twin, ring=1024, longest=FRAME_BYTES, gap_least=16):
    """Between a line with a byte every ``gap_least`` cycles at most and a reader that reads when it likes."""
    m = Module()
    dut = module("npde_hdl.link.deframe", twin, {"ByteCrc": AnyCrc, "FRAME_BYTES": longest}).Deframer(ring)
    m.submodules.deframer, inside = opened(dut)
    (port,) = inside["memory"].write_ports
    write, length, remaining, unstuffs, empty, bad, state, long = (
        inside[name] for name in ("write", "length", "remaining", "unstuffs", "empty", "bad", "fsm_state", "long")
    )

    # A byte or a loss, at least gap_least cycles apart.
    gap = Signal(range(gap_least), init=gap_least - 1)
    valid, error = Signal(), Signal()
    m.d.comb += [dut.byte.eq(AnySeq(8)), valid.eq(AnySeq(1)), error.eq(AnySeq(1)), Assume(~(valid & error))]
    with m.If(gap != gap_least - 1):
        m.d.comb += Assume(~(valid | error))
    m.d.comb += [dut.valid.eq(valid), dut.error.eq(error)]
    m.d.sync += gap.eq(Mux(valid | error, 0, Mux(gap == gap_least - 1, gap, gap + 1)))

    # A reader that takes as much as there is, whenever it likes.
    read, taken = Signal(range(ring)), Signal(range(ring))
    held = Signal(range(ring))
    m.d.comb += [held.eq(dut.limit - read), taken.eq(AnySeq(len(taken))), Assume(taken <= held), dut.read.eq(read)]
    m.d.sync += read.eq(read + taken)

    frame = Frame(m, dut.byte, valid, error, longest)
    limit_before = Signal(range(ring))
    m.d.sync += limit_before.eq(dut.limit)

    # 1. Nothing is written but behind the limit and before the reader, and no more than a frame with its header.
    place = Signal(range(ring))
    m.d.comb += place.eq(port.addr - limit_before)
    with m.If(port.en):
        m.d.comb += [Assert(place < HEADER + longest), Assert(place + ((limit_before - read) & (ring - 1)) < ring)]

    # 2. The limit moves by a whole frame and its header alone; any other frame is counted.
    ended, whole, size, dropped_before = Signal(3), Signal(), Signal(12), Signal(16)
    m.d.sync += [ended.eq((ended << 1) | frame.ends), dropped_before.eq(dut.dropped)]
    with m.If(frame.ends):
        m.d.sync += [whole.eq(frame.whole), size.eq(frame.count)]
    moved, counted = dut.limit != limit_before, dut.dropped != dropped_before
    with m.If(moved):
        m.d.comb += [
            Assert(ended[2]),
            Assert(whole),
            Assert(((dut.limit - limit_before) & (ring - 1)) == size - CRC + HEADER),
        ]
    kept = Signal()
    with m.If(ended[0]):
        m.d.sync += kept.eq(~counted)
        m.d.comb += Assert(whole | counted)
    with m.If(counted):
        m.d.comb += [Assert(ended[0]), Assert(((dut.dropped - dropped_before) & 0xFFFF) == 1)]
    with m.If(ended[2]):
        m.d.comb += Assert(moved == kept)

    # 3. Of a frame that is kept, byte number `which` lies where the reader will look for it, and the header before it.
    which, seen, expected = Signal(range(longest)), Signal(8), Signal(8)
    there = Signal()
    m.d.comb += [which.eq(AnyConst(len(which))), Assume(which < longest)]
    with m.If(port.en & (place == HEADER + which)):
        m.d.sync += [seen.eq(port.data), there.eq(1)]
    with m.If(frame.grows & (frame.count == which)):
        m.d.sync += expected.eq(frame.value)
    with m.If(frame.ends):
        m.d.sync += there.eq(0)
    was_there, was_seen, was_expected = Signal(), Signal(8), Signal(8)
    with m.If(frame.ends):
        m.d.sync += [was_there.eq(there), was_seen.eq(seen), was_expected.eq(expected)]
    with m.If(moved & (which < size - CRC)):
        m.d.comb += [Assert(was_there), Assert(was_seen == was_expected)]
    with m.If(port.en & (place == 0) & (gap < 3)):
        m.d.comb += Assert(port.data == (size - CRC)[:8])
    with m.If(moved):
        m.d.comb += [Assert(port.en), Assert(place == 1), Assert(port.data == (size - CRC)[8:])]

    # Lemmas about the registers, true by themselves and what makes the rest inductive.
    begun = Signal()
    m.d.comb += begun.eq(frame.any & (gap >= 3))
    lemmas = [
        remaining == frame.left,
        empty == ~frame.any,
        dut.limit == (read + held)[: len(read)],
        (state == 0) | (gap < 3),
    ]
    for lemma in lemmas:
        with m.If(gap >= 3):
            m.d.comb += Assert(lemma)
    with m.If(begun & ~bad):
        m.d.comb += [
            Assert(length == frame.count),
            Assert(write == (dut.limit + HEADER + length)[: len(write)]),
            Assert(length <= longest),
            Assert(HEADER + length + held < ring),
            Assert(~frame.lost),
            Assert(unstuffs == ((frame.code != 255) & (frame.code != 0))),
            Assert(long == (length == longest)),
        ]
        with m.If(which < length):
            m.d.comb += [Assert(there), Assert(seen == expected)]
    with m.If((gap >= 3) & ~frame.any):
        m.d.comb += [Assert(write == dut.limit), Assert(~bad), Assert(length == 0), Assert(~unstuffs)]
    with m.If(~frame.any):
        m.d.comb += [
            Assert(frame.count == 0),
            Assert(frame.left == 0),
            Assert(frame.code == 0),
            Assert(~frame.lost),
            Assert(~there),
        ]
    with m.If(gap > 4):
        m.d.comb += [Assert(~port.en), Assert(limit_before == dut.limit)]
    return m


def small(ring, longest):
    """Frames of 6 bytes and more in a small ring, a byte every 5 cycles: what goes wrong does so before long."""
    return lambda twin: deframer(twin, ring, longest, 5)


def as_it_is(twin):
    """Of its real size; the twin is small, for a frame of 513 bytes lies too many cycles behind reset."""
    return deframer(None) if twin is None else small(16, 8)(twin)


ENDLESS = Twin("with m.If(full | long):", "with m.If(full):", "a frame may grow beyond the longest")
OVERRUN = Twin("with m.If(full | long):", "with m.If(long):", "what is unread is written over")
PROOFS = [
    Proof(
        "deframer, ring of 1024, frames of 512", as_it_is, ENDLESS,
        engine="induction", depth=20, twin_depth=60, slow=True, timeout=900,
    ),
    Proof(
        "deframer, ring of 16, frames of 14", small(16, 14), OVERRUN,
        engine="induction", depth=10, twin_depth=85, slow=True, timeout=900,
    ),
]  # fmt: skip


def test_no_bytes_make_it_overrun_and_its_twin_does(proof, holds):
    holds(proof)
