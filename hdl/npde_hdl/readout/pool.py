"""Pooling over tiles that do not overlap, with one row of partial results and no frame."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from npde.program import Grid, Pool
from npde_hdl.stencil.reaction import clamped, rescaled

CYCLES = 3
"""Cycles a word takes: read the partial result, combine, write back."""


class PoolStep(wiring.Component):
    """Reads, combines and writes back one partial result a word; the last cell of a tile leaves instead.

    Parameters
    ----------
    step, grid : Pool, Grid
        The pooling and the grid before it.
    lanes : int
        Channels in a word; they divide the grid's channels.

    Members
    -------
    cells_in, values : In, Out(stream.Signature(ArrayLayout(signed(bits), lanes)))
        The field before and after, in raster order, channel-folded.
    """

    def __init__(self, step: Pool, grid: Grid, lanes: int):
        if lanes < 1 or grid.channels % lanes:
            raise ValueError(f"{lanes} lanes do not divide {grid.channels} channels")
        self.step, self.grid, self.lanes = step, grid, lanes
        super().__init__(
            {
                "cells_in": In(stream.Signature(data.ArrayLayout(signed(grid.q.width), lanes))),
                "values": Out(stream.Signature(data.ArrayLayout(signed(step.out.width), lanes))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        step, grid, lanes = self.step, self.grid, self.lanes
        tile_y, tile_x = step.tile(grid)
        after = step.grid_after(grid, "pool")
        folds = grid.channels // lanes
        shape = data.ArrayLayout(signed(step.accumulator_width(grid)), lanes)

        m.submodules.partial = partial = Memory(shape=shape, depth=max(2, after.width * folds), init=[])
        read, write = partial.read_port(), partial.write_port()

        fold, tile = Signal(range(folds)), Signal(range(after.width + 1))
        in_x, in_y = Signal(range(tile_x)), Signal(range(tile_y))
        x, y = Signal(range(grid.width)), Signal(range(grid.height))
        start = Signal.like(read.addr)
        # The counters stand still for the cycles of a word, so what is asked of them comes from registers.
        within, first, last = Signal(), Signal(), Signal()
        end_of_cell, end_of_tile, end_of_row, end_of_rows, end_of_frame = (Signal() for _ in range(5))
        m.d.sync += [
            within.eq((tile != after.width) & (y < after.height * tile_y)),
            first.eq((in_x == 0) & (in_y == 0)),
            last.eq((in_x == tile_x - 1) & (in_y == tile_y - 1)),
            end_of_cell.eq(fold == folds - 1),
            end_of_tile.eq((in_x == tile_x - 1) & (tile != after.width)),
            end_of_row.eq(x == grid.width - 1),
            end_of_rows.eq(in_y == tile_y - 1),
            end_of_frame.eq(y == grid.height - 1),
        ]
        m.d.comb += [read.addr.eq(start + fold), write.addr.eq(read.addr), write.data.eq(self._combined(m, read, first))]

        advance = Signal()
        with m.FSM():
            with m.State("READ"):
                m.d.comb += read.en.eq(1)
                with m.If(self.cells_in.valid):
                    m.next = "COMBINE"
            with m.State("COMBINE"):
                m.next = "WRITE"
            with m.State("WRITE"):
                with m.If(within & last):
                    m.d.comb += [self.values.valid.eq(1), advance.eq(self.values.ready)]
                with m.Else():
                    m.d.comb += [write.en.eq(within), advance.eq(1)]
                with m.If(advance):
                    m.d.comb += self.cells_in.ready.eq(1)
                    m.next = "READ"

        with m.If(advance):
            m.d.sync += fold.eq(Mux(end_of_cell, 0, fold + 1))
            with m.If(end_of_cell):
                m.d.sync += [x.eq(Mux(end_of_row, 0, x + 1)), in_x.eq(Mux(in_x == tile_x - 1, 0, in_x + 1))]
                with m.If(end_of_tile):
                    m.d.sync += [tile.eq(tile + 1), start.eq(start + folds)]
                with m.If(end_of_row):
                    m.d.sync += [tile.eq(0), start.eq(0), in_x.eq(0)]
                    m.d.sync += [in_y.eq(Mux(end_of_rows, 0, in_y + 1)), y.eq(y + 1)]
                    with m.If(end_of_frame):
                        m.d.sync += [y.eq(0), in_y.eq(0)]
        return m

    def _combined(self, m, read, first):
        """The partial result with this word, registered; the finished values beside it."""
        step, grid = self.step, self.grid
        result = Signal(read.data.shape(), name="result")
        for lane in range(self.lanes):
            value, before = self.cells_in.payload[lane], read.data[lane]
            grown = before + value if step.kind == "sum" else Mux(value > before, value, before)
            m.d.sync += result[lane].eq(Mux(first, value, grown))
            finished = rescaled(result[lane], step.shift(grid))
            m.d.comb += self.values.payload[lane].eq(clamped(finished, step.out.low, step.out.high))
        return result
