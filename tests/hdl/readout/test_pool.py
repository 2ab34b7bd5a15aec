"""Pooling against golden: sums and maxima, tiles that fit and tiles that do not, any channel folding."""

from __future__ import annotations

import pytest

from npde import golden
from npde.program import Grid, Pool, Q
from npde_hdl.readout.pool import CYCLES, PoolStep
from npde_sim.bench import Case, Expectation, Rack, draw, simulate
from npde_sim.bench.lanes import Lanes

F = Q(8, 6)
POOLS = {
    "sum": (Pool(kind="sum", size=2, out=Q(8, 4)), Grid(4, 6, 4, F), 2),
    "ragged_sum": (Pool(kind="sum", size=3, out=Q(12, 6)), Grid(7, 5, 3, F), 1),
    "max": (Pool(kind="max", size=2, out=Q(6, 4)), Grid(5, 5, 2, F), 2),
    "whole_frame": (Pool(kind="sum", size=4, out=Q(8, 2)), Grid(4, 4, 6, F), 3),
    "line": (Pool(kind="max", size=3, out=F), Grid(1, 10, 2, F), 1),
    "one_cell": (Pool(kind="sum", size=1, out=Q(4, 3)), Grid(3, 2, 1, F), 1),
}


async def pools(bench, names):
    """Random frames through every pooling step at once."""
    for name in names:
        step, grid, lanes = POOLS[name]
        fields = draw.integers(bench.rng, grid.q, (4, *grid.shape))
        bench.feed(f"{name}__cells_in", Lanes(grid.q.width, lanes).words(fields.ravel()))
        bench.sink(f"{name}__values", Lanes(step.out.width, lanes), Expectation(name, golden.pool(step, grid, fields)))
    await bench.settle(patience=2000)


def test_every_pooling_is_goldens():
    rack = Rack({name: PoolStep(step, grid, lanes) for name, (step, grid, lanes) in POOLS.items()})
    cases = [Case(1, "all-out"), Case(2), Case(3, "bursts"), Case(4, "slow")]
    simulate(rack, pools, cases=cases, names=list(POOLS))


async def pace(bench):
    """When each word of an unstalled run is taken."""
    step, grid, lanes = POOLS["sum"]
    fields = draw.integers(bench.rng, grid.q, (4, *grid.shape))
    source = bench.feed("cells_in", Lanes(grid.q.width, lanes).words(fields.ravel()))
    bench.sink("values", Lanes(step.out.width, lanes), Expectation("values", golden.pool(step, grid, fields)))
    await bench.settle(patience=2000)
    return source.sent_at


def test_a_word_takes_the_cycles_the_plan_counts():
    step, grid, lanes = POOLS["sum"]
    (sent,) = simulate(PoolStep(step, grid, lanes), pace, cases=[Case(1, "all-out")])
    assert sent[-1] - sent[0] == CYCLES * (len(sent) - 1)


def test_lanes_that_do_not_divide_the_channels_are_refused():
    step, grid, _ = POOLS["sum"]
    with pytest.raises(ValueError, match="3 lanes do not divide 4 channels"):
        PoolStep(step, grid, 3)
