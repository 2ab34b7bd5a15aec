"""The line buffer: every beat carries the cell its tap means, whatever stalls.

A cell's content is its own place: frame (modulo 2, and no buffer here holds more than one), row and column, written in
as it enters. So what a beat must carry follows from where the walk is alone, and the boundary's rule: clamped,
wrapped, or outside. What is read too early, or after it was overwritten, has another place.
"""

from __future__ import annotations

from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Cat, Module, Mux, Signal

from npde.link.packing import Fold, Packing
from npde.program import Grid, Q, Stencil
from npde_hdl.stencil.reach import Reach
from npde_sim.formal import Proof, Twin, module

FRAMES = 2


def raster(m, moves, height, width, name, step=1):
    """Frame, row and column of a place that moves on through the cells (every ``step``-th of both axes)."""
    frame, row, col = (
        Signal(range(FRAMES), name=f"{name}_frame"),
        Signal(range(height), name=f"{name}_row"),
        Signal(range(width), name=f"{name}_col"),
    )
    with m.If(moves):
        m.d.sync += col.eq(col + step)
        with m.If(col + step >= width):
            m.d.sync += [col.eq(0), row.eq(row + step)]
            with m.If(row + step >= height):
                m.d.sync += [row.eq(0), frame.eq(frame + 1)]
    return frame, row, col


def buffer(height, width, taps, boundary, stride=1, cells=None):
    rows, cols = (height - 1).bit_length(), (width - 1).bit_length()
    bits = 1 + rows + cols
    step = Stencil(
        out_channels=1,
        taps=taps,
        boundary=boundary,
        stride=stride,
        weight=Q(2, 0),
        bias=Q(2, 0),
        out=Q(max(2, bits), 0),
    )
    packing = Packing(step, Grid(height, width, 1, Q(max(2, bits), 0)), Fold(1, 1))
    least = Reach(packing.grid, packing.beat_taps, boundary, stride).least_cells

    def top(twin):
        m = Module()
        m.submodules.buffer = buffer = module("npde_hdl.stencil.line_buffer", twin).LineBuffer(packing, cells or least)
        m.d.comb += [buffer.cells_in.valid.eq(AnySeq(1)), buffer.enable.eq(AnySeq(1))]
        entering = raster(m, buffer.cells_in.valid & buffer.cells_in.ready, height, width, "in")
        m.d.comb += buffer.cells_in.payload.as_value().eq(Cat(entering))

        # Beats are passed on in enabled cycles.
        beat, moved = buffer.beat, Signal()
        m.d.comb += moved.eq(buffer.enable & buffer.valid)
        number = Signal(range(packing.bias_beats + len(packing.beat_taps)))
        last = number == packing.bias_beats + len(packing.beat_taps) - 1
        with m.If(moved):
            m.d.sync += number.eq(Mux(last, 0, number + 1))
        frame, row, col = raster(m, moved & last, height, width, "out", stride)
        with m.If(buffer.valid):
            m.d.comb += [
                Assert(beat.bias == (number < packing.bias_beats)),
                Assert(beat.last == last),
                Assert(beat.first == (number == packing.bias_beats)),
            ]
            for index, (dy, dx) in enumerate(packing.beat_taps):
                with m.If(number == packing.bias_beats + index):
                    y, y_out = neighbour(row, dy, height, boundary)
                    x, x_out = neighbour(col, dx, width, boundary)
                    wanted = Cat(frame, y[: len(row)], x[: len(col)])
                    m.d.comb += Assert(beat.lanes.as_value() == Mux(y_out | x_out, 0, wanted))
        return m

    return top


def neighbour(at, distance, size, boundary):
    """Where ``at + distance`` lies on an axis of ``size`` cells, and whether it is outside and counts as zero."""
    to = at + distance
    below, above = to < 0, to >= size
    match boundary:
        case "periodic":
            return Mux(below, to + size, Mux(above, to - size, to)), 0
        case "neumann":
            return Mux(below, 0, Mux(above, size - 1, to)), 0
        case _:
            return Mux(below | above, 0, to), below | above


CROSS = ((0, 0), (-1, 0), (0, 1))
TWINS = {
    "neumann": Twin(
        "init=self.cells - reach.behind)",
        "init=self.cells - reach.behind + 1)",
        "a cell more is let in than there is room for",
    ),
    "periodic": Twin(
        "(distance - sign * size) * unit", "(distance - sign * size - sign) * unit", "a wrapped tap is one cell off"
    ),
    "dirichlet": Twin("Mux(last.outside, 0, read.data)", "read.data", "taps outside the grid are not zero"),
}
PROOFS = [
    Proof(f"line buffer 2×2, {boundary}", buffer(2, 2, CROSS, boundary), twin, twin_depth=60, slow=True, timeout=900)
    for boundary, twin in TWINS.items()
]


def test_every_beat_is_the_cell_its_tap_means_and_its_twins_is_not(proof, holds):
    holds(proof)
