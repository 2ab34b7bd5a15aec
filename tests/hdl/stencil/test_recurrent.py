"""The recurrent step: golden's state after the last row whoever stalls, and exactly the cycles its plan promises."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from npde.link.packing import Fold, Packing
from npde.link.protocol import answer_bytes
from npde.program import Clip, Dense, Grid, Identity, Program, Q, Recurrent, Relu, Table
from npde_hdl import board
from npde_hdl.board.family import Cost
from npde_hdl.plan import Plan, plan_for
from npde_hdl.plan.plan import FedBackStep
from npde_hdl.stencil.recurrent import CELLS, RecurrentStep
from npde_sim.bench import Case, draw, simulate
from npde_sim.bench.pipeline import Held, pipeline

F = Q(8, 7)
TANH = Table(Q(6, 3), tuple(int(v) for v in F.quantise(np.tanh(Q(6, 3).real(np.arange(-32, 32))))))

LAYERS = {
    "many lanes in": (8, Fold(2, 8), Grid(4, 4, 4, F), Clip(-127, 127), "generic"),
    "many lanes out": (12, Fold(6, 1), Grid(3, 3, 1, F), TANH, "ecp5_mult18"),
    "as many": (16, Fold(4, 4), Grid(5, 4, 2, F), Relu(), "ecp5_mult18"),
    "one row": (6, Fold(2, 2), Grid(1, 2, 2, F), Clip(-100, 90), "generic"),
    "wide state": (6, Fold(3, 2), Grid(6, 4, 1, Q(12, 9)), Identity(), "generic"),
}


def planned(hidden, fold, grid, phi, multiplier):
    """A program of one recurrent step, and a plan with this folding."""
    step = Recurrent(out_channels=hidden, weight=Q(7, 5), bias=Q(12, 9), out=grid.q, phi=phi)
    program = Program(name="r", input=grid, steps=(step,))
    packing = Packing(step.as_stencil(), step.cell(grid), fold)
    row = FedBackStep(0, 0, packing, CELLS, multiplier, "generic", Cost(), grid.height)
    return Plan(program, "icebreaker", 24_000_000, 3_000_000, (row,), Cost())


@pytest.mark.parametrize("name", LAYERS)
def test_the_last_state_is_goldens_and_comes_when_the_plan_says(name):
    plan, rng = planned(*LAYERS[name]), np.random.default_rng(5)
    cases = [Case(1, "all-out"), Case(2), Case(3, "bursts"), Case(4, "slow")]
    frames = draw.fields(plan.program, rng, 4)
    timing, *_ = simulate(
        Held(plan), pipeline, cases=cases, plan=plan, model=draw.model(plan.program, rng), frames=frames
    )
    size = answer_bytes(plan.program.output, plan.program.argmax)
    ends = timing.answered[size - 1 :: size]
    assert [after - before for before, after in pairwise(ends)] == [plan.initiation_interval] * 3


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-25f"])
def test_the_planner_builds_a_network_with_one(name):
    """Its lanes divide source and state, and the layers around it agree with golden too."""
    steps = (
        Recurrent(out_channels=12, weight=Q(8, 6), bias=Q(12, 9), out=F, phi=Clip(-127, 127)),
        Dense(out_channels=3, weight=Q(8, 6), bias=Q(12, 9), out=Q(12, 8)),
    )
    program = Program(name="r", input=Grid(5, 4, 2, F), steps=steps, argmax=True)
    plan, rng = plan_for(program, board.get(name)), np.random.default_rng(3)
    first = plan.steps[0]
    assert isinstance(first, FedBackStep)
    assert first.macs == program.steps[0].macs(program.input)
    assert 8 % first.lanes_in == 12 % first.lanes_in == 0
    simulate(
        Held(plan), pipeline, cases=[Case(1, "all-out"), Case(2)], plan=plan, model=draw.model(program, rng),
        frames=draw.fields(program, rng, 3),
    )  # fmt: skip


def test_a_drawn_plan_takes_only_lanes_that_divide_source_and_state():
    step = Recurrent(out_channels=6, weight=Q(7, 5), bias=Q(12, 9), out=F)
    program = Program(name="r", input=Grid(3, 4, 1, F), steps=(step,))
    lanes = {draw.plan(program, random.Random(number)).steps[0].lanes_in for number in range(40)}
    assert lanes == {1, 2}


def test_lanes_that_mix_source_and_state_are_refused():
    step, grid = Recurrent(out_channels=6, weight=Q(7, 5), bias=Q(12, 9), out=F), Grid(3, 4, 1, F)
    with pytest.raises(ValueError, match="5 input lanes do not divide 4 sources and 6 states"):
        RecurrentStep(Packing(step.as_stencil(), step.cell(grid), Fold(1, 5)), 3)
