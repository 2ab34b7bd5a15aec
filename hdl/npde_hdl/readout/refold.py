"""Between two steps of different folding: gathers narrow words into wide ones, or deals wide ones out."""

from __future__ import annotations

from math import gcd

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped


class Refold(wiring.Component):
    """A stream of ``lanes_in`` values a word becomes one of ``lanes_out``, in the same order.

    Neither need divide the other: words are dealt out to their greatest common divisor first.

    Members
    -------
    i, o : In, Out(stream.Signature(ArrayLayout(signed(bits), lanes)))
        The two streams.
    """

    def __init__(self, bits: int, lanes_in: int, lanes_out: int):
        if min(bits, lanes_in, lanes_out) < 1:
            raise ValueError(f"cannot refold {lanes_in} to {lanes_out} lanes of {bits} bits")
        self.bits, self.lanes_in, self.lanes_out = bits, lanes_in, lanes_out
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(signed(bits), lanes_in))),
                "o": Out(stream.Signature(data.ArrayLayout(signed(bits), lanes_out))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        common = gcd(self.lanes_in, self.lanes_out)
        source = flipped(self.i)
        if self.lanes_in > common:
            m.submodules.deal = deal = _Deal(self.bits, self.lanes_in, common)
            connect(m, source, deal.i)
            source = deal.o
        if self.lanes_out > common:
            m.submodules.gather = gather = _Gather(self.bits, common, self.lanes_out)
            connect(m, source, gather.i)
            source = gather.o
        connect(m, source, flipped(self.o))
        return m


class _Gather(Refold):
    def elaborate(self, platform):
        m = Module()
        words = self.lanes_out // self.lanes_in
        filled = Signal(range(words + 1))
        # A word that leaves makes room in the same cycle, so a full-rate stream has no bubble.
        m.d.comb += [
            self.o.valid.eq(filled == words),
            self.i.ready.eq((filled != words) | self.o.ready),
        ]
        arrive, leave = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        with m.If(arrive):
            whole = Cat(self.o.payload, self.i.payload)
            m.d.sync += self.o.payload.eq(whole[self.lanes_in * self.bits :])
        with m.If(leave):
            m.d.sync += filled.eq(arrive)
        with m.Elif(arrive):
            m.d.sync += filled.eq(filled + 1)
        return m


class _Deal(Refold):
    def elaborate(self, platform):
        m = Module()
        words = self.lanes_in // self.lanes_out
        waiting = Signal(self.lanes_in * self.bits)
        left = Signal(range(words + 1))
        leave = self.o.valid & self.o.ready
        m.d.comb += [
            self.o.valid.eq(left != 0),
            self.o.payload.as_value().eq(waiting),
            self.i.ready.eq((left == 0) | ((left == 1) & self.o.ready)),
        ]
        with m.If(leave):
            m.d.sync += [left.eq(left - 1), waiting.eq(waiting >> (self.lanes_out * self.bits))]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [left.eq(words), waiting.eq(self.i.payload)]
        return m
