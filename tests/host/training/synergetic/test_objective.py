"""The free energy: its closed form, its gradients' turns, and that the quantised graph is golden's integers."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from npde import golden
from npde.model import Model
from npde.training.parameters import rounded
from npde.training.samples import fields_of, unit_range
from npde.training.synergetic.configuration import Terms
from npde.training.synergetic.learn import start
from npde.training.synergetic.objective import ERROR, SPREAD, free_energy, of
from npde.training.synergetic.programs import CODE, programs

NOTHING = Terms(reconstruction=0.0, label=0.0, complexity=0.0)
KEY = jax.random.key(0)


@pytest.fixture
def asked(digits, small):
    """A pair without noise in its input, tensors, and eight digits as training has them."""
    plain = msgspec.structs.replace(small, noise=0.0)
    pair = programs(plain, digits.sample_shape, digits.classes)
    fields = fields_of(pair.b, unit_range(digits), digits.train_x[:8])
    tensors = {name: jnp.asarray(tensor) for name, tensor in start(plain, pair).items()}
    x = jnp.asarray(fields.transpose(3, 1, 2, 0), jnp.float32)
    return plain, pair, tensors, fields, x, jnp.asarray(digits.train_y[:8])


def test_without_a_spread_it_is_the_closed_form_of_goldens_integers(asked):
    """s near 0: the code drawn is the code, and every term can be had from golden's answers."""
    plain, pair, tensors, fields, x, y = asked
    s, sigma = 1e-6, 0.5
    tensors |= {SPREAD: jnp.full(plain.code, math.log(s)), ERROR: jnp.asarray(math.log(sigma))}
    code = golden.run(Model(pair.b, rounded(pair.b, of("B", tensors))), fields).output
    out = golden.run(Model(pair.a, rounded(pair.a, of("A", tensors))), code).output.reshape(8, -1)
    real = pair.a.output.q.real(out)
    away = real[:, :64] - pair.image.q.real(fields).reshape(8, -1)
    logits = real[:, 64:]
    label = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(8), np.asarray(y)]
    mean = CODE.real(code).reshape(8, -1)
    tau = plain.prior
    wanted = {
        "reconstruction": (away**2).sum(axis=1) / (2 * sigma**2) + 32 * math.log(2 * math.pi * sigma**2),
        "label": label,
        "complexity": ((mean**2 + s**2) / tau**2 - 1 - 2 * math.log(s / tau)).sum(axis=1) / 2,
    }
    for term, values in wanted.items():
        only = msgspec.structs.replace(NOTHING, **{term: 1.0})
        got = free_energy(pair, plain, only, True, tensors, x, y, KEY)
        assert float(got) == pytest.approx(values.mean(), rel=1e-5), term
    got = free_energy(pair, plain, Terms(), True, tensors, x, y, KEY)
    assert float(got) == pytest.approx(sum(values.mean() for values in wanted.values()), rel=1e-5)


def test_the_complexity_of_a_code_that_says_nothing_is_nothing(asked):
    plain, pair, tensors, _, x, y = asked
    silent = {name: jnp.zeros_like(tensor) if name.startswith("B.") else tensor for name, tensor in tensors.items()}
    silent[SPREAD] = jnp.full(plain.code, math.log(plain.prior))
    only = msgspec.structs.replace(NOTHING, complexity=1.0)
    assert float(free_energy(pair, plain, only, True, silent, x, y, KEY)) == pytest.approx(0, abs=1e-5)
    assert float(free_energy(pair, plain, only, True, tensors, x, y, KEY)) > 1


def test_at_the_minimum_sigma_squared_is_the_mean_square_error(asked):
    """dF/dlog σ = n - ‖x - A(z)‖²/σ² vanishes there and nowhere else."""
    plain, pair, tensors, _, x, y = asked
    only = msgspec.structs.replace(NOTHING, reconstruction=1.0)
    at = lambda value: free_energy(pair, plain, only, False, {**tensors, ERROR: value}, x, y, KEY)  # noqa: E731
    square = 2 * (float(at(jnp.zeros(()))) - 32 * math.log(2 * math.pi)) / 64
    slope = jax.grad(at)
    assert float(slope(jnp.asarray(math.log(square) / 2))) == pytest.approx(0, abs=1e-2)
    assert float(slope(jnp.asarray(math.log(square) / 2 + 0.5))) > 10


def test_every_tensor_of_both_models_has_a_gradient(asked):
    plain, pair, tensors, _, x, y = asked
    for quantised in (False, True):
        gradient = jax.jit(jax.grad(lambda t, q=quantised: free_energy(pair, plain, Terms(), q, t, x, y, KEY)))(tensors)
        assert all(bool(jnp.isfinite(g).all()) and float(jnp.abs(g).max()) > 0 for g in gradient.values())


def test_the_inputs_noise_is_drawn_anew_and_bounded(asked):
    plain, pair, tensors, _, x, y = asked
    loud = msgspec.structs.replace(plain, noise=0.5)
    only = msgspec.structs.replace(NOTHING, reconstruction=1.0)
    quiet = {**tensors, SPREAD: jnp.full(plain.code, -20.0)}
    drawn = [float(free_energy(pair, loud, only, True, quiet, x, y, jax.random.key(k))) for k in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]
    still = [float(free_energy(pair, plain, only, True, quiet, x, y, jax.random.key(k))) for k in (1, 2)]
    assert still[0] == still[1]
