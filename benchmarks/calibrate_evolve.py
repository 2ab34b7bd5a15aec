"""Fits the planner's logic formula for evolutions: steps drawn at random through Yosys and nextpnr's packer.

``python benchmarks/calibrate_evolve.py ecp5 12`` prints the coefficients for ``npde_hdl/plan/evolve_cost.py``.
"""

from __future__ import annotations

import random
import sys

import numpy as np
from calibrate import _cells, fit

from npde.program import Evolve, Grid, Q
from npde_hdl.board import FAMILIES
from npde_hdl.evolve.step import EvolveStep
from npde_hdl.plan.evolve_cost import evolve_terms, memories
from npde_sim.bench.evolution import MOORE, NEIGHBOURS, gray_scott, leapfrog, linear, regions_of


def main(name: str, count: str, seed: str = "0") -> None:
    """Measure, fit, print."""
    family, dice = FAMILIES[name], random.Random(int(seed))
    terms, cells = [], []
    for _ in range(int(count)):
        evolve, grid, copies, kind = _draw(dice, family.dsp_kind)
        step = EvolveStep(evolve, grid, (kind,) * copies, regions=regions_of(evolve, grid, copies))
        measured = _cells(step, family)
        terms.append(evolve_terms(step.cascade, False, family))
        cells.append(measured)
        print(f"{len(cells)}: {measured} cells; {copies} {kind} on {grid}, {len(evolve.body)} updates, {evolve.body[0].boundary}, "
              f"block RAMs {sum(family.brams(*m) for m in memories(step.cascade, False))}", file=sys.stderr, flush=True)  # fmt: skip
    fit(terms, np.array(cells, float))


def _draw(dice: random.Random, dsp: str) -> tuple[Evolve, Grid, int, str]:
    boundary = dice.choice(["periodic", "periodic", "neumann", "dirichlet"])
    side, copies = dice.choice([16, 32, 64]), dice.choice([1, 2, 3])
    match dice.choice(["gray-scott", "gray-scott", "leapfrog", "linear"]):
        case "gray-scott":
            # iCE40 blocks take no 18 bits: logic there.
            return gray_scott(boundary, 20), Grid(side, side, 2, Q(16, 14)), copies, dsp if dsp != "ice40_mac16" else "generic"
        case "leapfrog":
            return leapfrog(boundary, 20), Grid(side, side, 2, Q(14, 11)), copies, dsp if dsp != "ice40_mac16" else "generic"
        case _:
            taps = dice.choice([NEIGHBOURS, MOORE])
            weights = (1, 4, 1, 4, -20, 4, 1, 4, 1) if taps == MOORE else None
            width = dice.choice([8, 10])
            return linear(taps, weights, boundary, 20), Grid(side, side, 1, Q(width, 7)), 2 * copies, dice.choice([dsp, "generic"])


if __name__ == "__main__":
    main(*sys.argv[1:])
