"""Evolutions among other steps: refolded, pooled, classified, every step's field against golden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from npde.program import CENTRE, Dense, Grid, Pool, Program, Q, Stencil
from npde_hdl import board
from npde_hdl.plan import plan_for
from npde_sim.bench import Case, draw, simulate
from npde_sim.bench.evolution import EVOLUTIONS, NEIGHBOURS, leapfrog, linear
from npde_sim.bench.pipeline import Held, pipeline

F = Q(8, 7)
DENSE = Dense(out_channels=3, weight=Q(8, 6), bias=Q(16, 8), out=Q(16, 8))
PROGRAMS = {
    "evolve, pool, dense": Program(
        name="waves", input=Grid(6, 6, 2, Q(12, 9)), argmax=True,
        steps=(leapfrog(times=3), Pool(kind="sum", size=3, out=Q(12, 7)), DENSE),
    ),
    "encode, stream, dense": Program(
        name="streamed", input=Grid(4, 5, 2, F),
        steps=(Stencil(out_channels=1, taps=(CENTRE,), weight=Q(8, 6), bias=Q(16, 12), out=Q(10, 8)),
               linear(NEIGHBOURS, boundary="dirichlet", times=2), DENSE),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_mixed_pipeline_gives_golden_integers_after_every_step(name):
    program, rng = PROGRAMS[name], np.random.default_rng(1)
    model, plan = draw.model(program, rng), plan_for(program, board.get("ulx3s-25f"))
    if name == "encode, stream, dense":  # a choice the planner has, and leaves while other steps are slower
        streaming = replace(plan.evolved[0], kinds=("generic",) * 2, streams=True, initiation_interval=20)
        plan = replace(plan, steps=tuple(streaming if step in plan.evolved else step for step in plan.steps))
    cases = [Case(1, "all-out"), Case(2), Case(3, "bursts")]
    simulate(Held(plan), pipeline, cases=cases, plan=plan, model=model, frames=draw.fields(program, rng, 3))


def test_what_cannot_stream_is_refused():
    from npde_hdl.evolve.step import EvolveStep

    evolve, grid = EVOLUTIONS["gray-scott"]
    with pytest.raises(ValueError, match="do not stream"):
        EvolveStep(evolve, grid, ("generic",) * evolve.times, streams=True)
