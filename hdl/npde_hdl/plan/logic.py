"""Logic cells of each component: linear formulas fitted to synthesis by ``benchmarks/calibrate.py``."""

from __future__ import annotations

import math

from npde.link.packing import Packing
from npde.program import Grid, Pool
from npde_hdl.board.family import Cost, Family
from npde_hdl.primitive.product import PAIRED
from npde_hdl.stencil.step import reaction_lanes

LINK_COST = {"ice40": Cost(luts=1850, brams=5), "ecp5": Cost(luts=2050, brams=4)}
"""The board link with its rings, the answer's last stage and the clock."""

STEP_CELLS = {
    "ice40": {
        "step": 139.06, "lanes in": 1.32, "products in logic": 2.72, "adder tree": 0.71, "biases held": 0.90,
        "accumulators": 2.86, "centres": 1.21, "lanes out": 0.26, "addresses": 7.49, "offsets": 0.91,
        "weight bits": 1.03, "small memories": 1.84, "zeros outside": 2.23,
    },
    "ecp5": {
        "step": 93.48, "lanes in": 0.02, "products in logic": 2.76, "adder tree": 1.90, "biases held": 0.65,
        "accumulators": 2.66, "centres": 0.00, "lanes out": 1.01, "addresses": 6.53, "offsets": 1.49,
        "weight bits": 0.00, "small memories": 8.37, "zeros outside": 1.10,
    },
}  # fmt: skip
"""Cells for one of each of :func:`step_terms`; off by 4 % in the mean on 63 iCE40 and 41 ECP5 steps alone.

An iCE40 step counts 35 cells more than it takes alone, for the refolding before it.
"""

FED_BACK_CELLS = 100
"""Counters and pointers of a recurrent step, not fitted."""
POOL_CELLS = {"ice40": (60, 1.6), "ecp5": (110, 2.5)}
"""Cells of a pooling step, and of each bit of its lanes' accumulators and inputs."""


def step_terms(packing: Packing, multiplier: str, words: int, family: Family) -> dict[str, float]:
    """What the logic of a stencil step grows with; its rows have ``words`` words, its weights are in block RAM."""
    stencil, grid, fold = packing.stencil, packing.grid, packing.fold
    accumulator, bits = stencil.accumulator_width(grid), grid.q.width
    # Two products out of one: an adder where the operand is put together, one where they are taken apart.
    pairs = fold.multipliers // 2 * (bits + 2 * stencil.weight.width) if multiplier in PAIRED else 0
    return {
        "step": 1,
        "lanes in": bits * fold.simd,
        "products in logic": bits * stencil.weight.width * fold.multipliers if multiplier == "generic" else 0,
        "adder tree": (fold.simd - 1) * fold.pe * (bits + stencil.weight.width) + pairs,
        "biases held": packing.bias_beats * packing.lane_bits * fold.pe,
        "accumulators": (accumulator + stencil.skip * bits) * fold.pe,
        "centres": stencil.skip * bits * fold.pe,
        "lanes out": accumulator * reaction_lanes(packing),
        "addresses": math.log2(words),
        "offsets": len(packing.beat_taps) * math.log2(words),
        "weight bits": packing.width,
        "small memories": family.pieces(words, fold.simd * bits) + family.pieces(packing.depth, packing.width),
        "zeros outside": bits * fold.simd if stencil.boundary == "dirichlet" else 0,
    }


def step_luts(packing: Packing, multiplier: str, words: int, family: Family) -> int:
    """Logic cells of one stencil step."""
    cells = STEP_CELLS[family.name]
    return round(sum(cells[term] * amount for term, amount in step_terms(packing, multiplier, words, family).items()))


def fed_back_cost(packing: Packing, family: Family) -> Cost:
    """What a recurrent step takes beside its time step: the way back, and the queue of values that leave."""
    bits, lanes = packing.grid.q.width, reaction_lanes(packing)
    depth, width = packing.stencil.out_channels // lanes, lanes * bits
    words = STEP_CELLS[family.name]["small memories"] * family.pieces(depth, width)
    return Cost(round(FED_BACK_CELLS + bits * (packing.fold.simd + lanes) + words), 0, family.brams(depth, width), 0)


def pool_luts(step: Pool, grid: Grid, lanes: int, family: Family) -> int:
    """Logic cells of one pooling step with its refolding."""
    alone, bit = POOL_CELLS[family.name]
    return round(alone + bit * lanes * (step.accumulator_width(grid) + grid.q.width))
