"""Copies of a time step on a board: as many as fit, exactly counted multipliers and memories, what a frame takes."""

from __future__ import annotations

import pytest

from npde.errors import FitError
from npde.program import Grid, Program, Q
from npde_hdl import board
from npde_hdl.evolve.arithmetic import multipliers_of
from npde_hdl.plan import plan_for
from npde_sim.bench.evolution import NEIGHBOURS, gray_scott, leapfrog, linear


def program(evolve, grid):
    return Program(name="planned", input=grid, steps=(evolve,))


@pytest.mark.parametrize(("name", "copies"), [("ulx3s-25f", 3), ("ulx3s-85f", 19)])
def test_gray_scott_takes_every_multiplier_block_there_is_for_a_copy(name, copies):
    evolve = gray_scott(times=2000)
    plan = plan_for(program(evolve, Grid(64, 64, 2, Q(16, 14))), board.get(name))
    (step,) = plan.steps
    assert multipliers_of(evolve) == 8
    assert step.copies == copies == board.get(name).budget.dsps // 8
    assert plan.cost.dsps == 8 * copies
    passes = -(-2000 // copies)
    assert passes * 4096 < step.initiation_interval < (passes + 2) * 4096
    assert copies * 0.97 < step.cells_a_cycle < copies
    assert plan.resident
    assert plan.sample_bytes == 5 + 64 * 64 * 2 * 2


def test_more_copies_than_time_steps_are_not_built():
    plan = plan_for(program(linear(NEIGHBOURS, times=3), Grid(16, 16, 1, Q(10, 7))), board.get("ulx3s-85f"))
    assert plan.steps[0].copies <= 3


def test_a_copy_that_saves_no_pass_is_not_built():
    plan = plan_for(program(linear(NEIGHBOURS, times=9), Grid(16, 16, 1, Q(10, 7))), board.get("ulx3s-85f"))
    assert plan.steps[0].copies in (3, 5, 9)


def test_a_grid_wider_than_any_memory_streams_where_nothing_wraps():
    grid = Grid(4096, 1024, 1, Q(10, 7))
    plan = plan_for(program(linear(NEIGHBOURS, boundary="dirichlet", times=2), grid), board.get("ulx3s-25f"))
    assert plan.steps[0].streams
    assert not plan.resident
    assert plan.steps[0].initiation_interval == 4096 * 1024
    assert plan.initiation_interval == 2 * 4096 * 1024, "a cell comes in as two bytes"
    with pytest.raises(FitError, match="block RAMs"):
        plan_for(program(linear(NEIGHBOURS, boundary="periodic", times=2), grid), board.get("ulx3s-25f"))


def test_a_grid_too_wide_is_refused_with_the_widest_that_fits():
    with pytest.raises(FitError, match=r"; a grid of 64×(\d+) cells would fit ulx3s-25f$") as caught:
        plan_for(program(gray_scott(times=10), Grid(64, 4096, 2, Q(16, 14))), board.get("ulx3s-25f"))
    widest = int(str(caught.value).rpartition("×")[2].split()[0])
    assert 64 < widest < 4096
    plan_for(program(gray_scott(times=10), Grid(64, widest, 2, Q(16, 14))), board.get("ulx3s-25f"))
    with pytest.raises(FitError):
        plan_for(program(gray_scott(times=10), Grid(64, widest + 1, 2, Q(16, 14))), board.get("ulx3s-25f"))


def test_planes_lie_in_as_many_memories_as_copies():
    evolve = leapfrog(times=4, planes=True)
    plan = plan_for(program(evolve, Grid(16, 16, 2, Q(16, 13))), board.get("ulx3s-25f"))
    (step,) = plan.steps
    assert [region.copy for region in plan.regions] == list(range(step.copies + 1))
    assert all(region.depth == -(-4 // step.copies) * 256 for region in plan.regions[1:])
