"""Words that wait, so that two neighbours who work in bursts need not wait for each other."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out


class Queue(wiring.Component):
    """Amaranth's buffered FIFO between two streams of the same words.

    Parameters
    ----------
    shape : ArrayLayout
        A word.
    depth : int
        Words that may wait.

    Members
    -------
    i, o : In, Out(stream.Signature(shape))
        The two streams.
    """

    def __init__(self, shape: data.ArrayLayout, depth: int):
        self.shape, self.depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = SyncFIFOBuffered(width=self.shape.size, depth=self.depth)
        m.d.comb += [
            words.w_data.eq(self.i.payload),
            words.w_en.eq(self.i.valid),
            self.i.ready.eq(words.w_rdy),
            self.o.payload.as_value().eq(words.r_data),
            self.o.valid.eq(words.r_rdy),
            words.r_en.eq(self.o.ready),
        ]
        return m
