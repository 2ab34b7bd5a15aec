"""Descent on a program's parameters, ideal or through the quantiser, epoch by epoch, by either strategy."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import optax
from numpy.typing import NDArray

from npde.program import Program
from npde.training import checkpoint
from npde.training.augment import batches
from npde.training.errors import TrainingError
from npde.training.evolution import outputs, precision
from npde.training.objective import CHUNK, loss
from npde.training.optimiser import optimiser
from npde.training.parameters import Tensors
from npde.training.quantiser import within_formats
from npde.training.recipe import Augmentation, Descent

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
    frozen: Collection[str] = (),
    checkpoint_path: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Parameters after ``descent`` from ``start`` on ``fields``, integers (n, height, width, channels).

    ``background`` is the integer that augmentation moves in; the tensors named ``frozen`` stay as they start. The same arguments give the same
    parameters, also when resumed from ``checkpoint_path``. Raises :class:`TrainingError` when the
    loss stops being finite (the checkpoint then is that of the last epoch that ended well), when there is less than one batch, or for a checkpoint of another run.
    """
    batch = _batch(descent, len(fields))
    per_epoch = len(fields) // batch
    chosen = optimiser(descent, per_epoch * descent.epochs)
    fixed = {name: jnp.asarray(tensor, jnp.float32) for name, tensor in start.items() if name in frozen}
    steps = jax.jit(partial(_steps, program, descent, chosen, quantised, fixed))
    parameters = {name: jnp.asarray(tensor, jnp.float32) for name, tensor in start.items() if name not in frozen}
    state = (parameters, chosen.init(parameters))
    leaves, structure = jax.tree.flatten(state)
    key = checkpoint.run_key(
        program.encode(), msgspec.json.encode(descent), repr((seed, quantised, background, sorted(frozen))).encode(),
        *(np.ascontiguousarray(array).tobytes() for array in (fields, labels, *start.values())),
    )  # fmt: skip
    done = 0
    if checkpoint_path is not None and (found := checkpoint.load(checkpoint_path, key, leaves)) is not None:
        done = found[0]
        state = jax.tree.unflatten(structure, [jnp.asarray(leaf) for leaf in found[1]])

    dtype = precision(program, quantised=quantised)
    quasi_newton = descent.strategy == "lbfgs"
    iterations = descent.iterations if quasi_newton else 1
    same = per_epoch == 1 and descent.augmentation == Augmentation()
    for epoch in range(done, descent.epochs):
        rng = np.random.default_rng((seed, int(quantised), epoch))
        groups = batches(
            fields, labels, batch=batch, together=1 if quasi_newton else TOGETHER,
            augmentation=descent.augmentation, background=background, rng=rng,
        )  # fmt: skip
        seen = 0
        for x, y in groups:
            if quasi_newton and not same:  # what was learnt of the curvature is of other samples
                state = (state[0], chosen.init(state[0]))
            for _ in range(iterations):
                with jax.enable_x64(dtype is np.float64):
                    state, mean = steps(state, x.astype(dtype), y)
                seen += len(x)
                if not np.isfinite(mean):
                    kept = f"; {checkpoint_path} holds the {epoch} epoch(s) before" if checkpoint_path is not None and epoch else ""
                    raise TrainingError(
                        f"training diverged in epoch {epoch + 1}: the loss is {float(mean)}; lower the rate {descent.rate:g}{kept}"
                    )
                if progress is not None:
                    progress(epoch + seen / (per_epoch * iterations), float(mean))
        if checkpoint_path is not None:
            checkpoint.save(checkpoint_path, key, epoch + 1, [np.asarray(leaf) for leaf in jax.tree.leaves(state)])
    trained = {**fixed, **state[0]}
    return {name: np.asarray(trained[name]) for name in start}


def accuracy(
    program: Program, tensors: Tensors, fields: NDArray[np.integer], labels: NDArray[np.int64], *, quantised: bool
) -> float:
    """The share of ``fields``, integers (n, height, width, channels), whose greatest output has the right label."""
    answers = outputs(program, tensors, fields, quantised=quantised).reshape(len(fields), -1)
    return float(np.mean(answers.argmax(axis=1) == labels))


def _batch(descent: Descent, samples: int) -> int:
    """Samples a step, all of them where the descent says 0; above a chunk whole chunks."""
    batch = descent.batch or samples
    if not samples or batch > samples:
        raise TrainingError(f"{samples} training samples do not fill one batch of {max(1, batch)}")
    return batch if batch <= CHUNK else batch // CHUNK * CHUNK


def _steps(program, descent, optimiser, quantised, fixed, state, x, y):
    """A step on each of ``k`` batches in a row: x (k, channels, height, width, batch), y (k, batch)."""
    def step(state, batch):
        parameters, memory = state
        objective = lambda tensors: loss(program, descent, quantised, fixed, tensors, *batch)  # noqa: E731
        value, gradient = jax.value_and_grad(objective)(parameters)
        updates, memory = optimiser.update(gradient, memory, parameters, value=value, grad=gradient, value_fn=objective)
        return (within_formats(program, optax.apply_updates(parameters, updates)), memory), value

    state, losses = jax.lax.scan(step, state, (x, y))
    return state, losses.mean()
