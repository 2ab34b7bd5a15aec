"""Stencils and pooling: exact accumulation, arithmetic right shift with round half up, φ, saturation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from npde.fixed import Q
from npde.golden.contract import PAD, Field, rescale, saturate
from npde.model import Weights
from npde.program import Clip, Grid, Identity, Pool, Recurrent, Relu, Stencil, Table


def accumulate(stencil: Stencil, grid: Grid, weights: Weights, u: Field) -> Field:
    """The exact accumulator of one time step on ``u`` (batch, height, width, channels)."""
    matrix = weights.kernel.transpose(2, 1, 0).reshape(-1, stencil.out_channels)
    rows, cols = -(-grid.height // stencil.stride), -(-grid.width // stencil.stride)
    acc = _exact_matmul(windows(stencil, grid, u), matrix, grid.q).reshape(len(u), rows, cols, stencil.out_channels)
    acc += weights.bias << stencil.bias_shift(grid)
    if stencil.skip:
        acc += u << stencil.weight.frac
    return acc


def windows(stencil: Stencil, grid: Grid, u: NDArray) -> NDArray:
    """What each cell after ``stencil`` sees of ``u`` (batch, height, width, channels): (batch · cells, taps · channels), tap by tap."""
    top, bottom = -min(dy for dy, _ in (*stencil.taps, (0, 0))), max(dy for dy, _ in (*stencil.taps, (0, 0)))
    left, right = -min(dx for _, dx in (*stencil.taps, (0, 0))), max(dx for _, dx in (*stencil.taps, (0, 0)))
    # numpy's pad modes take the border of a contiguous array: pad the two grid axes alone.
    padded = np.pad(u, ((0, 0), (top, bottom), (left, right), (0, 0)), mode=PAD[stencil.boundary])  # type: ignore[call-overload]
    rows, cols = -(-grid.height // stencil.stride), -(-grid.width // stencil.stride)
    seen = [padded[:, top + dy :: stencil.stride, left + dx :: stencil.stride][:, :rows, :cols] for dy, dx in stencil.taps]
    return np.concatenate(seen, axis=-1).reshape(-1, len(stencil.taps) * grid.channels)


def react(stencil: Stencil, grid: Grid, acc: Field) -> Field:
    """Rescale, φ, saturate."""
    value = rescale(acc, stencil.shift(grid))
    match stencil.phi:
        case Identity():
            pass
        case Relu():
            value = np.maximum(value, 0)
        case Clip(low=low, high=high):
            value = np.clip(value, low, high)
        case Table(input=index_format, entries=entries):
            value = np.asarray(entries, np.int64)[saturate(value, index_format) - index_format.low]
    return saturate(value, stencil.out)


def recur(step: Recurrent, grid: Grid, weights: Weights, u: Field) -> Iterator[Field]:
    """The state (batch, 1, 1, out_channels) after each row of ``u``."""
    state = np.zeros((len(u), 1, 1, step.out_channels), np.int64)
    for row in range(grid.height):
        source = u[:, row].reshape(len(u), 1, 1, -1)
        seen = np.concatenate([source, state], axis=-1)
        state = react(step.as_stencil(), step.cell(grid), accumulate(step.as_stencil(), step.cell(grid), weights, seen))
        yield state


def pool(step: Pool, grid: Grid, u: Field) -> Field:
    """Sum or maximum over whole tiles, then rescale and saturate."""
    tile_y, tile_x = step.tile(grid)
    rows, cols = grid.height // tile_y, grid.width // tile_x
    tiles = u[:, : rows * tile_y, : cols * tile_x].reshape(len(u), rows, tile_y, cols, tile_x, grid.channels)
    pooled = tiles.sum(axis=(2, 4)) if step.kind == "sum" else tiles.max(axis=(2, 4))
    return saturate(rescale(pooled, step.shift(grid)), step.out)


def _exact_matmul(columns: Field, matrix: Field, q: Q) -> Field:
    """``columns @ matrix`` exactly: through BLAS while every partial sum is an integer the float type holds."""
    bound = int(np.abs(matrix).sum(axis=0).max(initial=0)) * -q.low
    if bound <= 1 << 24:
        return (columns.astype(np.float32) @ matrix.astype(np.float32)).astype(np.int64)
    if bound <= 1 << 53:
        return (columns.astype(np.float64) @ matrix.astype(np.float64)).astype(np.int64)
    return columns @ matrix
