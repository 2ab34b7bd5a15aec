"""Logic cells of each component: linear formulas fitted to synthesis results (see docs/benchmarks)."""

from __future__ import annotations

from npde.link.packing import Packing
from npde.program import Grid, Pool
from npde_hdl.plan.cost import Cost

LINK_COST = {"ice40": Cost(luts=1000, brams=5), "ecp5": Cost(luts=1100, brams=4)}


def step_luts(packing: Packing, family: str, multiplier: str) -> int:
    """Logic cells of one stencil step with its refolding, without memories."""
    stencil, grid, fold = packing.stencil, packing.grid, packing.fold
    accumulator = stencil.accumulator_width(grid)
    product = grid.q.width + stencil.weight.width
    walk = 150 + (grid.q.width * fold.simd if stencil.boundary == "dirichlet" else 0)
    lanes = fold.pe * (2 * accumulator + packing.bias_beats * packing.lane_bits + (fold.simd - 1) * (product + 1))
    if multiplier == "generic":
        lanes += int(fold.multipliers * 1.25 * grid.q.width * stencil.weight.width)
    reaction = fold.pe * accumulator + 70 + (fold.pe * 2 * grid.q.width + accumulator if stencil.skip else 0)
    memory = packing.width + 2 * packing.depth.bit_length() + 10
    refold = grid.q.width * fold.simd + 6
    return walk + lanes + reaction + memory + refold


def pool_luts(step: Pool, grid: Grid, lanes: int) -> int:
    """Logic cells of one pooling step with its refolding."""
    return 70 + lanes * (4 * step.accumulator_width(grid) + 2 * grid.q.width)
