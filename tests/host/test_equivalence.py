"""MLP, CNN and RNN are neural PDEs: the same weights in jax's own dense, convolution and recurrent cell answer the same.

Floats agree to their rounding with the ideal graph, integers exactly with the quantised graph and with golden.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from npde import golden
from npde.model import Model
from npde.program import MOORE, Dense, Grid, Pool, Program, Q, Recurrent, Relu, Stencil, Step
from npde.training.evolution import outputs
from npde.training.parameters import rounded

REAL = {"weight": Q(8, 7), "bias": Q(16, 12), "out": Q(16, 11)}
"""Formats that nothing below saturates; ideal, they only name the units."""
WHOLE = {"weight": Q(3, 0), "bias": Q(4, 0), "out": Q(18, 0)}
"""Integers without a binary point: nothing is ever rounded, so jax's integer operations must agree exactly."""

Usual = Callable[[dict[str, Array], Array], Array]


def mlp(w: dict[str, Array], x: Array) -> Array:
    """Layers of x @ W + b with ReLU between them."""
    h = x.reshape(len(x), -1)
    for layer in (0, 1):
        h = jax.nn.relu(jnp.dot(h, w[f"{layer}.kernel"][:, :, 0].T) + w[f"{layer}.bias"])
    return jnp.dot(h, w["2.kernel"][:, :, 0].T) + w["2.bias"]


def cnn(w: dict[str, Array], x: Array) -> Array:
    """Zero-padded 3×3 convolutions, the second and third with strides, max pooling, a dense layer."""
    for layer, stride in ((0, 1), (1, 2), (2, 3)):
        kernel = w[f"{layer}.kernel"].reshape(*w[f"{layer}.kernel"].shape[:2], 3, 3)
        x = lax.conv_general_dilated(x, kernel, (stride, stride), [(1, 1), (1, 1)], dimension_numbers=("NHWC", "OIHW", "NHWC"))
        x = jax.nn.relu(x + w[f"{layer}.bias"])
    least = jnp.asarray(jnp.iinfo(x.dtype).min if jnp.issubdtype(x.dtype, jnp.integer) else -jnp.inf, x.dtype)
    x = lax.reduce_window(x, least, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return jnp.dot(x.reshape(len(x), -1), w["4.kernel"][:, :, 0].T) + w["4.bias"]


def rnn(w: dict[str, Array], x: Array) -> Array:
    """Elman's cell h ← relu(W_h h + W_x x_t + b) scanned over the rows, a dense layer on the last state."""
    hidden = w["0.bias"].shape[0]
    source_to_state, state_to_state = w["0.kernel"][:, :-hidden, 0], w["0.kernel"][:, -hidden:, 0]

    def cell(h: Array, x_t: Array) -> tuple[Array, None]:
        return jax.nn.relu(jnp.dot(h, state_to_state.T) + jnp.dot(x_t, source_to_state.T) + w["0.bias"]), None

    sequence = x.reshape(*x.shape[:2], -1).transpose(1, 0, 2)
    last, _ = lax.scan(cell, jnp.zeros((len(x), hidden), x.dtype), sequence)
    return jnp.dot(last, w["1.kernel"][:, :, 0].T) + w["1.bias"]


def steps(network: Usual, formats: dict[str, Q]) -> tuple[Step, ...]:
    answer = Dense(out_channels=4, **formats)
    if network is mlp:
        return Dense(out_channels=12, phi=Relu(), **formats), Dense(out_channels=8, phi=Relu(), **formats), answer
    if network is cnn:
        layers = (Stencil(out_channels=5, taps=MOORE, phi=Relu(), boundary="dirichlet", stride=s, **formats) for s in (1, 2, 3))
        return *layers, Pool(kind="max", size=2, out=formats["out"]), answer
    return Recurrent(out_channels=6, phi=Relu(), **formats), answer


def both(network: Usual, formats: dict[str, Q], grid: Grid) -> tuple[Program, dict[str, np.ndarray], np.ndarray]:
    """A program, weights and inputs in units of their formats."""
    program = Program(name="net", input=grid, steps=steps(network, formats), argmax=True)
    rng = np.random.default_rng(7)
    exact = formats is WHOLE
    tensors = {
        f"{index}.{part}": (rng.integers(-1, 2, shape) if exact else rng.normal(size=shape) / 5).astype(np.float32)
        for index, parts in program.tensors().items() for part, (shape, _) in parts.items()
    }  # fmt: skip
    low, high = (-2, 3) if exact else (grid.q.low // 4, grid.q.high // 4)
    return program, tensors, rng.integers(low, high, (6, *grid.shape))


@pytest.mark.parametrize(("network", "shape"), [(mlp, (4, 5, 2)), (cnn, (12, 13, 3)), (rnn, (4, 3, 2))])
def test_the_same_floats(network, shape):
    grid = Grid(*shape, Q(16, 11))
    program, tensors, x = both(network, REAL, grid)
    wanted = network({k: jnp.asarray(v) for k, v in tensors.items()}, jnp.asarray(grid.q.real(x), jnp.float32))
    got = outputs(program, tensors, x, quantised=False).reshape(len(x), -1) * 2.0**-program.output.q.frac
    assert got == pytest.approx(np.asarray(wanted), rel=2e-5, abs=2e-6)
    assert np.std(got) > 0.01


@pytest.mark.parametrize(("network", "shape"), [(mlp, (4, 5, 2)), (cnn, (12, 13, 3)), (rnn, (4, 3, 2))])
def test_the_same_integers(network, shape):
    program, tensors, x = both(network, WHOLE, Grid(*shape, Q(18, 0)))
    wanted = np.asarray(network({k: jnp.asarray(v, jnp.int32) for k, v in tensors.items()}, jnp.asarray(x, jnp.int32)))
    assert 1 < np.abs(wanted).max() < 1 << 17
    golden_answer = golden.run(Model(program, rounded(program, tensors)), x).output
    assert np.array_equal(golden_answer.reshape(len(x), -1), wanted)
    assert np.array_equal(outputs(program, tensors, x, quantised=True).reshape(len(x), -1), wanted)
