"""Simulation programs on the virtual board, pin by pin: write the field, run it, read it, as golden has it."""

from __future__ import annotations

import numpy as np
import pytest

from npde import golden
from npde.errors import LinkError
from npde.link.board import Board
from npde.model import Model
from npde.program import Grid, Program, Q
from npde_hdl.evolve.cascade import Cascade
from npde_hdl.evolve.resident import Resident
from npde_sim.bench import draw
from npde_sim.bench.evolution import NEIGHBOURS, gray_scott, leapfrog, linear, regions_of, weights_of
from npde_sim.bench.scoreboard import compare
from npde_sim.virtual import VirtualBoard

PROGRAMS = {
    "gray-scott": Program(name="gray-scott", input=Grid(32, 32, 2, Q(16, 14)), steps=(gray_scott(times=7),)),
    "leapfrog": Program(name="leapfrog", input=Grid(8, 10, 2, Q(16, 13)), steps=(leapfrog(times=5),)),
    "dirichlet": Program(name="dirichlet", input=Grid(6, 9, 1, Q(10, 7)), steps=(linear(NEIGHBOURS, boundary="dirichlet"),)),
    "line": Program(name="line", input=Grid(1, 30, 1, Q(18, 15)), steps=(linear(((0, -1), (0, 0), (0, 1)), (1, -2, 1), shift=3),)),
}


def model_of(program):
    _, evolve, grid = next(program.evolutions())
    return Model(program, {0: weights_of(evolve, grid, np.random.default_rng(5))})


def after(model, field, times):
    """Golden's field ``times`` time steps later."""
    index, evolve, grid = next(model.program.evolutions())
    for _ in range(times):
        field = next(golden.evolution.advance(evolve, grid, model.weights[index], field))
    return field


@pytest.fixture(scope="module", params=PROGRAMS)
def running(request):
    model = model_of(PROGRAMS[request.param])
    with VirtualBoard(model.program, "ulx3s-25f") as virtual, Board.open(virtual.port, baud=virtual.plan.baud) as board:
        board.load(model)
        yield model, board, virtual.plan


def test_a_field_that_stays_on_the_board_is_goldens_after_any_number_of_steps(running):
    model, board, _ = running
    field = draw.fields(model.program, np.random.default_rng(6), 1)
    board.write_field(field[0])
    compare("field written", field[0], board.read_field(), ("y", "x", "channel"))
    for times in (1, 0, 2, 3, 13):
        board.step(times)
        field = after(model, field, times)
        compare(f"field after {times} more steps", field[0], board.read_field(), ("y", "x", "channel"))
    compare("field read again", field[0], board.read_field(), ("y", "x", "channel"))


def test_a_pass_more_takes_as_many_cycles_as_the_plan_counts_for_it(running):
    model, board, plan = running
    (step,) = plan.evolved
    grid = model.program.input
    board.write_field(draw.fields(model.program, np.random.default_rng(8), 1)[0])
    one, three = board.step(step.copies), board.step(3 * step.copies)
    evolve = model.program.steps[0]
    cascade = Cascade(evolve, grid, step.kinds, regions_of(evolve, grid, step.copies), plan.bus_width)
    assert three - one == 2 * Resident(cascade).frames_a_pass * grid.height * grid.width


def test_infer_loads_runs_and_emits(running):
    model, board, _ = running
    fields = draw.fields(model.program, np.random.default_rng(7), 2)
    answer = board.infer(model.program.input.q.real(fields))
    compare("answer", golden.run(model, fields).output, answer.output)


def test_what_is_no_field_is_refused_in_a_sentence(running):
    model, board, _ = running
    shape, q = model.program.input.shape, model.program.input.q
    for wrong in (np.zeros(shape), np.zeros((*shape, 1), int), np.full(shape, q.high + 1)):
        with pytest.raises(LinkError):
            board.write_field(wrong)
    with pytest.raises(LinkError, match="0 time steps or more"):
        board.step(-1)
