"""Batch normalisation while a float network is learned, folded into its kernels and biases before anything is rounded.

Ioffe and Szegedy 2015; folded as Jacob et al. 2018, section 3.2. An Euler step normalises what it adds, not the field:
``u + gain·(K∗u - mean)/deviation + b`` is a time step of the same equation with the kernel ``gain·K/deviation``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from npde.program import Grid, Program, Stencil
from npde.training.errors import TrainingError
from npde.training.evolution import convolve, react
from npde.training.evolution import evolve as evolve_plainly
from npde.training.quantiser import within_formats

Moments = dict[int, tuple[Array, Array]]
"""For each stencil step the mean and the variance, each (out channels,), of K∗u."""

VARIANCE = 1e-4
GAIN, EULER_GAIN = 0.5, 0.3
"""Fields reach no further than 1: what a step gives starts within it, what an Euler step adds below that."""
BATCH = 512


def gains(program: Program) -> dict[str, NDArray[np.float32]]:
    """A gain for every channel that a stencil step gives, ``"{index}.gain"``, as descent starts with them."""
    return {
        f"{index}.gain": np.full(stencil.out_channels, EULER_GAIN if stencil.skip else GAIN, np.float32)
        for index, stencil in _stencils(program)
    }


def evolve(program: Program, parameters: Mapping[str, Array], fields: Array) -> tuple[Array, Moments]:
    """As :func:`npde.training.evolution.evolve` of ideal numbers, every stencil step normalised over this batch."""
    moments: Moments = {}

    def normalise(index: int, stencil: Stencil, grid: Grid, u: Array) -> Array:
        field = u * float(grid.q.step)
        acc = convolve(stencil, grid, parameters[f"{index}.kernel"], field)
        moments[index] = mean, variance = acc.mean(axis=(1, 2, 3)), acc.var(axis=(1, 2, 3))
        scale = _scale(stencil, parameters, index, variance)
        value = acc * _cells(scale) + _cells(parameters[f"{index}.bias"] - mean * scale)
        if stencil.skip:
            value = value + field
        return react(stencil, value * 2.0**stencil.out.frac, False)

    return evolve_plainly(program, parameters, fields, quantised=False, stencils=normalise), moments


def folded(
    program: Program, parameters: Mapping[str, NDArray[np.float32]], fields: NDArray[np.integer]
) -> dict[str, NDArray[np.float32]]:
    """Parameters without gains, within their formats: the network that normalises by the moments over all of ``fields``.

    ``fields`` are (n, height, width, channels) integers of the program's input.
    """
    real = {name: jnp.asarray(tensor) for name, tensor in parameters.items()}
    seen = jax.jit(lambda x: evolve(program, real, x)[1])
    chunks = [
        jax.tree.map(np.asarray, seen(fields[first : first + BATCH].transpose(3, 1, 2, 0).astype(np.float32)))
        for first in range(0, len(fields) - BATCH + 1 if len(fields) >= BATCH else 1, BATCH)
    ]
    tensors = {name: tensor for name, tensor in parameters.items() if not name.endswith(".gain")}
    for index, stencil in _stencils(program):
        mean, variance = (np.mean([chunk[index][i] for chunk in chunks], axis=0) for i in (0, 1))
        scale = np.asarray(_scale(stencil, real, index, jnp.asarray(variance)))
        tensors[f"{index}.kernel"] = (parameters[f"{index}.kernel"] * scale[:, None, None]).astype(np.float32)
        tensors[f"{index}.bias"] = (parameters[f"{index}.bias"] - mean * scale).astype(np.float32)
    within = within_formats(program, {name: jnp.asarray(tensor) for name, tensor in tensors.items()})
    return {name: np.asarray(tensor) for name, tensor in within.items()}


def _stencils(program: Program) -> Iterator[tuple[int, Stencil]]:
    for index, step in enumerate(program.steps):
        if isinstance(step, Stencil):
            if step.repeat > 1:
                raise TrainingError(f"step {index} runs {step.repeat} times, each on another field: it cannot be normalised once")
            yield index, step


def _scale(stencil: Stencil, parameters: Mapping[str, Array], index: int, variance: Array) -> Array:
    """What a channel's kernel is to be folded with: gain over deviation, as far as the kernel's format reaches.

    A smooth image varies little from cell to cell: unheld, the first kernels grow to several times what fits, and
    clipping them afterwards costs most of the accuracy.
    """
    largest = jnp.abs(parameters[f"{index}.kernel"]).max(axis=(1, 2))
    reach = float(stencil.weight.high * stencil.weight.step) / jnp.maximum(largest, VARIANCE)
    return jnp.clip(parameters[f"{index}.gain"] / jnp.sqrt(variance + VARIANCE), -reach, reach)


def _cells(channels: Array) -> Array:
    return channels[:, None, None, None]
