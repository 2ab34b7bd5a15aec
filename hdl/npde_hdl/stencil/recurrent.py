"""The recurrent network's layer: one time step whose values return to its own input, a row of the source beside them."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from npde.link.packing import Packing
from npde_hdl.config import ConfigBus
from npde_hdl.primitive.product import STEADY
from npde_hdl.readout.queue import Queue
from npde_hdl.readout.refold import Refold
from npde_hdl.stencil.defect import Defect
from npde_hdl.stencil.lanes import latency_of
from npde_hdl.stencil.line_buffer import LineBuffer
from npde_hdl.stencil.step import StencilStep, reaction_lanes

REACTION = 3
"""Cycles of a full rate's start and end, and the reaction's stages."""
CELLS = 2
"""One whose values are being computed, and the next, whose source comes in meanwhile and then its state."""


class RecurrentStep(wiring.Component):
    """A :class:`~npde_hdl.stencil.step.StencilStep` on one cell of source and state, its values fed back ``rows - 1`` times.

    Only the last time step's values leave. The next frame's first cell (its state is zero) waits in the line buffer
    by then, so the :func:`turnaround` is paid between rows and never between frames.

    Parameters
    ----------
    packing : Packing
        The step on the cell: as many state channels as it has outputs, behind those of the source. The input lanes
        divide both.
    rows : int
        Time steps of a frame.
    region, multiplier, memory, multiply, defects, bus_width
        As of :class:`~npde_hdl.stencil.step.StencilStep`.

    Members
    -------
    cells_in : In(stream.Signature(ArrayLayout(signed(bits), simd)))
        The sources, row by row.
    values : Out(stream.Signature(ArrayLayout(signed(bits), reaction_lanes(packing))))
        The state after the last row.
    config : In(ConfigBus(bus_width))
        The weights, as of :class:`~npde_hdl.stencil.step.StencilStep`.
    """

    def __init__(self, packing: Packing, rows: int, *, region: int = 0, multiplier: str = "generic", memory: str = "generic",
                 multiply: int = STEADY["generic"], defects: Sequence[Defect] = (), bus_width: int | None = None):  # fmt: skip
        simd, state = packing.fold.simd, packing.stencil.out_channels
        if state % simd or packing.grid.channels <= state:
            raise ValueError(f"{simd} input lanes do not divide {packing.grid.channels - state} sources and {state} states")
        self.packing, self.rows = packing, rows
        self.step = StencilStep(
            packing, region=region, cells=CELLS, multiplier=multiplier, memory=memory, multiply=multiply, defects=defects, bus_width=bus_width
        )
        bits = packing.grid.q.width
        super().__init__(
            {
                "cells_in": In(stream.Signature(data.ArrayLayout(signed(bits), simd))),
                "values": Out(stream.Signature(data.ArrayLayout(signed(bits), reaction_lanes(packing)))),
                "config": In(ConfigBus(self.step.bus_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        packing, lanes = self.packing, reaction_lanes(self.packing)
        state = packing.stencil.out_channels
        m.submodules.step = step = self.step
        m.submodules.back = back = Refold(packing.grid.q.width, lanes, packing.fold.simd)
        connect(m, flipped(self.config), step.config)

        accepted = step.cells_in.valid & step.cells_in.ready
        word, row = _position(m, accepted, packing.input_folds, self.rows, "in")
        with m.If(word < (packing.grid.channels - state) // packing.fold.simd):
            _pass(m, self.cells_in, step.cells_in)
        with m.Elif(row == 0):
            m.d.comb += step.cells_in.valid.eq(1)
        with m.Else():
            _pass(m, back.o, step.cells_in)

        given = step.values.valid & step.values.ready
        _, row = _position(m, given, state // lanes, self.rows, "out")
        # The last row's values leave at the next step's pace, while the next frame's first rows are computed.
        m.submodules.leaving = leaving = Queue(self.values.payload.shape(), state // lanes)
        connect(m, leaving.o, flipped(self.values))
        with m.If(row == self.rows - 1):
            _pass(m, step.values, leaving.i)
        with m.Else():
            _pass(m, step.values, back.i)
        return m


def turnaround(packing: Packing, multiply: int) -> int:
    """Cycles a row's cell waits after the last is computed, until the state it needs has come back to the line buffer."""
    pe, simd, lanes = packing.fold.pe, packing.fold.simd, reaction_lanes(packing)
    back = (lanes > simd) + (lanes < simd)
    return LineBuffer.RETURN + LineBuffer.LATENCY + latency_of(packing.fold, multiply) + REACTION + pe // lanes + back


def _position(m, moved, words, rows, name):
    """Counters over the words of a row and over the rows of a frame."""
    word, row = Signal(range(words), name=f"word_{name}"), Signal(range(rows), name=f"row_{name}")
    with m.If(moved):
        last = word == words - 1
        m.d.sync += word.eq(Mux(last, 0, word + 1))
        with m.If(last):
            m.d.sync += row.eq(Mux(row == rows - 1, 0, row + 1))
    return word, row


def _pass(m, source, sink):
    """Connect two streams while the surrounding condition holds."""
    m.d.comb += [sink.payload.eq(source.payload), sink.valid.eq(source.valid), source.ready.eq(sink.ready)]
