"""The program as a differentiable jax function, in units in the last place, ideal or on the contract's integers.

Fields lie as (channels, height, width, batch): a stencil is then one matrix product with a long
contiguous axis, which XLA's CPU backend runs about twice as fast as its convolution inside a scan.

With ``quantised`` every value is an integer held in a float. Forward, the integers are those of
the numeric contract; backward, rounding passes gradients straight through (Bengio, Léonard and
Courville 2013; Jacob et al. 2018). Floats of 24 (53) significant bits hold such integers exactly
while the accumulator has at most 25 (54) bits, for ANY weights: :func:`precision` decides.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from npde.fixed import Q
from npde.program import Clip, Dense, Grid, Identity, Pool, Program, Relu, Stencil, Table
from npde.training.errors import TrainingError

Parameters = Mapping[str, Array]

_PAD = {"periodic": "wrap", "dirichlet": "constant", "neumann": "edge"}


def precision(program: Program) -> type[np.float32] | type[np.float64]:
    """The narrowest float that holds every accumulator of ``program`` exactly; raises :class:`TrainingError` for none."""
    widths = [stencil.accumulator_width(grid) for _, stencil, grid in program.weighted()]
    widths += [
        step.accumulator_width(grid)
        for step, grid in zip(program.steps, program.grids(), strict=False)
        if isinstance(step, Pool)
    ]
    widest = max(widths)
    if widest > 54:
        raise TrainingError(
            f"program {program.name!r} has an accumulator of {widest} bits; training holds at most 54 exactly"
        )
    return np.float32 if widest <= 25 else np.float64


def evolve(program: Program, parameters: Parameters, fields: Array, *, quantised: bool) -> Array:
    """The last grid, (channels, height, width, batch), for input integers ``fields`` of the same layout.

    ``parameters`` are real numbers, ``"{index}.kernel"`` (out_channels, in_channels, taps) and
    ``"{index}.bias"`` (out_channels,). Both sides are in units in the last place of their format.
    """
    u = fields
    for index, (step, grid) in enumerate(zip(program.steps, program.grids(), strict=False)):
        match step:
            case Pool():
                u = _pool(step, grid, u, quantised)
            case Dense():
                cell = u.transpose(1, 2, 0, 3).reshape(grid.size, 1, 1, -1)
                u = _advance(step.as_stencil(), Dense.flatten(grid), parameters, index, cell, quantised)
            case Stencil():
                u = _advance(step, grid, parameters, index, u, quantised)
    return u


def _advance(stencil: Stencil, grid: Grid, parameters: Parameters, index: int, u: Array, quantised: bool) -> Array:
    kernel = units(parameters[f"{index}.kernel"], stencil.weight, quantised)
    bias = units(parameters[f"{index}.bias"], stencil.bias, quantised) * 2.0 ** stencil.bias_shift(grid)

    def euler(u: Array) -> Array:
        acc = _convolve(stencil, grid, kernel, u) + bias[:, None, None, None]
        if stencil.skip:
            acc = acc + u * 2.0**stencil.weight.frac
        return _react(stencil, _rescale(acc, stencil.shift(grid), quantised), quantised)

    if stencil.repeat == 1:
        return euler(u)
    return jax.lax.scan(lambda field, _: (euler(field), None), u, None, length=stencil.repeat)[0]


def _convolve(stencil: Stencil, grid: Grid, kernel: Array, u: Array) -> Array:
    reach = [(min(0, *axis), max(0, *axis)) for axis in zip(*stencil.taps, (0, 0), strict=True)]
    (top, bottom), (left, right) = reach
    padded = jnp.pad(u, ((0, 0), (-top, bottom), (-left, right), (0, 0)), mode=_PAD[stencil.boundary])
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


def _react(stencil: Stencil, value: Array, quantised: bool) -> Array:
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
    return _straight_through(line, entries[jax.lax.stop_gradient(position).astype(jnp.int32)])


def _pool(step: Pool, grid: Grid, u: Array, quantised: bool) -> Array:
    tile_y, tile_x = step.tile(grid)
    rows, cols = grid.height // tile_y, grid.width // tile_x
    tiles = u[:, : rows * tile_y, : cols * tile_x].reshape(grid.channels, rows, tile_y, cols, tile_x, -1)
    pooled = tiles.sum(axis=(2, 4)) if step.kind == "sum" else tiles.max(axis=(2, 4))
    return jnp.clip(_rescale(pooled, step.shift(grid), quantised), step.out.low, step.out.high)


def _rescale(acc: Array, shift: int, quantised: bool) -> Array:
    """Divided by ``2**shift``; if quantised, rounded half up. Both are exact: a power of two, and one more bit."""
    value = acc * 2.0**-shift
    return _straight_through(value, jnp.floor(value + 0.5)) if quantised and shift else value


def units(real: Array, q: Q, quantised: bool) -> Array:
    """Real parameters in units in the last place of ``q``; if quantised, rounded half up and saturated."""
    value = real * 2.0**q.frac
    return _straight_through(value, jnp.clip(jnp.floor(value + 0.5), q.low, q.high)) if quantised else value


def _straight_through(ideal: Array, rounded: Array) -> Array:
    """``rounded``, bit for bit, with the gradient of ``ideal``."""

    @jax.custom_vjp
    def choose(ideal: Array, rounded: Array) -> Array:
        return rounded

    choose.defvjp(lambda ideal, rounded: (rounded, None), lambda _, gradient: (gradient, jnp.zeros_like(gradient)))
    return choose(ideal, rounded)
