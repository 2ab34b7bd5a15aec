"""How many cycles a frame takes, measured: what the plan says, neither more nor less."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from npde.program import Grid, Q
from npde_hdl.evolve.resident import Resident
from npde_hdl.evolve.step import EvolveStep
from npde_sim.bench import Case, Expectation, draw, simulate
from npde_sim.bench.evolution import (
    NEIGHBOURS,
    configure,
    evolved,
    gray_scott,
    leapfrog,
    linear,
    regions_of,
    weights_of,
)
from npde_sim.bench.lanes import Lanes

FRAMES = 3
PACED = {
    "passes without a gap": (gray_scott(times=7), Grid(14, 16, 2, Q(16, 14)), 2, False),
    "a cascade longer than the frame": (leapfrog(times=7), Grid(5, 6, 2, Q(16, 13)), 3, False),
    "streaming": (linear(NEIGHBOURS, boundary="neumann", times=2), Grid(6, 9, 1, Q(10, 7)), 2, True),
}


async def paced(bench, name):
    """The cycles in which frames end."""
    evolve, grid, copies, _ = PACED[name]
    bench.dut.rst.value = 1
    weights = weights_of(evolve, grid, bench.rng)
    await configure(bench, "config", evolve, grid, copies, weights)
    fields = draw.integers(bench.rng, grid.q, (FRAMES, *grid.shape))
    bench.dut.rst.value = 0
    lanes = Lanes(grid.q.width, grid.channels)
    bench.feed("cells_in", lanes.words(fields.ravel()))
    sink = bench.sink("values", lanes, Expectation(name, evolved(evolve, grid, weights, fields)))
    await bench.settle(patience=4000)
    return sink.came_at[grid.height * grid.width - 1 :: grid.height * grid.width]


@pytest.mark.parametrize("name", PACED)
def test_frames_take_the_cycles_the_plan_says(name):
    evolve, grid, copies, streams = PACED[name]
    step = EvolveStep(evolve, grid, ("generic",) * copies, streams=streams, regions=regions_of(evolve, grid, copies))
    (ends,) = simulate(step, paced, cases=[Case(1, "all-out")], name=name)
    cells = grid.height * grid.width
    wanted = cells if streams else Resident(step.cascade).cycles(evolve.times)
    assert [after - before for before, after in pairwise(ends)] == [wanted] * (FRAMES - 1)
    assert np.ceil(evolve.times / copies) * cells * (not streams) < wanted
