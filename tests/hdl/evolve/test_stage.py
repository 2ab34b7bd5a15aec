"""One stage alone, and a frame it is told to pass through unchanged, held up at random."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npde_hdl.evolve.note import Note
from npde_hdl.evolve.stage import Stage
from npde_hdl.evolve.streamed import Streamed
from npde_sim.bench import Case, Expectation, Rack, draw, simulate
from npde_sim.bench.evolution import EVOLUTIONS, evolved, weights_of
from npde_sim.bench.lanes import Lanes

NAMES = ("gray-scott, dirichlet", "moore, neumann", "late", "line, far, dirichlet")


class Told(wiring.Component):
    """A stage whose coefficients are the form of a port, and which has work left only if ``working``."""

    def __init__(self, name, working):
        evolve, grid = EVOLUTIONS[name]
        self.stage, self.working = Stage(evolve, evolve.body[0], grid, 1), working
        self.delay = self.stage.delay
        bits = grid.channels * grid.q.width
        super().__init__(
            {"ce": In(1), "cell": In(bits), "first": In(1), "note": In(Note(1)), "o": Out(bits), "o_first": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.stage = stage = self.stage
        weights = known(stage)
        m.d.comb += [
            stage.ce.eq(self.ce), stage.cell.eq(self.cell), stage.first.eq(self.first), stage.note.left.eq(self.working),
            self.o.eq(stage.o), self.o_first.eq(stage.o_first),
        ]  # fmt: skip
        m.d.comb += [stage.coefficients[i].eq(int(value)) for i, value in enumerate(weights.kernel.ravel())]
        m.d.comb += [stage.biases[i].eq(int(value)) for i, value in enumerate(weights.bias)]
        return m


def known(stage):
    """The same random weights wherever they are asked for."""
    return weights_of(stage.evolve, stage.grid, np.random.default_rng(3))


def port(name):
    return name.translate(str.maketrans(" ,-", "___"))


async def stages(bench, working):
    for name in NAMES:
        evolve, grid = EVOLUTIONS[name]
        weights = known(Stage(evolve, evolve.body[0], grid, 1))
        fields = draw.integers(bench.rng, grid.q, (3, *grid.shape))
        wanted = evolved(msgspec.structs.replace(evolve, times=1), grid, weights, fields) if working else fields
        lanes = Lanes(grid.q.width, grid.channels)
        bench.feed(f"{port(name)}__i", lanes.words(fields.ravel()))
        bench.sink(f"{port(name)}__o", lanes, Expectation(name, wanted))
    await bench.settle(patience=2000)


@pytest.mark.parametrize("working", [1, 0])
def test_a_stage_updates_a_frame_or_passes_it_on(working):
    rack = Rack({port(name): Streamed(Told(name, working), EVOLUTIONS[name][1].height * EVOLUTIONS[name][1].width) for name in NAMES})
    simulate(rack, stages, cases=[Case(1, "all-out"), Case(2), Case(3, "bursts"), Case(4, "slow")], working=working)
