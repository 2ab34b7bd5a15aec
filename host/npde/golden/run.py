"""A model's answers and its field step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npde.errors import ProgramError
from npde.golden import evolution
from npde.golden.contract import Field
from npde.golden.steps import accumulate, pool, react, recur
from npde.model import Model
from npde.program import Dense, Evolve, Pool, Recurrent, Stencil


@dataclass(frozen=True)
class Answer:
    """``output``: integers (batch, height, width, channels) of the last grid; ``label``: (batch,) or None without argmax."""

    output: Field
    label: NDArray[np.int64] | None


def run(model: Model, fields: NDArray[np.integer], *, batch: int = 256, progress: Callable[[int], None] | None = None) -> Answer:
    """Answer for ``fields``, integers (batch, height, width, channels) of the input format.

    ``progress`` is told after each chunk of ``batch`` frames how many were done. Raises
    :class:`ProgramError` for another shape or integers outside the input format.
    """
    fields = _checked(model, fields)
    outputs = []
    for start in range(0, len(fields), batch):
        chunk = fields[start : start + batch]
        for after in _advance(model, chunk):
            chunk = after
        outputs.append(chunk)
        if progress is not None:
            progress(len(chunk))
    output = np.concatenate(outputs) if outputs else np.zeros((0, *model.program.output.shape), np.int64)
    label = output.reshape(len(output), model.program.output.size).argmax(axis=1) if model.program.argmax else None
    return Answer(output, label)


def trace(model: Model, fields: NDArray[np.integer]) -> list[Field]:
    """The field before the first step and after every step, repeats, time steps and rows one by one."""
    fields = _checked(model, fields)
    return [fields, *_advance(model, fields)]


def _advance(model: Model, u: Field) -> Iterator[Field]:
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
            case Recurrent():
                for state in recur(step, grid, model.weights[index], u):
                    u = state
                    yield u
            case Evolve():
                for field in evolution.advance(step, grid, model.weights[index], u):
                    u = field
                    yield u


def _checked(model: Model, fields: NDArray[np.integer]) -> Field:
    grid = model.program.input
    if fields.ndim != 4 or fields.shape[1:] != grid.shape:
        raise ProgramError(f"the golden model takes fields of shape (batch, *{grid.shape}), not {fields.shape}")
    if not np.issubdtype(fields.dtype, np.integer):
        raise ProgramError(f"the golden model takes integers of {grid.q}, not {fields.dtype}")
    if fields.size and not (grid.q.low <= fields.min() and fields.max() <= grid.q.high):
        raise ProgramError(f"input spans [{fields.min()}, {fields.max()}] and leaves the range of {grid.q}")
    return fields.astype(np.int64, copy=False)  # narrower integers would overflow where a skip shifts them
