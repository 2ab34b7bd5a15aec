"""Adam on a program's parameters, ideal or through the quantiser: one descent, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import optax
from numpy.typing import NDArray

from npde.program import Program, Q
from npde.training import checkpoint
from npde.training.augment import batches
from npde.training.errors import TrainingError
from npde.training.evolution import evolve, precision
from npde.training.parameters import Tensors
from npde.training.recipe import Descent

Progress = Callable[[float, float], None]
"""Told the epochs done (a fraction within one) and the mean loss since it was last told."""

TOGETHER = 32


def descend(
    program: Program,
    start: Tensors,
    descent: Descent,
    fields: NDArray[np.integer],
    labels: NDArray[np.int64],
    *,
    quantised: bool,
    background: int,
    seed: int,
    checkpoint_path: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Parameters after ``descent`` from ``start`` on ``fields``, integers (n, height, width, channels).

    ``background`` is the integer that augmentation moves in. The same arguments give the same
    parameters, also when resumed from ``checkpoint_path``. Raises :class:`TrainingError` when the
    loss stops being finite, when there is less than one batch, or for a checkpoint of another run.
    """
    per_epoch = len(fields) // descent.batch
    if not per_epoch:
        raise TrainingError(f"{len(fields)} training samples do not fill one batch of {descent.batch}")
    optimiser = _optimiser(descent, per_epoch * descent.epochs)
    steps = jax.jit(partial(_steps, program, descent, optimiser, quantised))
    parameters = {name: jnp.asarray(tensor, jnp.float32) for name, tensor in start.items()}
    state = (parameters, optimiser.init(parameters))
    leaves, structure = jax.tree.flatten(state)
    key = checkpoint.run_key(
        program.encode(), msgspec.json.encode(descent), repr((seed, quantised, background)).encode(),
        *(np.ascontiguousarray(array).tobytes() for array in (fields, labels, *start.values())),
    )  # fmt: skip
    done = 0
    if checkpoint_path is not None and (found := checkpoint.load(checkpoint_path, key, leaves)) is not None:
        done = found[0]
        state = jax.tree.unflatten(structure, [jnp.asarray(leaf) for leaf in found[1]])

    dtype = precision(program)
    for epoch in range(done, descent.epochs):
        rng = np.random.default_rng((seed, int(quantised), epoch))
        groups = batches(
            fields, labels, batch=descent.batch, together=TOGETHER,
            augmentation=descent.augmentation, background=background, rng=rng,
        )  # fmt: skip
        seen = 0
        for x, y in groups:
            state, loss = steps(state, x.astype(dtype), y)
            seen += len(x)
            if not np.isfinite(loss):
                raise TrainingError(
                    f"training diverged in epoch {epoch + 1}: the loss is {float(loss)}; lower the rate {descent.rate:g}"
                )
            if progress is not None:
                progress(epoch + seen / per_epoch, float(loss))
        if checkpoint_path is not None:
            checkpoint.save(checkpoint_path, key, epoch + 1, [np.asarray(leaf) for leaf in jax.tree.leaves(state)])
    return {name: np.asarray(tensor) for name, tensor in state[0].items()}


def accuracy(
    program: Program, tensors: Tensors, fields: NDArray[np.integer], labels: NDArray[np.int64], *, quantised: bool
) -> float:
    """The share of ``fields``, integers (n, height, width, channels), whose greatest output has the right label."""
    forward = jax.jit(lambda x: evolve(program, {k: jnp.asarray(v) for k, v in tensors.items()}, x, quantised=quantised))
    right = 0
    for first in range(0, len(fields), 500):
        x = fields[first : first + 500].transpose(3, 1, 2, 0).astype(precision(program))
        outputs = np.asarray(forward(x)).reshape(-1, x.shape[-1])
        right += int((outputs.argmax(axis=0) == labels[first : first + 500]).sum())
    return right / len(fields)


def _optimiser(descent: Descent, total: int) -> optax.GradientTransformation:
    warm = max(1, round(descent.warmup * total))
    schedule = optax.warmup_cosine_decay_schedule(0.0, descent.rate, warm, max(total, warm + 1))
    kernels = lambda tensors: {name: name.endswith(".kernel") for name in tensors}  # noqa: E731
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=descent.decay, mask=kernels))


def _steps(program, descent, optimiser, quantised, state, x, y):
    """Adam on ``k`` batches in a row: x (k, channels, height, width, batch), y (k, batch)."""
    formats = _formats(program)

    def step(state, batch):
        parameters, memory = state
        loss, gradient = jax.value_and_grad(partial(_loss, program, descent, quantised))(parameters, *batch)
        updates, memory = optimiser.update(gradient, memory, parameters)
        parameters = optax.apply_updates(parameters, updates)
        # Projected onto what the formats can hold, or the quantiser would saturate what training cannot see.
        parameters = {k: jnp.clip(v, *_span(formats[k])) for k, v in parameters.items()}
        return (parameters, memory), loss

    state, losses = jax.lax.scan(step, state, (x, y))
    return state, losses.mean()


def _loss(program, descent, quantised, parameters, x, y):
    outputs = evolve(program, parameters, x, quantised=quantised).reshape(program.output.size, -1).T
    logits = outputs * 2.0**-program.output.q.frac
    target = optax.smooth_labels(jax.nn.one_hot(y, program.output.size), descent.smoothing)
    return optax.softmax_cross_entropy(logits, target).mean()


def _formats(program: Program) -> dict[str, Q]:
    weighted = list(program.weighted())
    return {f"{i}.kernel": s.weight for i, s, _ in weighted} | {f"{i}.bias": s.bias for i, s, _ in weighted}


def _span(q: Q) -> tuple[float, float]:
    return float(q.low * q.step), float(q.high * q.step)
