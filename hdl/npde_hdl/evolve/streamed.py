"""A rigid pipeline between two streams: it moves when a cell is there and the last one has been taken."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Streamed(wiring.Component):
    """Frames through a rigid pipeline, one cell a cycle, back to back; the last is pushed out by cells without meaning.

    Parameters
    ----------
    core : wiring.Component
        Has ``ce``, ``cell``, ``first``, ``note`` and ``o``, ``o_first``, and a ``delay`` between them.
    cells : int
        Of a frame.
    whole_frames : bool
        Push with whole frames, as a periodic window needs.

    Members
    -------
    i, o : In, Out(stream.Signature(bits))
        Cells. A frame leaves in the order in which the core gives it.
    """

    def __init__(self, core, cells: int, *, whole_frames: bool = False):
        self.core, self.cells, self.whole_frames = core, cells, whole_frames
        super().__init__(
            {
                "i": In(stream.Signature(core.cell.shape())),
                "o": Out(stream.Signature(core.o.shape())),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = self.core
        place, idle = Signal(range(self.cells)), Signal(range(self.cells))
        owed = Signal(range(self.cells + 1))
        frames = Signal(range(core.delay // self.cells + 4))  # that have entered and not wholly left
        free, take, push, leaves, real = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(free & (idle == 0)),
            take.eq(self.i.valid & (idle == 0)),
            push.eq((idle != 0) | ((place == 0) & ~self.i.valid & (frames != 0))),
            core.ce.eq(free & (take | push)),
            core.cell.eq(self.i.payload),
            core.first.eq(take & (place == 0)),
            core.note.fresh.eq(1),
            core.note.left.eq(~0),
            real.eq(core.o_first | (owed != 0)),
            leaves.eq(core.ce & (Mux(core.o_first, self.cells, owed) == 1)),
        ]
        with m.If(core.ce):
            m.d.sync += [self.o.valid.eq(real), self.o.payload.eq(core.o)]
            with m.If(core.o_first):
                m.d.sync += owed.eq(self.cells - 1)
            with m.Elif(owed != 0):
                m.d.sync += owed.eq(owed - 1)
            with m.If(take):
                m.d.sync += place.eq(Mux(place == self.cells - 1, 0, place + 1))
            if self.whole_frames:
                with m.Else():
                    m.d.sync += idle.eq(Mux(idle == self.cells - 1, 0, idle + 1))
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        m.d.sync += frames.eq(frames + (core.ce & core.first) - leaves)
        return m
