"""Answers kept until the host pulls them, and what it took to make them."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class Kept(wiring.Component):
    """A ring of answer bytes by position; positions are modulo 65536.

    Parameters
    ----------
    depth : int
        Bytes kept at most, a power of two.

    Members
    -------
    answers : In(stream.Signature(8))
        From the pipeline.
    hold, clear : In(1), In(1)
        No answer is taken; everything is forgotten.
    started : In(1)
        A sample byte has gone in: cycles are counted from the first one.
    address, release : In(16), In(1)
        A position; those before it are wanted no more.
    data : Out(8)
        The byte at ``address`` of the cycle before.
    beyond, none_ahead : Out(1), Out(1)
        ``address`` of the cycle before is no position that is kept; nothing is kept there or behind it.
    full : Out(1)
        From a register, which counts on the byte that just comes.
    produced, ended : Out(16), Out(32)
        The position behind the last byte; cycles from the first sample byte in to it.
    """

    def __init__(self, depth: int):
        self.depth = depth
        super().__init__(
            {
                "answers": In(stream.Signature(8)),
                "hold": In(1),
                "clear": In(1),
                "started": In(1),
                "address": In(16),
                "release": In(1),
                "data": Out(8),
                "beyond": Out(1),
                "none_ahead": Out(1),
                "full": Out(1),
                "produced": Out(16),
                "ended": Out(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.ring = ring = Memory(shape=8, depth=self.depth, init=[])
        write, read = ring.write_port(), ring.read_port(transparent_for=())
        level, ahead = Signal(range(self.depth + 1)), Signal(16)
        running, cycles = Signal(), Signal(32)
        m.d.sync += [
            ahead.eq(self.produced - self.address),
            self.none_ahead.eq(self.produced == self.address),
            self.full.eq((level == self.depth) | (write.en & (level == self.depth - 1))),
        ]
        m.d.comb += [
            self.beyond.eq(ahead > level),
            self.answers.ready.eq(~self.full & ~self.hold),
            write.addr.eq(self.produced),
            write.data.eq(self.answers.payload),
            write.en.eq(self.answers.valid & self.answers.ready),
            read.addr.eq(self.address),
            read.en.eq(1),
            self.data.eq(read.data),
        ]
        with m.If(running):
            m.d.sync += cycles.eq(cycles + 1)
        with m.If(self.started):
            m.d.sync += running.eq(1)
        with m.If(write.en):
            m.d.sync += [self.produced.eq(self.produced + 1), level.eq(level + 1), self.ended.eq(cycles)]
        with m.If(self.release):
            m.d.sync += level.eq(ahead)
        with m.If(self.clear):
            m.d.sync += [self.produced.eq(0), level.eq(0), running.eq(0), cycles.eq(0), self.ended.eq(0)]
        return m
