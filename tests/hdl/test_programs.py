"""Programs that nobody wrote: hypothesis draws them, with a legal folding at random, and golden judges every step."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from npde.errors import ProgramError
from npde.program import CROSS, MOORE, Clip, Dense, Grid, Identity, Pool, Program, Q, Recurrent, Relu, Stencil, Table
from npde_sim.bench import Case, draw, simulate
from npde_sim.bench.pipeline import Held, pipeline

WIDE = tuple((dy, dx) for dy in range(-2, 3) for dx in range(-2, 3))
FRAMES = 3

# Each example compiles a simulator: no time for shrinking, and the message names the step anyway.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
RARE = dict(deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))


def formats(least, most):
    """A width, with the binary point anywhere in it."""
    return st.integers(least, most).flatmap(lambda width: st.builds(Q, st.just(width), st.integers(0, width)))


@st.composite
def grids(draw):
    flat = draw(st.integers(0, 3)) == 3
    height = 1 if flat else draw(st.integers(2, 7))
    return Grid(height, draw(st.integers(2, 12 if flat else 7)), draw(st.sampled_from([1, 2, 3, 4, 6])), draw(formats(4, 16)))


@st.composite
def taps(draw, grid):
    """A usual neighbourhood or any part of 5×5, as far as the grid goes."""
    pattern = draw(st.sampled_from([CROSS, MOORE, WIDE, None]))
    if pattern is None:
        pattern = draw(st.lists(st.sampled_from(WIDE), min_size=1, max_size=6, unique=True))
    fitting = tuple((dy, dx) for dy, dx in pattern if abs(dy) < grid.height and abs(dx) < grid.width)
    return fitting or ((0, 0),)


@st.composite
def reactions(draw, out, finest):
    """Any φ; a table is not finer than the accumulator."""
    kind = draw(st.sampled_from(["identity", "relu", "clip", "symmetric clip", "table"]))
    if kind == "clip":
        low = draw(st.integers(out.low, out.high - 1))
        return Clip(low, draw(st.integers(low + 1, out.high)))
    if kind == "table":
        width = draw(st.integers(2, 6))
        entries = draw(st.lists(st.integers(out.low, out.high), min_size=1 << width, max_size=1 << width))
        return Table(Q(width, finest - draw(st.integers(0, 16))), tuple(entries))
    return {"identity": Identity(), "relu": Relu(), "symmetric clip": Clip(-out.high, out.high)}[kind]


@st.composite
def weighting(draw, grid, out=None):
    """The formats of a weighted step; its rescale leaves something to see between zero and saturation."""
    weight = draw(formats(2, 16))
    finest = weight.frac + grid.q.frac
    bias = Q(draw(st.integers(2, 20)), finest - draw(st.integers(0, 8)))
    if out is None:
        out = Q(draw(st.integers(4, 16)), finest - draw(st.integers(0, weight.width + 4)))
    return {"weight": weight, "bias": bias, "out": out, "phi": draw(reactions(out, finest))}


@st.composite
def stencils(draw, grid):
    keeps = draw(st.booleans())
    repeats = keeps and draw(st.booleans())
    return Stencil(
        out_channels=grid.channels if keeps else draw(st.sampled_from([1, 2, 3, 4, 6, 8])),
        taps=draw(taps(grid)),
        boundary=draw(st.sampled_from(["periodic", "dirichlet", "neumann"])),
        stride=1 if keeps else draw(st.integers(1, min(3, max(grid.height, grid.width)))),
        skip=keeps and draw(st.booleans()),
        repeat=draw(st.integers(2, 3)) if repeats else 1,
        **draw(weighting(grid, grid.q if repeats else None)),
    )


@st.composite
def pools(draw, grid):
    kind, size = draw(st.sampled_from(["sum", "max"])), draw(st.integers(1, min(3, max(grid.height, grid.width))))
    return Pool(kind=kind, size=size, out=Q(draw(st.integers(4, 16)), grid.q.frac - draw(st.integers(0, 4))))


@st.composite
def programs(draw):
    start = draw(grids())
    grid, steps = start, []
    for _ in range(draw(st.integers(1, 3))):
        step = draw(pools(grid) if draw(st.integers(0, 3)) == 3 else stencils(grid))
        grid = step.grid_after(grid, "step")
        steps.append(step)
    if draw(st.integers(0, 3)) == 3:
        recurrent = Recurrent(out_channels=draw(st.sampled_from([1, 2, 4, 6, 8])), **draw(weighting(grid, grid.q)))
        grid = recurrent.grid_after(grid, "recurrent")
        steps.append(recurrent)
    if draw(st.booleans()) or not any(isinstance(step, Stencil | Recurrent) for step in steps):
        dense = Dense(out_channels=draw(st.sampled_from([1, 2, 3, 4, 5, 10])), **draw(weighting(Dense.flatten(grid))))
        grid = dense.grid_after(grid, "dense")
        steps.append(dense)
    argmax = (grid.height, grid.width) == (1, 1) and draw(st.booleans())
    return Program(name="drawn", input=start, steps=tuple(steps), argmax=argmax)


def agrees(program, number):
    """The pipeline of a random folding gives golden's integers after every step."""
    rng, dice = np.random.default_rng(number), random.Random(number)
    model, plan = draw.model(program, rng), draw.plan(program, dice)
    note(str([(step.packing.fold, step.cells) for step in plan.weighted]))
    cases = [Case(number, pace) for pace in ("all-out", dice.choice(["random", "bursts", "slow"]))]
    simulate(Held(plan), pipeline, cases=cases, plan=plan, model=model, frames=draw.fields(program, rng, FRAMES))


@st.composite
def legal_programs(draw):
    """Formats are drawn one by one; the few programs whose formats do not fit together are drawn again."""
    while True:
        try:
            return draw(programs())
        except ProgramError:
            continue


@settings(max_examples=8, derandomize=True, **RARE)
@given(legal_programs(), st.integers(0, 2**20))
def test_a_program_nobody_wrote_agrees_with_golden(program, number):
    agrees(program, number)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(25))
def test_hundreds_of_programs_nobody_wrote_agree_with_golden(batch):
    search = given(legal_programs(), st.integers(0, 2**20))(agrees)
    settings(max_examples=16, database=None, **RARE)(seed(batch)(search))()
