"""Logic cells of each component: linear formulas fitted to synthesis results (see docs/benchmarks)."""

from __future__ import annotations

from npde.link.packing import Packing
from npde.program import Grid, Pool
from npde_hdl.board.family import Cost

LINK_COST = {"ice40": Cost(luts=1150, brams=5), "ecp5": Cost(luts=1250, brams=4)}


def step_luts(packing: Packing, multiplier: str) -> int:
    """Logic cells of one stencil step with its refolding, without memories."""
    stencil, grid, fold = packing.stencil, packing.grid, packing.fold
    accumulator = stencil.accumulator_width(grid)
    bits, weight = grid.q.width, stencil.weight.width
    luts = 226 + 4.25 * accumulator * fold.pe + 8.2 * bits * fold.simd + 2.5 * (bits + weight) * fold.multipliers
    if multiplier == "generic":
        luts += 2.8 * bits * weight * fold.multipliers
    if stencil.skip:
        luts += 3.3 * accumulator
    if stencil.boundary == "dirichlet":
        luts += bits * fold.simd
    return round(luts)


def pool_luts(step: Pool, grid: Grid, lanes: int) -> int:
    """Logic cells of one pooling step with its refolding."""
    return 70 + lanes * (4 * step.accumulator_width(grid) + 2 * grid.q.width)
