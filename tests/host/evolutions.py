"""Random evolutions that fit their grid, and the integers to fill them, for hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from npde.fixed import Q
from npde.model import Model, Weights
from npde.program import Evolve, Form, Grid, Product, Program, Term, Update


@st.composite
def updates(draw, grid: Grid, maps: int, map_q: Q, coefficients: int) -> Update:
    forms, formats = [], []
    while len(forms) < draw(st.integers(1, 4)) or not forms:
        channel = draw(st.integers(0, grid.channels + maps - 1))
        taps = draw(
            st.lists(
                st.tuples(st.integers(-min(2, grid.height - 1), min(2, grid.height - 1)), st.integers(-2, 2)),
                min_size=1,
                max_size=5,
                unique=True,
            )
        )
        weights = draw(
            st.lists(
                st.integers(-127, 127).filter(bool) | st.sampled_from([1, -1]), min_size=len(taps), max_size=len(taps)
            )
        )
        q = grid.q if channel < grid.channels else map_q
        reach = sum(map(abs, weights)) << (q.width - 1)
        least = max(0, reach.bit_length() + 1 - 18)
        shift = draw(st.integers(least, least + 3))
        forms.append(Form(channel=channel, taps=tuple(taps), weights=tuple(weights), shift=shift))
        formats.append(q.frac - shift)
    products = []
    for _ in range(draw(st.integers(0, 3))):
        left, right = (draw(st.integers(0, len(formats) - 1)) for _ in range(2))
        frac = formats[left] + formats[right] - draw(st.integers(0, 20))
        out = Q(draw(st.integers(2, 18)), max(-32, frac))
        if out.frac > formats[left] + formats[right]:
            continue
        products.append(Product(left=left, right=right, out=out))
        formats.append(out.frac)
    terms = draw(
        st.lists(
            st.builds(Term, channel=st.integers(0, grid.channels - 1), coefficient=st.integers(0, coefficients - 1), value=st.integers(0, len(formats) - 1)),
            min_size=1, max_size=6,
        )
    )  # fmt: skip
    updated = sorted({term.channel for term in terms})
    biased = draw(st.lists(st.sampled_from(updated), unique=True))
    return Update(
        forms=tuple(forms), products=tuple(products), terms=tuple(terms), biased=tuple(biased),
        boundary=draw(st.sampled_from(["periodic", "dirichlet", "neumann"])), skip=draw(st.booleans()),
    )  # fmt: skip


@st.composite
def models(draw, extreme: bool = False) -> tuple[Model, np.ndarray]:
    """A model of one evolution that validates, and a batch of fields for it; ``extreme`` has only the ends of every format."""
    width = draw(st.integers(2, 18))
    grid = Grid(
        draw(st.sampled_from([1, 3, 4])),
        draw(st.integers(3, 5)),
        draw(st.integers(1, 3)),
        Q(width, draw(st.integers(0, width))),
    )
    maps = draw(st.integers(0, 2))
    map_width = draw(st.integers(2, 18))
    map_q = Q(map_width, draw(st.integers(0, map_width)))
    weight = Q(draw(st.integers(2, 18)), 0)
    coefficients = draw(st.integers(1, 3))
    body = tuple(draw(updates(grid, maps, map_q, coefficients)) for _ in range(draw(st.integers(1, 2))))
    used = sorted({term.coefficient for update in body for term in update.terms})
    body = tuple(
        Update(
            forms=u.forms, products=u.products, biased=u.biased, boundary=u.boundary, skip=u.skip,
            terms=tuple(Term(channel=t.channel, coefficient=used.index(t.coefficient), value=t.value) for t in u.terms),
        )
        for u in body
    )  # fmt: skip
    # A coefficient's binary point so fine that field and bias are no finer than any accumulator.
    probe = Evolve(body=body, times=1, coefficients=len(used), weight=weight, bias=Q(8, -32), maps=maps, map=map_q)
    need = grid.q.frac - min(probe.accumulator_frac(update, grid) for update in body)
    weight = Q(weight.width, max(0, need) + draw(st.integers(0, 4)))
    probe = Evolve(body=body, times=1, coefficients=len(used), weight=weight, bias=Q(8, -32), maps=maps, map=map_q)
    finest = min(probe.accumulator_frac(update, grid) for update in body)
    bias = Q(draw(st.integers(2, 24)), max(-32, min(63, finest - draw(st.integers(0, 6)))))
    planes = bool(maps) and draw(st.booleans())
    evolve = Evolve(
        body=body,
        times=draw(st.integers(1, 3)),
        coefficients=len(used),
        weight=weight,
        bias=bias,
        maps=maps,
        map=map_q,
        planes=planes,
    )
    if any(evolve.accumulator_width(u, c, grid) > 62 for u in body for c in u.updated):
        from hypothesis import reject

        reject()
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def integers(q: Q, shape: tuple[int, ...]) -> np.ndarray:
        return rng.choice([q.low, q.high], shape) if extreme else rng.integers(q.low, q.high, shape, endpoint=True)

    program = Program(name="drawn", input=grid, steps=(evolve,))
    parts = {part: integers(q, shape) for part, (shape, q) in program.tensors()[0].items()}
    return Model(program, {0: Weights(**parts)}), integers(grid.q, (2, *grid.shape))
