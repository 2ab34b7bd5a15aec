"""Evolutions and recurrent steps in training: the quantised graph is golden, every parameter has its gradient."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from npde import golden
from npde.model import Model
from npde.program import (
    CENTRE,
    CROSS,
    Clip,
    Dense,
    Evolve,
    Form,
    Grid,
    Pool,
    Product,
    Program,
    Q,
    Recurrent,
    Table,
    Term,
    Update,
)
from npde.training.errors import TrainingError
from npde.training.evolution import evolve, outputs, precision
from npde.training.gradient import descend
from npde.training.parameters import initialise, rounded
from npde.training.recipe import Descent

LAPLACIAN = (1, 1, -4, 1, 1)
SMALL, WIDE = Q(8, 5), Q(16, 12)


def lap(channel: int, shift: int = 0) -> Form:
    return Form(channel=channel, taps=CROSS, weights=LAPLACIAN, shift=shift)


def here(channel: int) -> Form:
    return Form(channel=channel, taps=(CENTRE,), weights=(1,))


def leapfrog(product: Q, boundary: str = "periodic", shift: int = 0) -> tuple[Update, ...]:
    """ψ = a + ib in a potential, channel 2 the map: a from b, then b from the new a."""
    return tuple(
        Update(
            forms=(lap(seen, shift), here(seen), here(2)), products=(Product(left=1, right=2, out=product),), boundary=boundary,
            terms=(Term(channel=told, coefficient=first, value=0), Term(channel=told, coefficient=first + 1, value=3)),
        )
        for told, seen, first in ((0, 1, 0), (1, 0, 2))
    )  # fmt: skip


def cubic(out: Q) -> tuple[Update, ...]:
    """Gray-Scott's shape: u·v² in two products of which the second takes the first, biases, both fields at once."""
    forms = (lap(0, 1), lap(1, 2), here(0), here(1), Form(channel=0, taps=((0, 1), (0, -1)), weights=(3, -3), shift=1))
    products = (Product(left=3, right=3, out=out), Product(left=2, right=5, out=out))
    terms = tuple(Term(channel=c, coefficient=k, value=v) for c, k, v in ((0, 0, 0), (0, 1, 6), (1, 2, 1), (1, 1, 6), (1, 3, 3), (0, 4, 4)))
    return (Update(forms=forms, products=products, terms=terms, biased=(1, 0), boundary="neumann"),)


INTENSITY = (Update(
    forms=(here(0), here(1)), products=(Product(left=0, right=0, out=Q(8, 4)), Product(left=1, right=1, out=Q(8, 4))),
    terms=(Term(channel=0, coefficient=0, value=2), Term(channel=0, coefficient=0, value=3)), skip=False,
),)  # fmt: skip

EVOLUTIONS = {
    "leapfrog": (SMALL, Evolve(body=leapfrog(Q(8, 6)), times=5, coefficients=4, weight=Q(8, 6), bias=Q(8, 6), maps=1, map=Q(6, 5))),
    "planes": (SMALL, Evolve(body=leapfrog(Q(7, 4), "dirichlet"), times=3, coefficients=4, weight=Q(8, 6), bias=Q(8, 6), maps=1, map=Q(6, 5), planes=True)),
    "16 bits": (WIDE, Evolve(body=leapfrog(Q(16, 13), "neumann", 1), times=4, coefficients=4, weight=Q(16, 14), bias=Q(8, 6), maps=1, map=Q(12, 10), planes=True)),
    "cubic": (SMALL, Evolve(body=cubic(Q(8, 5)), times=4, coefficients=5, weight=Q(6, 4), bias=Q(9, 7))),
    "cubic, 16 bits": (WIDE, Evolve(body=cubic(Q(18, 13)), times=4, coefficients=5, weight=Q(18, 15), bias=Q(20, 17))),
    "intensity": (SMALL, Evolve(body=INTENSITY, times=1, coefficients=1, weight=Q(6, 4), bias=Q(8, 6))),
}  # fmt: skip


