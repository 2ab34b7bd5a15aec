"""The same scheme in float64: what an integer run is measured against. No arithmetic of the golden model is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npde.equation.polynomial import Poly
from npde.program import Boundary, Tap

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """The updates ``u[o] += Σ value·Π forms``, taken from the right-hand side before any merging or rounding.

    ``updates`` hold dt times each channel's rate; ``maps`` is (1 or times, height, width, maps), in reals.
    """

    updates: Sequence[Mapping[int, Poly]]
    boundary: Boundary
    maps: Real

    def step(self, u: Real, time: int = 0) -> Real:
        """The field (…, height, width, fields) one time step later; ``time`` picks the plane of maps."""
        for update in self.updates:
            u = self._update(update, u, time)
        return u

    def run(self, u: Real, steps: int, start: int = 0) -> Real:
        """The field after ``steps`` time steps."""
        u = np.asarray(u, np.float64)
        for time in range(start, start + steps):
            u = self.step(u, time)
        return u

    def _update(self, update: Mapping[int, Poly], u: Real, time: int) -> Real:
        plane = self.maps[time] if len(self.maps) > 1 else self.maps[0]
        seen: dict[tuple[int, Tap], Real] = {}

        def at(channel: int, tap: Tap) -> Real:
            if (channel, tap) not in seen:
                whole = u[..., channel] if channel < u.shape[-1] else plane[..., channel - u.shape[-1]]
                seen[channel, tap] = neighbour(neighbour(whole, tap[0], -2, self.boundary), tap[1], -1, self.boundary)
            return seen[channel, tap]

        after = u.copy()
        for channel, poly in update.items():
            for key, value in poly.items():
                product: Real | float = float(value)
                for form in key:
                    product = product * sum(
                        w * at(form.channel, tap) for tap, w in zip(form.taps, form.weights, strict=True)
                    )
                after[..., channel] += product
        return after


def neighbour(u: Real, distance: int, axis: int, boundary: Boundary) -> Real:
    """``u`` as seen ``distance`` cells further along ``axis``; beyond the edge: around it, the edge's value, or zero."""
    if not distance:
        return u
    cells = u.shape[axis]
    places = np.arange(cells) + distance
    match boundary:
        case "periodic":
            return np.take(u, places % cells, axis=axis)
        case "neumann":
            return np.take(u, np.clip(places, 0, cells - 1), axis=axis)
    inside = (places >= 0) & (places < cells)
    shape = [1] * u.ndim
    shape[axis] = cells
    return np.take(u, np.clip(places, 0, cells - 1), axis=axis) * inside.reshape(shape)
