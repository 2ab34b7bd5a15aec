"""The largest stable step: von Neumann's symbol of the right-hand side, linearised about states and frozen maps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npde.equation.polynomial import Poly

MOST_WAVES = 48
SLACK = 1e-9
GAIN_SLACK = 1e-6
"""A leapfrog at its very limit has a double eigenvalue, whose computed modulus is off by the root of float's precision."""


@dataclass(frozen=True)
class Limit:
    """The largest stable ``dt`` (infinite where nothing restricts it, zero where no step is stable) and its worst wave, in units of π."""

    dt: float
    wave: tuple[float, float]


def symbols(rates: Sequence[Poly], state: Mapping[int, float], waves: NDArray[np.float64]) -> NDArray[np.complex128]:
    """The symbol L(θ), shape (waves, fields, fields), of ``rates`` linearised about ``state``: every channel's value, maps' too."""
    found = np.zeros((len(waves), len(rates), len(rates)), np.complex128)
    for row, poly in enumerate(rates):
        for key, value in poly.items():
            constants = [sum(form.weights) * state[form.channel] for form in key]
            for index, form in enumerate(key):
                if form.channel >= len(rates):
                    continue  # a map does not vary
                rest = math.prod(constants[:index] + constants[index + 1 :])
                if rest:
                    phase = waves @ np.array(form.taps, dtype=np.float64).T
                    found[:, row, form.channel] += (
                        float(value) * rest * (np.exp(1j * phase) @ np.array(form.weights, dtype=np.float64))
                    )
    return found


def largest_step(
    rates: Sequence[Poly], states: Sequence[Mapping[int, float]], shape: tuple[int, int], *, staggered: bool
) -> Limit:
    """The largest dt at which no wave grows that the equations themselves, continuous in time, let decay or keep.

    Euler's factor of an eigenvalue λ is 1 + dt·λ, within the unit circle up to dt = -2·Re λ/|λ|²: D·dt/h² ≤ 1/4
    for diffusion, c·dt/h ≤ 1 for upwind advection, nothing for central advection alone. ``staggered`` updates
    multiply by Π (1 + dt·Pₒ·L), one field after the other; for two fields that is Visscher's bound
    dt·λ(H) ≤ 2 (Computers in Physics 5, 1991, 596). Growth of the equations themselves (Re λ > 0, as where a reaction
    ignites) is no instability.
    """
    waves = wave_numbers(shape)
    worst = Limit(math.inf, (0.0, 0.0))
    for state in states:
        symbol = symbols(rates, state, waves)
        dt, wave = (_staggered if staggered else _euler)(symbol)
        if dt < worst.dt:
            worst = Limit(float(dt), (float(waves[wave][0] / np.pi), float(waves[wave][1] / np.pi)))
    return worst


def _euler(symbol: NDArray[np.complex128]) -> tuple[float, int]:
    values = np.linalg.eigvals(symbol)
    scale = np.abs(values).max()
    if not scale:
        return math.inf, 0
    size = np.abs(values)
    judged = (size > SLACK * scale) & (values.real <= SLACK * scale)
    damping = np.where(values.real > -SLACK * size, 0.0, -values.real)
    bounds = np.where(judged, 2 * damping / np.where(judged, size, 1) ** 2, np.inf).min(axis=1)
    return float(bounds.min()), int(bounds.argmin())


def _staggered(symbol: NDArray[np.complex128]) -> tuple[float, int]:
    values = np.linalg.eigvals(symbol)
    scale = np.abs(values).max()
    if not scale:
        return math.inf, 0
    judged = np.flatnonzero(
        (values.real <= GAIN_SLACK * scale).all(axis=1) & (np.abs(values) > SLACK * scale).any(axis=1)
    )
    if not judged.size:
        return math.inf, 0

    def gains(dt: float) -> NDArray[np.float64]:
        fields = symbol.shape[1]
        total = np.broadcast_to(np.eye(fields, dtype=np.complex128), (len(judged), fields, fields))
        for field in range(fields):
            factor = np.broadcast_to(np.eye(fields, dtype=np.complex128), total.shape).copy()
            factor[:, field, :] += dt * symbol[judged, field, :]
            total = factor @ total
        return np.abs(np.linalg.eigvals(total)).max(axis=1)

    low, high = 0.0, 0.0
    for dt in np.linspace(0, 4 / scale, 65)[1:]:
        if gains(float(dt)).max() > 1 + GAIN_SLACK:
            high = float(dt)
            break
        low = float(dt)
    if not high:
        return math.inf, 0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if gains(middle).max() > 1 + GAIN_SLACK else (middle, high)
    if low < 1e-6 / scale:
        low = 0.0
    return low, int(judged[gains(high).argmax()])


def wave_numbers(shape: tuple[int, int]) -> NDArray[np.float64]:
    """(waves, 2): θ of the waves the grid holds, at most :data:`MOST_WAVES` along an axis, the longest and the shortest kept."""
    axes = []
    for cells in shape:
        if cells == 1:
            axes.append(np.zeros(1))
            continue
        spread = np.round(np.linspace(0, cells // 2, min(cells // 2 + 1, MOST_WAVES // 2)))
        numbers = np.unique(
            np.concatenate([spread, np.arange(min(3, cells // 2) + 1)])
        )  # long waves limit central advection
        axes.append(np.unique(np.concatenate([2 * np.pi * numbers / cells, -2 * np.pi * numbers / cells, [np.pi]])))
    return np.array(list(itertools.product(axes[0], axes[1][axes[1] >= 0])))


def frozen(
    extremes: Sequence[tuple[float, float]], states: Sequence[Mapping[int, float]], fields: int
) -> Iterator[dict[int, float]]:
    """Every state with every corner of the maps' ranges."""
    for state in states:
        for corner in itertools.product(*({low, high} for low, high in extremes)):
            yield {**state, **{fields + number: value for number, value in enumerate(corner)}}
