"""Whole pipelines against the golden model, step by step, every stream held up at random; and what the plan promises."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from npde.data import load_data
from npde.link.protocol import answer_bytes
from npde.models import load_model
from npde.program import CENTRE, CROSS, MOORE, Clip, Dense, Grid, Identity, Pool, Program, Q, Relu, Stencil, Table
from npde_hdl import board
from npde_hdl.plan import plan_for
from npde_sim.bench import Case, draw, simulate
from npde_sim.bench.pipeline import Held, pipeline

F = Q(8, 7)


def stencil(channels=4, taps=MOORE, **more):
    settings = {"weight": Q(8, 6), "bias": Q(16, 12), "out": F, "phi": Clip(-127, 127), **more}
    return Stencil(out_channels=channels, taps=taps, **settings)


def table(index: Q) -> Table:
    entries = Q(8, 7).quantise(np.tanh(index.real(np.arange(index.low, index.high + 1))))
    return Table(index, tuple(int(entry) for entry in entries))


PROGRAMS = {
    "residual net": Program(
        name="residual net", input=Grid(6, 6, 1, F), argmax=True,
        steps=(stencil(), stencil(skip=True), stencil(8, stride=2), Pool(kind="sum", size=3, out=Q(8, 4)),
               Dense(out_channels=3, weight=Q(8, 6), bias=Q(16, 8), out=Q(16, 8))),
    ),
    "periodic, cross, relu": Program(
        name="cross", input=Grid(5, 4, 2, F), steps=(stencil(2, CROSS, boundary="periodic", phi=Relu(), repeat=2, skip=True),),
    ),
    "dirichlet, table": Program(
        name="table", input=Grid(4, 5, 1, F), steps=(stencil(2, boundary="dirichlet", phi=table(Q(6, 3))),),
    ),
    "one-dimensional, 4-bit weights": Program(
        name="line", input=Grid(1, 9, 1, F),
        steps=(stencil(2, ((0, -1), (0, 0), (0, 2)), weight=Q(4, 3), bias=Q(12, 8)), Pool(kind="max", size=2, out=F)),
    ),
    "wide fields": Program(
        name="wide", input=Grid(1, 1, 4, Q(12, 8)),
        steps=(stencil(6, (CENTRE,), out=Q(12, 8), phi=Identity(), bias=Q(16, 10)), Dense(out_channels=2, weight=Q(6, 4), bias=Q(12, 6), out=Q(16, 8))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_planners_pipeline_gives_golden_integers_after_every_step(name):
    program, rng = PROGRAMS[name], np.random.default_rng(len(name))
    model, plan = draw.model(program, rng), plan_for(program, board.get("icebreaker"))
    cases = [Case(1, "all-out"), Case(2), Case(3, "bursts"), Case(4, "slow")]
    simulate(Held(plan), pipeline, cases=cases, plan=plan, model=model, frames=draw.fields(program, rng, 3))


@pytest.fixture(scope="module")
def digits():
    """The shipped digits model on the iCEBreaker, twelve test images at full speed."""
    model = load_model("digits")
    plan = plan_for(model.program, board.get("icebreaker"))
    frames = model.quantise_input(load_data("digits").test_x[:12])
    (timing,) = simulate(Held(plan), pipeline, cases=[Case(1, "all-out")], plan=plan, model=model, frames=frames)
    return model, plan, timing


def last_bytes(plan, timing):
    """The cycle of each frame's last answer byte."""
    size = answer_bytes(plan.program.output, plan.program.argmax)
    return timing.answered[size - 1 :: size]


def test_frames_follow_each_other_without_a_bubble(digits):
    _, plan, timing = digits
    intervals = [after - before for before, after in pairwise(last_bytes(plan, timing))]
    assert len(intervals) == 11
    assert intervals == [plan.initiation_interval] * 11, f"the plan says {plan.initiation_interval} cycles, measured {intervals}"


def test_the_pipeline_starts_long_before_the_last_pixel(digits):
    """As soon as the first window has come: one row and two cells of a 3×3 step's neighbourhood."""
    model, plan, timing = digits
    grid = model.program.input
    window = timing.sent[grid.width + 1]
    last_pixel = timing.sent[plan.sample_bytes - 1]
    assert window < timing.first_step[0] < last_pixel
    one_cell = plan.weighted[0].packing.depth
    assert timing.first_step[0] <= window + one_cell + 16, "the first values leave when the first cell's sums are complete"


def test_the_utilisation_measured_is_the_plans(digits):
    """Multiply-accumulates counted from the shapes, cycles from the simulation."""
    model, plan, timing = digits
    ends = last_bytes(plan, timing)
    cycles = (ends[-1] - ends[0]) / (len(ends) - 1)
    products = 0
    for index, step, grid in model.program.weighted():
        rows, cols = -(-grid.height // step.stride), -(-grid.width // step.stride)
        products += rows * cols * model.weights[index].kernel.size * step.repeat
    measured = products / (cycles * plan.multipliers)
    assert measured == pytest.approx(plan.utilisation, rel=0.01)
