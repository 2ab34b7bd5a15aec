"""Physics-aware training: the forward pass on a board, whatever its arithmetic really is, the way back through the model of it.

Wright et al., "Deep physical neural networks trained with backpropagation" (Nature 2022): the loss is that of the
outputs the hardware gave, its gradient is carried through a differentiable model of the hardware. What the model does
not know (a stuck wire, a dead multiplier) still enters every step through the loss, and is trained around.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from npde.data import Dataset
from npde.golden import Answer
from npde.model import Model
from npde.training.errors import TrainingError
from npde.training.evolution import evolve, precision
from npde.training.parameters import reals, rounded
from npde.training.quantiser import within_formats
from npde.training.samples import fields_of

Progress = Callable[[int, float], object]
"""Told the steps done and the loss of the last, on the board's outputs."""


class Loop(Protocol):
    """What answers in the loop: a :class:`npde.link.board.Board`, or what stands for one."""

    def load(self, model: Model) -> None:
        """From now on its answers."""

    def infer(self, raw: NDArray) -> Answer:
        """Of raw samples (batch, height, width[, channels])."""


def fine_tune(
    board: Loop,
    model: Model,
    data: Dataset,
    *,
    steps: int,
    rate: float = 1e-3,
    batch: int = 64,
    seed: int = 0,
    frozen: Collection[str] = (),
    progress: Progress | None = None,
) -> Model:
    """``model`` after ``steps`` of Adam whose outputs come from ``board``; the best of the models the board held on the way.

    Each step writes the rounded weights to the board, infers ``batch`` training samples there and takes the gradient of
    the cross entropy of those outputs through the quantised model. Every tenth of the way the board's accuracy on the
    same ``4·batch`` training samples decides which weights are kept. Raises :class:`TrainingError` when the data is not
    the program's or the loss stops being finite, :class:`npde.errors.LinkError` as the board does.
    """
    program = model.program
    if data.sample_shape != program.input.shape or len(data.train_x) < 4 * batch:
        raise TrainingError(
            f"{data.name} has {len(data.train_x)} training samples of shape {data.sample_shape}; "
            f"training in the loop takes at least {4 * batch} of {program.input.shape}"
        )
    tensors = reals(model)
    dtype = precision(program, quantised=True)
    optimiser = optax.adam(optax.cosine_decay_schedule(rate, max(1, steps)))
    parameters = {name: jnp.asarray(tensor, jnp.float32) for name, tensor in tensors.items() if name not in frozen}
    fixed = {name: jnp.asarray(tensor, jnp.float32) for name, tensor in tensors.items() if name in frozen}
    memory = optimiser.init(parameters)
    update = jax.jit(partial(_update, program, optimiser, fixed))

    rng = np.random.default_rng(seed)
    judges = rng.permutation(len(data.train_x))[: 4 * batch]
    best, most = model, _share(board, model, data, judges)
    for step, chosen in enumerate(_batches(len(data.train_x), batch, steps, rng)):
        trial = _model(model, fixed, parameters)
        board.load(trial)
        given = board.infer(data.train_x[chosen]).output.reshape(batch, -1)
        x = fields_of(program, model.preprocess, data.train_x[chosen]).transpose(3, 1, 2, 0)
        with jax.enable_x64(dtype is np.float64):
            parameters, memory, loss = update(parameters, memory, x.astype(dtype), data.train_y[chosen], given.T.astype(dtype))
        if not np.isfinite(loss):
            raise TrainingError(f"training in the loop diverged in step {step + 1}: the loss is {float(loss)}; lower the rate {rate:g}")
        if progress is not None:
            progress(step + 1, float(loss))
        if (step + 1) % max(1, steps // 10) == 0 or step + 1 == steps:
            trial = _model(model, fixed, parameters)
            share = _share(board, trial, data, judges)
            if share > most:
                best, most = trial, share
    return best


def _update(program, optimiser, fixed, parameters, memory, x, y, given):
    """One step on outputs ``given`` (outputs, batch), in units in the last place; the loss is of those."""

    def loss(parameters):
        own = evolve(program, {**fixed, **parameters}, x, quantised=True).reshape(program.output.size, -1)
        answers = own + jax.lax.stop_gradient(given - own)
        logits = (answers * 2.0**-program.output.q.frac).T
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    value, gradient = jax.value_and_grad(loss)(parameters)
    updates, memory = optimiser.update(gradient, memory, parameters)
    return within_formats(program, optax.apply_updates(parameters, updates)), memory, value


def _model(model: Model, *parts: Mapping[str, jax.Array]) -> Model:
    """``model`` with other parameters, rounded."""
    real = {name: np.asarray(tensor) for part in parts for name, tensor in part.items()}
    return Model(model.program, rounded(model.program, real), model.preprocess, model.notes)


def _share(board: Loop, model: Model, data: Dataset, chosen: NDArray[np.int64]) -> float:
    board.load(model)
    label = board.infer(data.train_x[chosen]).label
    if label is None:
        raise TrainingError(f"model {model.program.name!r} answers with fields, not with a label")
    return float(np.mean(label == data.train_y[chosen]))


def _batches(samples: int, batch: int, steps: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """``steps`` batches of indices, each sample once before any comes again."""
    order = np.empty(0, np.int64)
    for _ in range(steps):
        if len(order) < batch:
            order = rng.permutation(samples)
        yield order[:batch]
        order = order[batch:]