def program_of(q: Q, step: Evolve, size: tuple[int, int] = (5, 6)) -> Program:
    return Program(name="p", input=Grid(*size, 2, q), steps=(step,))


def drawn(program: Program, scale: float, seed: int = 1) -> dict[str, np.ndarray]:
    """Parameters over their formats' whole ranges and a little beyond."""
    rng = np.random.default_rng(seed)
    return {
        f"{index}.{part}": (rng.uniform(1.1 * q.low, 1.1 * q.high, shape) * 2.0**-q.frac * scale).astype(np.float32)
        for index, parts in program.tensors().items() for part, (shape, q) in parts.items()
    }  # fmt: skip


@pytest.mark.parametrize("scale", [0.2, 1.0])
@pytest.mark.parametrize("name", EVOLUTIONS)
def test_the_quantised_evolution_gives_the_golden_integers(name, scale):
    program = program_of(*EVOLUTIONS[name])
    tensors = drawn(program, scale)
    q = program.input.q
    x = np.random.default_rng(2).integers(q.low, q.high + 1, (7, 5, 6, 2))
    wanted = golden.run(Model(program, rounded(program, tensors)), x).output
    assert np.array_equal(outputs(program, tensors, x, quantised=True), wanted)
    if scale == 1.0 and q == SMALL:
        assert {q.low, q.high} & set(wanted.ravel().tolist())  # saturation has been seen


def test_the_ideal_evolution_is_what_the_quantised_one_rounds():
    program = program_of(*EVOLUTIONS["16 bits"])
    tensors = drawn(program, 0.1)
    x = np.random.default_rng(2).integers(-4096, 4096, (7, 5, 6, 2))
    ideal, real = (outputs(program, tensors, x, quantised=quantised) for quantised in (False, True))
    assert ideal.dtype == np.float32
    assert 0 < np.abs(ideal - real).max() < 16


@pytest.mark.parametrize("name", ["leapfrog", "planes", "cubic"])
def test_gradients_of_the_ideal_evolution_are_finite_differences(name):
    """In double precision, where differences are sharp; every kernel, bias and map value that exists."""
    program = program_of(*EVOLUTIONS[name])
    with jax.enable_x64(True):
        tensors = {k: jnp.asarray(v, jnp.float64) for k, v in drawn(program, 0.1).items()}
        x = jnp.asarray(np.random.default_rng(3).integers(-16, 16, (2, 5, 6, 3)), jnp.float64)
        loss = jax.jit(lambda t: (evolve(program, t, x, quantised=False) ** 2).mean())
        gradients = jax.grad(loss)(tensors)
        for part, gradient in gradients.items():
            if not gradient.size:
                continue
            direction = jnp.asarray(np.random.default_rng(4).normal(size=gradient.shape))
            ends = [loss({**tensors, part: tensors[part] + sign * 1e-6 * direction}) for sign in (1, -1)]
            assert float((gradient * direction).sum()) == pytest.approx(float(ends[0] - ends[1]) / 2e-6, rel=1e-4)
            assert (gradient != 0).all()


def test_the_quantised_graph_passes_the_ideal_gradient_where_rounding_is_fine():
    program = program_of(*EVOLUTIONS["16 bits"])
    tensors = drawn(program, 0.1)
    x = np.random.default_rng(5).integers(-2048, 2048, (2, 5, 6, 3))
    with jax.enable_x64(True):
        loss = lambda t, quantised: (evolve(program, t, jnp.asarray(x, jnp.float64), quantised=quantised) ** 2).mean()  # noqa: E731
        ideal, passed = (jax.grad(loss)({k: jnp.asarray(v, jnp.float64) for k, v in tensors.items()}, q) for q in (False, True))
    for part in ("0.kernel", "0.maps"):
        assert np.linalg.norm(ideal[part] - passed[part]) < 0.02 * np.linalg.norm(ideal[part])


