"""Whole evolutions, every boundary and number of copies, against golden, both streams held up at random."""

from __future__ import annotations

import pytest

from npde_hdl.evolve.step import EvolveStep
from npde_sim.bench import Case, Expectation, Rack, draw, simulate
from npde_sim.bench.evolution import EVOLUTIONS, configure, evolved, regions_of, weights_of
from npde_sim.bench.lanes import Lanes

FRAMES = 3


def step(name, copies, **more):
    evolve, grid = EVOLUTIONS[name]
    regions = regions_of(evolve, grid, copies)
    return EvolveStep(evolve, grid, ("generic",) * copies, regions=regions, **more)


async def steps(bench, copies):
    """Weights into every step of the rack, then frames through all of them at once."""
    bench.dut.rst.value = 1
    streams = []
    for name, count in copies.items():
        evolve, grid = EVOLUTIONS[name]
        port = name.translate(str.maketrans(" ,-", "___"))
        weights = weights_of(evolve, grid, bench.rng)
        await configure(bench, f"{port}__config", evolve, grid, count, weights)
        fields = draw.integers(bench.rng, grid.q, (FRAMES, *grid.shape))
        streams.append((name, port, grid, fields, evolved(evolve, grid, weights, fields)))
    bench.dut.rst.value = 0
    for name, port, grid, fields, wanted in streams:
        lanes = Lanes(grid.q.width, grid.channels)
        bench.feed(f"{port}__cells_in", lanes.words(fields.ravel()))
        bench.sink(f"{port}__values", lanes, Expectation(name, wanted))
    await bench.settle(patience=4000)


def rack(copies, **more):
    return Rack({name.translate(str.maketrans(" ,-", "___")): step(name, count, **more) for name, count in copies.items()})


@pytest.mark.parametrize("count", [1, 2, 3])
def test_evolutions_in_the_field_memory_are_goldens(count):
    copies = dict.fromkeys(EVOLUTIONS, count)
    cases = [Case(1, "all-out"), Case(2), Case(3, "bursts"), Case(4, "slow")]
    simulate(rack(copies), steps, cases=cases, copies=copies)
