"""Multiplier utilisation from simulated cycles: shipped models' pipelines in Verilator, frames back to back.

``python benchmarks/utilisation.py [FRAMES]`` prints, for each model and board, the measured cycles between the last
answer bytes of successive frames beside the plan's initiation interval. Every answer is compared with golden.
"""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
from pairs import pairs

from npde.errors import FitError
from npde.link.protocol import answer_bytes
from npde.models import load_model
from npde_hdl.plan import plan_for
from npde_sim.bench import Case, simulate
from npde_sim.bench.pipeline import Held
from npde_sim.bench.pipeline import pipeline as scenario


def main(frames: str = "5") -> None:
    """One row a model and board."""
    print("| model | board | multipliers | cycles/frame planned | cycles/frame measured | busy, planned | busy, measured |")
    print("| --- " * 7 + "|")
    for name, board in pairs():
        model = load_model(name)
        try:
            plan = plan_for(model.program, board)
        except FitError:
            continue
        grid = model.program.input
        fields = np.random.default_rng(0).integers(grid.q.low, grid.q.high + 1, size=(int(frames), *grid.shape))
        (timing,) = simulate(Held(plan), scenario, cases=[Case(1, "all-out")], plan=plan, model=model, frames=fields)
        size = answer_bytes(model.program.output, model.program.argmax)
        ends = timing.answered[size - 1 :: size]
        # The first frame fills the pipeline; what follows is the sustained interval.
        measured = np.mean([after - before for before, after in pairwise(ends[1:])])
        busy = model.program.macs / (measured * plan.multipliers)
        print(f"| {name} | {board.name} | {plan.multipliers} | {plan.initiation_interval:,} | {measured:,.1f} "
              f"| {plan.utilisation:.1%} | {busy:.1%} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