def test_precision_is_the_narrowest_float_that_stays_exact_and_none_is_named():
    assert precision(program_of(*EVOLUTIONS["leapfrog"])) is np.float32
    assert precision(program_of(*EVOLUTIONS["16 bits"])) is np.float64
    assert precision(program_of(*EVOLUTIONS["16 bits"]), quantised=False) is np.float32
    wide = Form(channel=0, taps=(CENTRE,), weights=(1,), shift=0)
    update = Update(forms=(wide, Form(channel=1, taps=(CENTRE,), weights=(1,), shift=30)), terms=(
        Term(channel=0, coefficient=0, value=0), Term(channel=0, coefficient=0, value=1),
    ))  # fmt: skip
    step = Evolve(body=(update,), times=1, coefficients=1, weight=Q(18, 17), bias=Q(8, 6))
    program = Program(name="deep", input=Grid(4, 4, 2, Q(18, 16)), steps=(step,))
    assert precision(program) is np.float64
    body = (msgspec.structs.replace(update, biased=(0,)),)
    far = Evolve(body=body, times=1, coefficients=1, weight=Q(18, 17), bias=Q(32, 4))
    with pytest.raises(TrainingError, match=r"an accumulator of 6[0-2] bits; training holds at most 54 exactly"):
        precision(Program(name="far", input=Grid(4, 4, 2, Q(18, 16)), steps=(far,)))


SIN = Table(Q(6, 3), tuple(int(v) for v in Q(8, 7).quantise(np.sin(np.arange(-32, 32) / 8))))


@pytest.mark.parametrize("phi", [Clip(-127, 127), SIN])
@pytest.mark.parametrize("weight", [Q(6, 4), Q(16, 14)])
def test_the_quantised_recurrent_step_gives_the_golden_integers(phi, weight):
    program = Program(name="r", input=Grid(6, 2, 3, Q(8, 7)), argmax=True, steps=(
        Recurrent(out_channels=5, weight=weight, bias=Q(12, 9), out=Q(8, 7), phi=phi),
        Dense(out_channels=3, weight=Q(6, 4), bias=Q(12, 8), out=Q(14, 8)),
    ))  # fmt: skip
    tensors = drawn(program, 0.3)
    x = np.random.default_rng(6).integers(-128, 128, (9, 6, 2, 3))
    assert np.array_equal(outputs(program, tensors, x, quantised=True), golden.run(Model(program, rounded(program, tensors)), x).output)


def test_a_wide_descent_trains_maps_and_leaves_what_is_frozen():
    """Two spots told apart by a potential alone, on accumulators of more than 25 bits."""
    step = EVOLUTIONS["16 bits"][1]
    program = Program(name="w", input=Grid(4, 4, 2, WIDE), argmax=True, steps=(
        step, Pool(kind="sum", size=4, out=Q(16, 8)), Dense(out_channels=2, weight=Q(8, 5), bias=Q(8, 5), out=Q(16, 8)),
    ))  # fmt: skip
    start = initialise(program, seed=0)
    start["0.kernel"] = np.array([-0.1, -1, 0.1, 1], np.float32).reshape(4, 1, 1)
    rng = np.random.default_rng(0)
    labels = np.arange(64) % 2
    fields = rng.integers(-400, 400, (64, 4, 4, 2))
    fields[np.arange(64), 1, labels * 2, 0] += 4000
    descent = Descent(epochs=3, rate=0.02, batch=16)
    told = descend(
        program, start, descent, fields, labels, quantised=True, background=0, seed=0, frozen=("0.kernel", "2.bias")
    )  # fmt: skip
    assert all(np.array_equal(told[name], start[name]) for name in ("0.kernel", "2.bias"))
    assert not np.array_equal(told["0.maps"], start["0.maps"])
    assert list(told) == list(start)
    assert {tensor.dtype for tensor in told.values()} == {np.dtype(np.float32)}
