"""The program as a differentiable jax function, in units in the last place, ideal or on the contract's integers.

Fields lie as (channels, height, width, batch): a stencil is then one matrix product with a long
contiguous axis, which XLA's CPU backend runs about twice as fast as its convolution inside a scan.

With ``quantised`` every value is an integer held in a float. Forward, the integers are those of
the numeric contract; backward, rounding passes gradients straight through (Bengio, Léonard and
Courville 2013; Jacob et al. 2018). Floats of 24 (53) significant bits hold such integers exactly
while the accumulator has at most 25 (54) bits, for ANY weights: :func:`precision` decides, and
:func:`outputs` asks jax for it. Ideal networks are float32 whatever their formats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from npde.program import Clip, Dense, Evolve, Grid, Identity, Pool, Program, Recurrent, Relu, Stencil, Table
from npde.training import physics
from npde.training.errors import TrainingError
from npde.training.physics import PAD
from npde.training.quantiser import rescale, straight_through, units

Parameters = Mapping[str, Array]
Advance = Callable[[int, Stencil, Grid, Array], Array]
"""The field after the stencil step of that index, from the grid before it and its field."""


def precision(program: Program, *, quantised: bool = True) -> type[np.float32] | type[np.float64]:
    """The narrowest float that holds every accumulator of ``program`` exactly; raises :class:`TrainingError` for none."""
    if not quantised:
        return np.float32
    widths = [stencil.accumulator_width(grid) for _, stencil, grid in program.weighted()]
    widths += [
        step.accumulator_width(grid)
        for step, grid in zip(program.steps, program.grids(), strict=False)
        if isinstance(step, Pool)
    ]
    widths += [physics.widest(step, grid) for _, step, grid in program.evolutions()]
    widest = max(widths)
    if widest > 54:
        raise TrainingError(
            f"program {program.name!r} has an accumulator of {widest} bits; training holds at most 54 exactly"
        )
    return np.float32 if widest <= 25 else np.float64


def outputs(
    program: Program, parameters: Mapping[str, NDArray[np.floating]], fields: NDArray[np.integer], *, quantised: bool
) -> NDArray[np.floating]:
    """The last grid, (batch, height, width, channels), for ``fields`` of that layout, 500 frames at a time.

    In units in the last place; with ``quantised``, the integers golden gives for the rounded parameters.
    """
    dtype = precision(program, quantised=quantised)
    with jax.enable_x64(dtype is np.float64):
        real = {name: jnp.asarray(tensor, jnp.float32) for name, tensor in parameters.items()}
        forward = jax.jit(lambda x: evolve(program, real, x, quantised=quantised))
        chunks = [
            np.asarray(forward(fields[first : first + 500].transpose(3, 1, 2, 0).astype(dtype)))
            for first in range(0, len(fields), 500)
        ]
    return np.concatenate(chunks, axis=3).transpose(3, 1, 2, 0)


def evolve(
    program: Program, parameters: Parameters, fields: Array, *, quantised: bool, stencils: Advance | None = None
) -> Array:
    """The last grid, (channels, height, width, batch), for input integers ``fields`` of the same layout.

    ``parameters`` are real numbers named ``"{index}.kernel"``, ``"{index}.bias"`` and ``"{index}.maps"``, shaped
    as :meth:`Program.tensors` says. Fields are in units in the last place of their format, in floats of the type
    :func:`precision` names; a float64 needs ``jax.enable_x64``. ``stencils`` advances a field through a stencil step in place of the step itself.
    """
    u = fields
    for index, (step, grid) in enumerate(zip(program.steps, program.grids(), strict=False)):
        match step:
            case Pool():
                u = _pool(step, grid, u, quantised)
            case Dense():
                cell = u.transpose(1, 2, 0, 3).reshape(grid.size, 1, 1, -1)
                u = _advance(step.as_stencil(), Dense.flatten(grid), parameters, index, cell, quantised)
            case Stencil() if stencils is not None:
                u = stencils(index, step, grid, u)
            case Stencil():
                u = _advance(step, grid, parameters, index, u, quantised)
            case Recurrent():
                u = _recur(step, grid, parameters, index, u, quantised)
            case Evolve():
                own = {part: parameters[f"{index}.{part}"] for part in ("kernel", "bias", *(("maps",) if step.maps else ()))}
                u = physics.advance(step, grid, own, u, quantised)
    return u


def _advance(stencil: Stencil, grid: Grid, parameters: Parameters, index: int, u: Array, quantised: bool) -> Array:
    euler = _time_step(stencil, grid, parameters, index, u.dtype, quantised)
    if stencil.repeat == 1:
        return euler(u)
    return jax.lax.scan(lambda field, _: (euler(field), None), u, None, length=stencil.repeat)[0]


def _recur(step: Recurrent, grid: Grid, parameters: Parameters, index: int, u: Array, quantised: bool) -> Array:
    update = _time_step(step.as_stencil(), step.cell(grid), parameters, index, u.dtype, quantised)
    sources = u.transpose(1, 2, 0, 3).reshape(grid.height, -1, 1, 1, u.shape[3])
    start = jnp.zeros((step.out_channels, 1, 1, u.shape[3]), u.dtype)
    return jax.lax.scan(lambda state, source: (update(jnp.concatenate([source, state])), None), start, sources)[0]


def _time_step(
    stencil: Stencil, grid: Grid, parameters: Parameters, index: int, dtype: jnp.dtype, quantised: bool
) -> Callable[[Array], Array]:
    kernel = units(parameters[f"{index}.kernel"].astype(dtype), stencil.weight, quantised)
    bias = units(parameters[f"{index}.bias"].astype(dtype), stencil.bias, quantised) * 2.0 ** stencil.bias_shift(grid)

    def euler(u: Array) -> Array:
        acc = convolve(stencil, grid, kernel, u) + bias[:, None, None, None]
        if stencil.skip:
            acc = acc + u * 2.0**stencil.weight.frac
        return react(stencil, rescale(acc, stencil.shift(grid), quantised), quantised)

    return euler


def convolve(stencil: Stencil, grid: Grid, kernel: Array, u: Array) -> Array:
    """``kernel`` ∗ ``u`` at the cells that the stride keeps, the boundary as the stencil has it."""
    reach = [(min(0, *axis), max(0, *axis)) for axis in zip(*stencil.taps, (0, 0), strict=True)]
    (top, bottom), (left, right) = reach
    padded = jnp.pad(u, ((0, 0), (-top, bottom), (-left, right), (0, 0)), mode=PAD[stencil.boundary])
    s = stencil.stride
    rows, cols = -(-grid.height // s), -(-grid.width // s)
    windows = [
        padded[:, dy - top : dy - top + (rows - 1) * s + 1 : s, dx - left : dx - left + (cols - 1) * s + 1 : s]
        for dy, dx in stencil.taps
    ]
    columns = jnp.concatenate(windows).reshape(len(stencil.taps) * grid.channels, -1)
    matrix = kernel.transpose(0, 2, 1).reshape(stencil.out_channels, -1)
    product = jnp.matmul(matrix, columns, precision=jax.lax.Precision.HIGHEST)
    return product.reshape(stencil.out_channels, rows, cols, -1)


def react(stencil: Stencil, value: Array, quantised: bool) -> Array:
    """φ of ``value``, in units in the last place of the stencil's output and within it."""
    match stencil.phi:
        case Identity():
            pass
        case Relu():
            value = jnp.maximum(value, 0)
        case Clip(low=low, high=high):
            value = jnp.clip(value, low, high)
        case Table() as table:
            value = _look_up(table, value, quantised)
    return jnp.clip(value, stencil.out.low, stencil.out.high)


def _look_up(table: Table, value: Array, quantised: bool) -> Array:
    """The table's entries, joined by straight lines where the network is ideal or a gradient is asked for."""
    entries = jnp.asarray(table.entries, value.dtype)
    position = jnp.clip(value, table.input.low, table.input.high) - table.input.low
    below = jax.lax.stop_gradient(jnp.clip(jnp.floor(position), 0, len(table.entries) - 2)).astype(jnp.int32)
    line = entries[below] + (entries[below + 1] - entries[below]) * (position - below)
    if not quantised:
        return line
    return straight_through(line, entries[jax.lax.stop_gradient(position).astype(jnp.int32)])


def _pool(step: Pool, grid: Grid, u: Array, quantised: bool) -> Array:
    tile_y, tile_x = step.tile(grid)
    rows, cols = grid.height // tile_y, grid.width // tile_x
    tiles = u[:, : rows * tile_y, : cols * tile_x].reshape(grid.channels, rows, tile_y, cols, tile_x, -1)
    pooled = tiles.sum(axis=(2, 4)) if step.kind == "sum" else tiles.max(axis=(2, 4))
    return jnp.clip(rescale(pooled, step.shift(grid), quantised), step.out.low, step.out.high)
