"""One whole time step alone: every boundary, reach, stride, folding and φ against golden, every stream held up."""

from __future__ import annotations

import numpy as np
import pytest

from npde import golden
from npde.link.packing import Fold, Packing
from npde.model import Weights
from npde.program import CENTRE, CROSS, MOORE, Clip, Grid, Identity, Q, Relu, Stencil, Table
from npde_hdl.stencil.reach import Reach
from npde_hdl.stencil.step import StencilStep, reaction_lanes
from npde_sim.bench import Case, Expectation, Rack, draw, simulate
from npde_sim.bench.cells import ecp5_mult18x18d
from npde_sim.bench.lanes import Lanes

F = Q(8, 6)
FAR = tuple((dy, dx) for dy in range(-2, 3) for dx in range(-2, 3))
ENTRIES = tuple(int(v) for v in Q(8, 7).quantise(np.tanh(Q(6, 3).real(np.arange(-32, 32)))))


def stencil(channels, taps, **more):
    settings = {"weight": Q(8, 6), "bias": Q(16, 12), "out": Q(8, 5), "phi": Identity(), **more}
    return Stencil(out_channels=channels, taps=taps, **settings)


STEPS = {
    "neumann": (stencil(4, MOORE, skip=True, out=F, phi=Clip(-127, 127)), Grid(5, 4, 4, F), Fold(2, 4)),
    "dirichlet": (stencil(3, CROSS, boundary="dirichlet", phi=Relu()), Grid(4, 5, 2, F), Fold(3, 1)),
    "periodic": (stencil(2, MOORE, boundary="periodic", weight=Q(5, 3), bias=Q(16, 8)), Grid(4, 3, 2, F), Fold(1, 2)),
    "far_reach": (stencil(1, FAR, phi=Table(Q(6, 3), ENTRIES)), Grid(5, 6, 1, F), Fold(1, 1)),
    "strided": (stencil(2, MOORE, stride=2), Grid(5, 7, 4, F), Fold(2, 2)),
    "leaping": (stencil(2, CROSS, stride=3, boundary="dirichlet"), Grid(6, 6, 4, F), Fold(2, 2)),
    "line": (stencil(4, ((0, -2), (0, 1)), boundary="periodic", skip=True), Grid(1, 9, 4, F), Fold(4, 1)),
    "cell": (stencil(6, (CENTRE,), weight=Q(16, 9), bias=Q(20, 10)), Grid(1, 1, 6, Q(16, 8)), Fold(3, 6)),
    "narrow_weights": (stencil(2, MOORE, weight=Q(2, 1), bias=Q(12, 2), out=Q(4, 1)), Grid(3, 5, 3, Q(4, 2)), Fold(2, 1)),
}


STEPS["paired_weights"] = (stencil(4, CROSS, weight=Q(4, 2), bias=Q(16, 8), out=F), Grid(4, 3, 4, F), Fold(4, 2))
MULTIPLIERS = {"paired_weights": "ecp5_mult18_pairs", "neumann": "ecp5_mult18"}
"""Of steps that are not tried with products in logic."""


def component(name, region, bus, room):
    """A step whose line buffer is as small as it may be, or as large as the planner makes it."""
    step, grid, fold = STEPS[name]
    step.grid_after(grid, "step")
    packing = Packing(step, grid, fold)
    reach = Reach(grid, packing.beat_taps, step.boundary, step.stride)
    cells = reach.least_cells if room == "least" else reach.smooth_cells
    return StencilStep(packing, region=region, cells=cells, bus_width=bus, multiplier=MULTIPLIERS.get(name, "generic"))


async def steps(bench, names):
    """Weights into every step of the rack, then random frames through all of them at once."""
    bench.dut.rst.value = 1
    streams = []
    for name in names:
        step, grid, fold = STEPS[name]
        packing = Packing(step, grid, fold)
        shape = (step.out_channels, grid.channels, len(step.taps))
        weights = Weights(draw.integers(bench.rng, step.weight, shape), draw.integers(bench.rng, step.bias, shape[:1]))
        await configure(bench, name, packing, packing.pack(weights))
        fields = draw.integers(bench.rng, grid.q, (4, *grid.shape))
        wanted = golden.react(step, grid, golden.accumulate(step, grid, weights, fields))
        streams.append((name, Lanes(grid.q.width, fold.simd), fields, Lanes(step.out.width, reaction_lanes(packing)), wanted))
    bench.dut.rst.value = 0
    for name, lanes_in, fields, lanes_out, wanted in streams:
        bench.feed(f"{name}__cells_in", lanes_in.words(fields.ravel()))
        bench.sink(f"{name}__values", lanes_out, Expectation(name, wanted))
    await bench.settle(patience=6000)


async def configure(bench, name, packing, packed):
    """Write the memory over its bus."""
    signals = {member: getattr(bench.dut, f"{name}__config__{member}") for member in ("select", "region", "address", "write", "write_data")}
    size = -(-packing.width // 8)
    signals["select"].value = signals["write"].value = 1
    signals["region"].value = list(STEPS).index(name)
    for address in range(packing.depth):
        signals["address"].value = address
        signals["write_data"].value = int.from_bytes(packed[address * size : (address + 1) * size], "little")
        await bench.cycle()
    signals["select"].value = signals["write"].value = 0


@pytest.mark.parametrize("room", ["least", "smooth"])
def test_every_step_gives_golden_values_whoever_stalls(room):
    bus = 8 * max(-(-Packing(*STEPS[name]).width // 8) for name in STEPS)
    rack = Rack({name: component(name, region, bus, room) for region, name in enumerate(STEPS)})
    cases = [Case(1, "all-out"), Case(2), Case(3, "bursts"), Case(4, "slow")]
    simulate(rack, steps, cases=cases, sources=[ecp5_mult18x18d()], names=list(STEPS))


async def leap(bench, name):
    """Cells that trickle in."""
    await steps(bench, [name])


def test_a_coarsening_step_survives_leaping_over_cells_that_have_not_arrived():
    """The room in the buffer then exceeds what the buffer holds; hypothesis found it counted in too few bits."""
    step, grid, fold = STEPS["leaping"]
    packing = Packing(step, grid, fold)
    bus = 8 * -(-packing.width // 8)
    dut = StencilStep(packing, region=list(STEPS).index("leaping"), cells=31, bus_width=bus)
    simulate(Rack({"leaping": dut}), leap, cases=[Case(seed, "slow") for seed in range(4)], name="leaping")
