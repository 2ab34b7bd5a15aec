"""Both models' descent of their free energy, in turns or at once, ideal or through the quantiser."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import optax
from numpy.typing import NDArray

from npde.training.augment import batches
from npde.training.errors import TrainingError
from npde.training.evolution import precision
from npde.training.gradient import TOGETHER
from npde.training.optimiser import optimiser
from npde.training.parameters import Tensors
from npde.training.quantiser import within_formats
from npde.training.recipe import Descent
from npde.training.synergetic.configuration import Synergy, Terms
from npde.training.synergetic.objective import free_energy, of
from npde.training.synergetic.programs import Pair

Progress = Callable[[float, float], None]
"""Told the epochs done (a fraction within one) and the mean free energy since it was last told, in nats an image."""

Turns = tuple[str, ...]
"""Whose tensors move, turn by turn, on every batch: ``("AB",)`` both at once, ``("B", "A")`` one after the other, ``("A",)`` A alone."""


def descend(
    pair: Pair,
    start: Tensors,
    synergy: Synergy,
    descent: Descent,
    fields: NDArray[np.integer],
    labels: NDArray[np.int64],
    *,
    turns: Turns,
    terms: Terms,
    quantised: bool,
    background: int,
    progress: Progress | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Both models' tensors after ``descent`` from ``start`` on images ``fields``, integers (n, height, width, channels).

    Each turn takes the gradient by the tensors that move in it, and has its own optimiser. The same arguments give the same
    tensors. Raises :class:`TrainingError` when the free energy stops being finite or there is less than one batch.
    """
    if len(fields) < descent.batch:
        raise TrainingError(f"{len(fields)} training samples do not fill one batch of {descent.batch}")
    per_epoch = len(fields) // descent.batch
    chosen, steps = _compiled(pair, msgspec.structs.replace(synergy, seed=0), terms, descent, per_epoch * descent.epochs, turns, quantised)
    together = -(-per_epoch // -(-per_epoch // TOGETHER))  # of nearly equal length: each length is compiled
    tensors = {name: jnp.asarray(tensor, jnp.float32) for name, tensor in start.items()}
    state = (tensors, {turn: chosen.init(_moving(turn, tensors)) for turn in turns})
    dtype = max((precision(program, quantised=quantised) for program in (pair.a, pair.b)), key=lambda t: np.dtype(t).itemsize)
    for epoch in range(descent.epochs):
        seed = (synergy.seed, int(quantised), epoch)
        keys = jax.random.split(jax.random.key(int(np.random.default_rng(seed).integers(1 << 31))), per_epoch)
        groups = batches(
            fields, labels, batch=descent.batch, together=together,
            augmentation=descent.augmentation, background=background, rng=np.random.default_rng(seed),
        )  # fmt: skip
        seen = 0
        for x, y in groups:
            with jax.enable_x64(dtype is np.float64):
                state, mean = steps(state, x.astype(dtype), y, keys[seen : seen + len(x)])
            seen += len(x)
            if not np.isfinite(mean):
                raise TrainingError(
                    f"synergetic training diverged in epoch {epoch + 1}: the free energy is {float(mean)}; lower the rate {descent.rate:g}"
                )
            if progress is not None:
                progress(epoch + seen / per_epoch, float(mean))
    return {name: np.asarray(state[0][name]) for name in start}


@lru_cache(maxsize=16)
def _compiled(pair: Pair, synergy: Synergy, terms: Terms, descent: Descent, total: int, turns: Turns, quantised: bool):
    """The optimiser and the jitted steps: compiling takes longer than a small data set's descent, and is the same for every seed."""
    chosen = optimiser(descent, total)
    return chosen, jax.jit(partial(_steps, pair, synergy, terms, chosen, turns, quantised))


def _moving(turn: str, tensors):
    return {name: tensor for name, tensor in tensors.items() if name[0] in turn}


def _steps(pair, synergy, terms, optimiser, turns, quantised, state, x, y, keys):
    """Every turn on each of ``k`` batches in a row: x (k, channels, height, width, batch), y (k, batch), keys (k,)."""

    def step(state, batch):
        tensors, memories = state
        for turn in turns:
            moving = _moving(turn, tensors)
            objective = lambda moved, rest=tensors: free_energy(pair, synergy, terms, quantised, {**rest, **moved}, *batch)  # noqa: E731
            value, gradient = jax.value_and_grad(objective)(moving)
            updates, memory = optimiser.update(gradient, memories[turn], moving, value=value, grad=gradient, value_fn=objective)
            tensors = {**tensors, **_within_formats(pair, optax.apply_updates(moving, updates))}
            memories = {**memories, turn: memory}
        return (tensors, memories), value

    state, values = jax.lax.scan(step, state, (x, y, keys))
    return state, values.mean()


def _within_formats(pair: Pair, moved):
    """The tensors that moved, projected onto their programs' formats; s and σ, which no board holds, are free."""
    held = {
        f"{side}.{name}": tensor
        for side, program in (("A", pair.a), ("B", pair.b))
        for name, tensor in within_formats(program, of(side, moved)).items()
    }
    return {**moved, **held}
