"""The address of cell after cell of a frame, in an order that may be rolled."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from npde.program import Grid
from npde_hdl.evolve.sized import Sized


class Walk(Sized):
    """Row by row, both axes cyclic, from a start that moves on by the same step with every frame.

    Parameters
    ----------
    grid : Grid
        Its cells are numbered in raster order.
    start, step : tuple[int, int]
        Row and column of the first cell of a fresh walk; how much later each frame begins than the one before it.
    planes : int
        Addresses run through that many planes, one a frame; with one, all frames read the same.

    Members
    -------
    first, fresh : In(1), In(1)
        A frame begins with the cell of this cycle; it is a fresh walk's first.
    move : In(1)
        Step to the next cell behind this cycle.
    address : Out(range(planes · cells))
        The cell of this cycle, without a register from ``first`` on.
    """

    def __init__(self, grid: Grid, start: tuple[int, int] = (0, 0), step: tuple[int, int] = (0, 0), planes: int = 1):
        self.grid, self.planes = grid, planes
        self.start = start[0] % grid.height, start[1] % grid.width
        self.step = step[0] % grid.height, step[1] % grid.width
        super().__init__(
            {
                "first": In(1),
                "fresh": In(1),
                "move": In(1),
                "address": Out(range(max(2, planes * grid.height * grid.width))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        height, width = self.grid.height, self.grid.width
        cells, last_row = height * width, (height - 1) * width
        # Rows are held as the address of their first cell, so that nothing is multiplied.
        row0, x0 = Signal(range(cells)), Signal(range(width))  # where this frame began
        row, x, plane = Signal(range(cells)), Signal(range(width)), Signal(range(max(1, (self.planes - 1) * cells) + 1))
        row_now, x_now, plane_now = Signal.like(row), Signal.like(x), Signal.like(plane)
        row_begin, x_begin = Signal.like(row), Signal.like(x)

        def later(position, step, size):
            """``position + step`` around a cycle of ``size``."""
            if step == 0:
                return position
            return Mux(position >= size - step, position - (size - step), position + step)

        begin = self.start[0] * width, self.start[1]
        with m.If(self.fresh):
            m.d.comb += [row_begin.eq(begin[0]), x_begin.eq(begin[1])]
        with m.Else():
            m.d.comb += [row_begin.eq(later(row0, self.step[0] * width, cells)), x_begin.eq(later(x0, self.step[1], width))]
        m.d.comb += [row_now.eq(row), x_now.eq(x), plane_now.eq(plane)]
        x_start = Signal.like(x)
        m.d.comb += x_start.eq(x0)
        with m.If(self.first):
            m.d.comb += [row_now.eq(row_begin), x_now.eq(x_begin), x_start.eq(x_begin)]
            if self.planes > 1:
                m.d.comb += plane_now.eq(Mux(self.fresh, 0, Mux(plane == (self.planes - 1) * cells, 0, plane + cells)))
        m.d.comb += self.address.eq(plane_now + row_now + x_now)
        with m.If(self.move):
            x_after = Signal.like(x)
            m.d.comb += x_after.eq(Mux(x_now == width - 1, 0, x_now + 1))
            m.d.sync += [x.eq(x_after), row.eq(row_now), plane.eq(plane_now)]
            with m.If(x_after == x_start):
                m.d.sync += row.eq(Mux(row_now == last_row, 0, row_now + width))
            with m.If(self.first):
                m.d.sync += [row0.eq(row_begin), x0.eq(x_begin)]
        return m
