"""What a descent lowers: the cross entropy of a program's answers, however many samples it is over."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import optax
from jax import Array

from npde.program import Program
from npde.training import normalised
from npde.training.evolution import evolve
from npde.training.recipe import Descent

CHUNK = 2048
"""Samples whose fields are held at once on the way back."""


def loss(
    program: Program,
    descent: Descent,
    quantised: bool,
    fixed: Mapping[str, Array],
    parameters: Mapping[str, Array],
    x: Array,
    y: Array,
) -> Array:
    """The mean over samples x (channels, height, width, batch) with labels y (batch,).

    More than :data:`CHUNK` of them, a multiple of it, go through in turn and again on the way back, so that memory does not grow with
    them. A quasi-Newton descent has ``decay`` in here, as half the kernels' squared norm; Adam's is decoupled.
    """
    tensors = {**fixed, **parameters}

    def mean(x: Array, y: Array) -> Array:
        if descent.normalise and not quantised:
            answers, _ = normalised.evolve(program, tensors, x)
        else:
            answers = evolve(program, tensors, x, quantised=quantised)
        logits = answers.reshape(program.output.size, -1).T * 2.0**-program.output.q.frac
        target = optax.smooth_labels(jax.nn.one_hot(y, program.output.size), descent.smoothing)
        return optax.softmax_cross_entropy(logits, target).mean()

    penalty: Array | float = 0.0
    if descent.strategy == "lbfgs":
        penalty = descent.decay / 2 * sum(jnp.sum(v**2) for name, v in parameters.items() if name.endswith(".kernel"))
    if x.shape[-1] <= CHUNK:
        return mean(x, y) + penalty
    chunks = x.reshape(*x.shape[:-1], -1, CHUNK).transpose(3, 0, 1, 2, 4), y.reshape(-1, CHUNK)
    total, _ = jax.lax.scan(lambda sum_, chunk: (sum_ + jax.checkpoint(mean)(*chunk), None), jnp.zeros((), x.dtype), chunks)
    return total / len(chunks[1]) + penalty
