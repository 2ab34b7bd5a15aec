"""The program in real numbers: saturating and clipping as it does, rounding nowhere. Plain numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npde.program import Clip, Dense, Grid, Identity, Phi, Pool, Program, Q, Relu, Stencil, Table
from npde.training.errors import TrainingError
from npde.training.parameters import Tensors
from npde.training.pseudoinverse.rows import blocks, rows

Field = NDArray[np.floating]


def answers(program: Program, tensors: Tensors, fields: NDArray[np.integer]) -> Field:
    """The last grid's real values (n, height, width, channels) for input integers ``fields`` of that layout.

    Raises :class:`TrainingError` for steps other than stencils, pools and dense ones.
    """
    return np.concatenate([_advance(program, tensors, program.input.q.real(u).astype(np.float32)) for u in blocks(fields)])


def accuracy(program: Program, tensors: Tensors, fields: NDArray[np.integer], labels: NDArray[np.int64]) -> float:
    """The share of ``fields`` whose greatest real answer has the right label."""
    return float(np.mean(answers(program, tensors, fields).reshape(len(fields), -1).argmax(axis=1) == labels))


def _advance(program: Program, tensors: Tensors, u: Field) -> Field:
    for index, (step, grid) in enumerate(zip(program.steps, program.grids(), strict=False)):
        match step:
            case Pool():
                u = _pool(step, grid, u)
            case Dense():
                u = _update(step, grid, tensors[f"{index}.kernel"], tensors[f"{index}.bias"], u)
            case Stencil():
                for _ in range(step.repeat):
                    u = _update(step, grid, tensors[f"{index}.kernel"], tensors[f"{index}.bias"], u)
            case _:
                raise TrainingError(f"step {index} of {program.name!r} is neither a stencil, a pool nor dense")
    return u


def _update(step: Stencil | Dense, grid: Grid, kernel: NDArray, bias: NDArray, u: Field) -> Field:
    after = step.grid_after(grid, "step")
    matrix = kernel.transpose(2, 1, 0).reshape(-1, after.channels)
    value = (rows(step, grid, u) @ matrix + bias).reshape(len(u), *after.shape)
    if isinstance(step, Stencil) and step.skip:
        value = value + u
    return _react(step.phi, step.out, value)


def _react(phi: Phi, out: Q, value: Field) -> Field:
    ulp = float(out.step)
    match phi:
        case Identity():
            pass
        case Relu():
            value = np.maximum(value, 0)
        case Clip(low=low, high=high):
            value = np.clip(value, low * ulp, high * ulp)
        case Table(input=index, entries=entries):
            value = np.interp(value, index.real(np.arange(index.low, index.high + 1)), out.real(entries))
    return np.clip(value, out.low * ulp, out.high * ulp).astype(np.float32)


def _pool(step: Pool, grid: Grid, u: Field) -> Field:
    tall, wide = step.tile(grid)
    height, width = grid.height // tall, grid.width // wide
    tiles = u[:, : height * tall, : width * wide].reshape(len(u), height, tall, width, wide, grid.channels)
    pooled = tiles.sum(axis=(2, 4)) if step.kind == "sum" else tiles.max(axis=(2, 4))
    return np.clip(pooled, step.out.low * float(step.out.step), step.out.high * float(step.out.step))
