"""A field continued beyond its grid's edges, and the transpose of that: the two halves of every stencil's adjoint."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npde.program import Boundary

Real = NDArray[np.float64]


def extend(field: Real, reach: tuple[int, int], boundary: Boundary) -> Real:
    """``field`` (height, width, batch) with ``reach`` (rows, columns) more cells on either side.

    Periodic: the cells of the other side; neumann: the edge's value; dirichlet: zero. Rows first, then columns, so that
    corners come from the rows already there. A reach is at most the cells along its axis.
    """
    for axis in (0, 1):
        cells, margin = field.shape[axis], reach[axis]
        if not margin:
            continue
        shape = list(field.shape)
        shape[axis] += 2 * margin
        wider = np.zeros(shape)
        inner, source = np.moveaxis(wider, axis, 0), np.moveaxis(field, axis, 0)
        inner[margin : margin + cells] = source
        if boundary == "periodic":
            inner[:margin], inner[margin + cells :] = source[cells - margin :], source[:margin]
        elif boundary == "neumann":
            inner[:margin], inner[margin + cells :] = source[:1], source[-1:]
        field = wider
    return field


def fold(wider: Real, reach: tuple[int, int], boundary: Boundary) -> Real:
    """The transpose of :func:`extend`: what its copies of a cell receive goes back to that cell; dirichlet's zeros drop it."""
    for axis in (1, 0):
        margin = reach[axis]
        cells = wider.shape[axis] - 2 * margin
        if not margin:
            continue
        source = np.moveaxis(wider, axis, 0)
        field = np.ascontiguousarray(np.moveaxis(source[margin : margin + cells], 0, axis))
        inner = np.moveaxis(field, axis, 0)
        before, after = source[:margin], source[margin + cells :]
        if boundary == "periodic":
            inner[cells - margin :] += before
            inner[:margin] += after
        elif boundary == "neumann":
            inner[0] += before.sum(axis=0)
            inner[-1] += after.sum(axis=0)
        wider = field
    return wider
