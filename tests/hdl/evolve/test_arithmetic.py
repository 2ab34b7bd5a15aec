"""The arithmetic alone, on updates that hypothesis draws, with the extremes of every format."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from npde.errors import ProgramError
from npde.program import CENTRE, Evolve, Form, Grid, Product, Q, Term, Update
from npde_hdl.evolve.step import EvolveStep
from npde_sim.bench import Case, Expectation, Rack, draw, simulate
from npde_sim.bench.evolution import configure, evolved, regions_of, weights_of
from npde_sim.bench.lanes import Lanes

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
RARE = dict(deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
PATTERNS = (((0, 0),), ((0, 1), (0, -1)), ((1, 0), (-1, 0), (0, 0)), ((-1, -1), (0, 1), (1, 1), (0, 0), (1, 0)), ((2, 0), (0, -2)))


@st.composite
def updates(draw, grid, maps, coefficients, boundary, taps):
    forms = []
    for _ in range(draw(st.integers(1, 3))):
        pattern = tuple((dy, dx) for dy, dx in draw(st.sampled_from(taps)) if abs(dy) < grid.height and abs(dx) < grid.width)
        pattern = pattern or (CENTRE,)
        weights = tuple(draw(st.sampled_from([1, -1, 1, -2, 3, 20, -20, 127, -127])) for _ in pattern)
        forms.append(Form(channel=draw(st.integers(0, grid.channels + maps - 1)), taps=pattern, weights=weights, shift=draw(st.integers(0, 12))))
    products = tuple(
        Product(left=draw(st.integers(0, len(forms) + n - 1)), right=draw(st.integers(0, len(forms) + n - 1)),
                out=Q(draw(st.integers(2, 18)), draw(st.integers(-6, 10))))
        for n in range(draw(st.integers(0, 3)))
    )  # fmt: skip
    values = len(forms) + len(products)
    terms = [Term(channel=draw(st.integers(0, grid.channels - 1)), coefficient=c, value=draw(st.integers(0, values - 1))) for c in coefficients]
    terms += [Term(channel=terms[0].channel, coefficient=coefficients[0], value=draw(st.integers(0, values - 1)))]
    changed = sorted({term.channel for term in terms})
    return Update(forms=tuple(forms), products=products, terms=tuple(terms), boundary=boundary or draw(st.sampled_from(["periodic", "dirichlet", "neumann"])),
                  biased=tuple(draw(st.lists(st.sampled_from(changed), unique=True))), skip=draw(st.booleans()))  # fmt: skip


@st.composite
def evolutions(draw, taps=PATTERNS, cell=False):
    """An evolution and its grid; ``cell``: without neighbours, one update and one time step."""
    height, width = (1, draw(st.integers(2, 7))) if draw(st.integers(0, 3)) == 3 else (draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    grid = Grid(height, width, draw(st.integers(1, 3)), Q(draw(st.sampled_from([2, 5, 8, 12, 16, 18])), draw(st.integers(-2, 14))))
    maps = 0 if cell else draw(st.integers(0, 2))
    body = []
    count = draw(st.integers(1, 3))
    for number in range(1 if cell else draw(st.integers(1, 2))):
        body.append(draw(updates(grid, maps, range(number * count, (number + 1) * count), None, taps)))
    evolve = Evolve(body=tuple(body), times=1 if cell else draw(st.integers(1, 5)), coefficients=count * len(body),
                    weight=Q(draw(st.integers(2, 18)), draw(st.integers(0, 12))), bias=Q(draw(st.integers(2, 32)), draw(st.integers(-2, 12))),
                    maps=maps, map=Q(draw(st.integers(2, 10)), draw(st.integers(0, 8))), planes=bool(maps) and draw(st.booleans()))  # fmt: skip
    try:
        evolve.grid_after(grid, "drawn")
    except ProgramError:
        assume(False)
    return evolve, grid


async def several(bench, drawn, copies, frames):
    """All of ``drawn`` side by side."""
    bench.dut.rst.value = 1
    streams = []
    for number, (evolve, grid) in enumerate(drawn):
        weights = weights_of(evolve, grid, bench.rng)
        await configure(bench, f"e{number}__config", evolve, grid, copies, weights)
        fields = draw.integers(bench.rng, grid.q, (frames, *grid.shape))
        streams.append((grid, fields, evolved(evolve, grid, weights, fields)))
    bench.dut.rst.value = 0
    for number, (grid, fields, wanted) in enumerate(streams):
        lanes = Lanes(grid.q.width, grid.channels)
        bench.feed(f"e{number}__cells_in", lanes.words(fields.ravel()))
        bench.sink(f"e{number}__values", lanes, Expectation(f"{drawn[number][0]} on {grid}", wanted))
    await bench.settle(patience=4000)


def agree(drawn, copies, number, frames=3):
    """Every one of ``drawn`` gives golden's integers."""
    steps = {
        f"e{place}": EvolveStep(evolve, grid, ("generic",) * copies, regions=regions_of(evolve, grid, copies))
        for place, (evolve, grid) in enumerate(drawn)
    }
    simulate(Rack(steps), several, cases=[Case(number, "all-out"), Case(number + 1)], drawn=drawn, copies=copies, frames=frames)


MANY = dict(min_size=6, max_size=6)


@seed(1)
@settings(max_examples=1, **RARE)
@given(st.lists(evolutions(taps=(((0, 0),),), cell=True), **MANY))
def test_drawn_arithmetic_is_goldens(drawn):
    agree(drawn, 1, 1, frames=12)


@seed(2)
@settings(max_examples=2, **RARE)
@given(st.lists(evolutions(), **MANY), st.integers(1, 3), st.integers(0, 1 << 16))
def test_drawn_evolutions_are_goldens(drawn, copies, number):
    agree(drawn, copies, number)


@pytest.mark.slow
@settings(max_examples=20, **RARE)
@given(st.lists(evolutions(), **MANY), st.integers(1, 4), st.integers(0, 1 << 16))
def test_many_drawn_evolutions_are_goldens(drawn, copies, number):
    agree(drawn, copies, number)
