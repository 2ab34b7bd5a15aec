"""The golden model: the numeric contract in plain numpy integers, batched. It shares no arithmetic with any other implementation.

The contract, one place and one order: exact accumulation, arithmetic right shift with round half
up, φ, saturation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npde.errors import ProgramError
from npde.fixed import Q
from npde.model import Model, Weights
from npde.program import Clip, Dense, Grid, Identity, Pool, Relu, Stencil, Table

Field = NDArray[np.int64]

_PAD = {"periodic": "wrap", "dirichlet": "constant", "neumann": "edge"}


@dataclass(frozen=True)
class Answer:
    """``output``: integers (batch, height, width, channels) of the last grid; ``label``: (batch,) or None without argmax."""

    output: Field
    label: NDArray[np.int64] | None


def rescale(acc: Field, shift: int) -> Field:
    """``acc / 2**shift`` rounded half up, by adding half and shifting right arithmetically."""
    return acc if shift == 0 else (acc + (1 << (shift - 1))) >> shift


def saturate(value: Field, q: Q) -> Field:
    """Clamp to the integers of ``q``."""
    return np.clip(value, q.low, q.high)


def run(model: Model, fields: NDArray[np.integer], *, batch: int = 256, progress: Callable[[int], None] | None = None) -> Answer:
    """Answer for ``fields``, integers (batch, height, width, channels) of the input format.

    ``progress`` is told after each chunk of ``batch`` frames how many were done. Raises
    :class:`ProgramError` for another shape or integers outside the input format.
    """
    fields = _checked(model, fields)
    outputs = []
    for start in range(0, len(fields), batch):
        chunk = fields[start : start + batch]
        for after in _evolve(model, chunk):
            chunk = after
        outputs.append(chunk)
        if progress is not None:
            progress(len(chunk))
    output = np.concatenate(outputs) if outputs else np.zeros((0, *model.program.output.shape), np.int64)
    label = output.reshape(len(output), model.program.output.size).argmax(axis=1) if model.program.argmax else None
    return Answer(output, label)


def trace(model: Model, fields: NDArray[np.integer]) -> list[Field]:
    """The field before the first step and after every step, repeats one by one."""
    fields = _checked(model, fields)
    return [fields, *_evolve(model, fields)]


def accumulate(stencil: Stencil, grid: Grid, weights: Weights, u: Field) -> Field:
    """The exact accumulator of one time step on ``u`` (batch, height, width, channels)."""
    top, bottom = -min(dy for dy, _ in (*stencil.taps, (0, 0))), max(dy for dy, _ in (*stencil.taps, (0, 0)))
    left, right = -min(dx for _, dx in (*stencil.taps, (0, 0))), max(dx for _, dx in (*stencil.taps, (0, 0)))
    # numpy's pad modes take the border of a contiguous array: pad the two grid axes alone.
    padded = np.pad(u, ((0, 0), (top, bottom), (left, right), (0, 0)), mode=_PAD[stencil.boundary])  # type: ignore[call-overload]
    rows, cols = -(-grid.height // stencil.stride), -(-grid.width // stencil.stride)
    windows = [
        padded[:, top + dy :: stencil.stride, left + dx :: stencil.stride][:, :rows, :cols] for dy, dx in stencil.taps
    ]
    columns = np.concatenate(windows, axis=-1).reshape(-1, len(stencil.taps) * grid.channels)
    matrix = weights.kernel.transpose(2, 1, 0).reshape(-1, stencil.out_channels)
    acc = _exact_matmul(columns, matrix, grid.q).reshape(len(u), rows, cols, stencil.out_channels)
    acc += weights.bias << stencil.bias_shift(grid)
    if stencil.skip:
        acc += u << stencil.weight.frac
    return acc


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


def pool(step: Pool, grid: Grid, u: Field) -> Field:
    """Sum or maximum over whole tiles, then rescale and saturate."""
    tile_y, tile_x = step.tile(grid)
    rows, cols = grid.height // tile_y, grid.width // tile_x
    tiles = u[:, : rows * tile_y, : cols * tile_x].reshape(len(u), rows, tile_y, cols, tile_x, grid.channels)
    pooled = tiles.sum(axis=(2, 4)) if step.kind == "sum" else tiles.max(axis=(2, 4))
    return saturate(rescale(pooled, step.shift(grid)), step.out)


def _evolve(model: Model, u: Field) -> Iterator[Field]:
    for index, (step, grid) in enumerate(zip(model.program.steps, model.program.grids(), strict=False)):
        match step:
            case Pool():
                u = pool(step, grid, u)
                yield u
            case Dense():
                flat = step.as_stencil()
                cell = Dense.flatten(grid)
                u = react(flat, cell, accumulate(flat, cell, model.weights[index], u.reshape(len(u), 1, 1, -1)))
                yield u
            case Stencil():
                for _ in range(step.repeat):
                    u = react(step, grid, accumulate(step, grid, model.weights[index], u))
                    yield u


def _exact_matmul(columns: Field, matrix: Field, q: Q) -> Field:
    """``columns @ matrix`` exactly: through BLAS while every partial sum is an integer the float type holds."""
    bound = int(np.abs(matrix).sum(axis=0).max(initial=0)) * -q.low
    if bound <= 1 << 24:
        return (columns.astype(np.float32) @ matrix.astype(np.float32)).astype(np.int64)
    if bound <= 1 << 53:
        return (columns.astype(np.float64) @ matrix.astype(np.float64)).astype(np.int64)
    return columns @ matrix


def _checked(model: Model, fields: NDArray[np.integer]) -> Field:
    grid = model.program.input
    if fields.ndim != 4 or fields.shape[1:] != grid.shape:
        raise ProgramError(f"the golden model takes fields of shape (batch, *{grid.shape}), not {fields.shape}")
    if not np.issubdtype(fields.dtype, np.integer):
        raise ProgramError(f"the golden model takes integers of {grid.q}, not {fields.dtype}")
    if fields.size and not (grid.q.low <= fields.min() and fields.max() <= grid.q.high):
        raise ProgramError(f"input spans [{fields.min()}, {fields.max()}] and leaves the range of {grid.q}")
    return fields.astype(np.int64, copy=False)  # narrower integers would overflow where a skip shifts them
