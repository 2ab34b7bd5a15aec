"""What one hidden unit sees, as rows: whole samples before a dense step, patches before a stencil."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from npde import golden
from npde.model import Model, Weights
from npde.program import Dense, Grid, Program, Stencil

Integers = NDArray[np.integer]

BLOCK = 1024
"""Frames computed at a time."""

MOST_ROWS = 1 << 16
"""Patches that a layer's statistics are taken over; beyond, frames are left out evenly."""


def rows(step: Stencil | Dense, grid: Grid, fields: NDArray) -> NDArray:
    """What each output of ``step`` sees of ``fields`` (n, height, width, channels): (n · cells, taps · channels), tap by tap."""
    if isinstance(step, Dense):
        return fields.reshape(len(fields), -1)
    return golden.windows(step, grid, fields)


def kernel_of(directions: NDArray, step: Stencil | Dense, grid: Grid) -> NDArray:
    """Weights on :func:`rows`, (out_channels, values), as the step's kernel (out_channels, in_channels, taps)."""
    if isinstance(step, Dense):
        return directions[:, :, None]
    return directions.reshape(len(directions), len(step.taps), grid.channels).transpose(0, 2, 1)


def spread(fields: Integers, cells: int) -> Integers:
    """Frames of ``fields``, evenly taken, that have no more than :data:`MOST_ROWS` rows at ``cells`` a frame."""
    most = max(MOST_ROWS // cells, 1)
    if len(fields) <= most:
        return fields
    return fields[np.linspace(0, len(fields) - 1, most).astype(int)]


def blocks(fields: Integers) -> Iterator[Integers]:
    """``fields`` in pieces of :data:`BLOCK` frames."""
    for first in range(0, len(fields), BLOCK):
        yield fields[first : first + BLOCK]


def hidden(program: Program, steps: int, weights: Mapping[int, Weights], fields: Integers) -> Integers:
    """The golden model's integers after the first ``steps`` steps of ``program``, for input integers ``fields``.

    The next layer is so solved for what the hardware will compute, rounding and saturation included.
    """
    if not steps:
        return fields
    head = Program(name=program.name, input=program.input, steps=program.steps[:steps])
    return golden.run(Model(head, {index: w for index, w in weights.items() if index < steps}), fields).output
