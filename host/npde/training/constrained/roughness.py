"""Tikhonov's measure of a map: what a descent pays for a coefficient that jumps from cell to cell."""

from __future__ import annotations

import numpy as np

from npde.training.constrained.forward import Real


def roughness(field: Real, h: float, periodic: bool) -> tuple[float, Real]:
    """``1/(2·cells)·Σ |∇field|²`` by differences between neighbouring cells, across the edge where ``periodic``, and its derivative."""
    slope, total = np.zeros_like(field), 0.0
    for axis in (0, 1):
        cells = field.shape[axis]
        if cells == 1:
            continue
        step = (np.roll(field, -1, axis) - field) / h
        if not periodic:
            np.moveaxis(step, axis, 0)[-1] = 0
        total += float((step**2).sum()) / (2 * field.size)
        slope += (np.roll(step, 1, axis) - step) / (h * field.size)
    return total, slope
