"""Coefficients that are stable whatever a descent does with them: a real number z each, mapped into an interval.

    c = low + (high - low)·σ(z),     σ(z) = 1/(1 + e⁻ᶻ),     dc/dz = (c - low)(high - c)/(high - low)

The interval is open and its ends come from the scheme's own limit (:mod:`npde.equation.limits`): von Neumann's symbol
with every coefficient frozen at either end. What lies between the ends is as stable as they are: for ∇·(D∇u) with D averaged
onto the faces the step's matrix is symmetric and, by Gershgorin, has its eigenvalues in [1 - 8·max D·dt/h², 1], stable up to
max D = h²/4dt on a plane; for a leapfrog H = -½∇² + V is symmetric with its spectrum between min V and 4/h² + max V,
stable up to max V = 2/dt - 4/h² and down to min V = -2/dt. For nonlinear rates it is the discretiser's linear judgement
about given states, no more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from npde.training.constrained.forward import Real
from npde.training.errors import TrainingError

Extremes = Mapping[str, tuple[float, float]]

UNBOUNDED = 1e6
"""A coefficient so far from its low end that is still stable has no limit worth naming."""
RESOLUTION = 1e-9


@dataclass(frozen=True)
class Unknown:
    """A coefficient to be found: one number, or with ``per_cell`` a map (height, width).

    It stays between ``low`` and ``high``; without ``high``, below the largest stable value. ``start`` is where the descent begins,
    a number or a map, by default the interval's middle.
    """

    low: float = 0.0
    high: float | None = None
    per_cell: bool = False
    start: ArrayLike | None = None


@dataclass(frozen=True)
class Interval:
    """The open interval a coefficient is mapped into."""

    low: float
    high: float

    def value(self, z: Real) -> Real:
        """Real numbers to coefficients."""
        return self.low + (self.high - self.low) * expit(z)

    def slope(self, z: Real) -> Real:
        """dc/dz."""
        return (self.high - self.low) * expit(z) * expit(-z)

    def inverse(self, value: ArrayLike) -> Real:
        """Coefficients inside the interval to real numbers."""
        return np.asarray(logit((np.asarray(value, np.float64) - self.low) / (self.high - self.low)))


class Layout:
    """The vector z of all ``unknowns``, in their order, on a grid of ``shape`` (height, width) cells."""

    def __init__(self, unknowns: Mapping[str, Unknown], intervals: Mapping[str, Interval], shape: tuple[int, int]) -> None:
        self.intervals = intervals
        self.shapes: dict[str, tuple[int, ...]] = {
            name: shape if unknown.per_cell else () for name, unknown in unknowns.items()
        }

    def values(self, z: Real) -> dict[str, Real]:
        """The coefficients: () for a number, (height, width) for a map."""
        return {name: self.intervals[name].value(part) for name, part in self._parts(z).items()}

    def vector(self, values: Mapping[str, ArrayLike]) -> Real:
        """z of coefficients inside their intervals; a number serves every cell of a map. Raises :class:`TrainingError` for others."""
        parts = []
        for name, shape in self.shapes.items():
            value, interval = np.asarray(values[name], np.float64), self.intervals[name]
            if value.shape not in (shape, ()):
                raise TrainingError(f"the starting {name} has shape {value.shape}, not {shape}")
            if not np.isfinite(value).all():
                raise TrainingError(f"the starting {name} has values that are NaN or infinite")
            if not (interval.low < value.min() and value.max() < interval.high):
                raise TrainingError(
                    f"the starting {name} spans [{value.min():.6g}, {value.max():.6g}]; it may take what lies inside "
                    f"({interval.low:.6g}, {interval.high:.6g}), where the step is stable and its bounds hold"
                )
            parts.append(np.broadcast_to(interval.inverse(value), shape).ravel())
        return np.concatenate(parts)

    def chain(self, z: Real, slopes: Mapping[str, Real]) -> Real:
        """dJ/dz from dJ/dc."""
        return np.concatenate(
            [(self.intervals[name].slope(part) * slopes[name]).ravel() for name, part in self._parts(z).items()]
        )

    def _parts(self, z: Real) -> dict[str, Real]:
        found, first = {}, 0
        for name, shape in self.shapes.items():
            size = math.prod(shape)
            found[name] = z[first : first + size].reshape(shape)
            first += size
        return found


def stable_intervals(
    unknowns: Mapping[str, Unknown], largest_step: Callable[[Extremes], float], dt: float
) -> dict[str, Interval]:
    """Each unknown's interval, such that every corner of all of them together is stable with ``dt``.

    ``largest_step`` tells the largest stable step for unknowns anywhere between given extremes. One ``high`` may be left open:
    it is found by bisection, the others at both of theirs. Raises :class:`TrainingError` for an empty interval, for one that is
    unstable, for two open ends, and for an open one that nothing limits.
    """
    for name, unknown in unknowns.items():
        ends = (unknown.low, unknown.high if unknown.high is not None else math.inf)
        if math.isnan(ends[0]) or math.isnan(ends[1]) or math.isinf(ends[0]) or not ends[0] < ends[1]:
            raise TrainingError(f"{name} lies between a low and a higher high, not in ({unknown.low}, {unknown.high})")
    free = [name for name, unknown in unknowns.items() if unknown.high is None]
    if len(free) > 1:
        raise TrainingError(f"the largest stable {' and '.join(free)} depend on one another: give high for all but one")
    given = {name: (unknown.low, unknown.high) for name, unknown in unknowns.items() if unknown.high is not None}

    def step(high: float | None = None) -> float:
        return largest_step({**given, **({free[0]: (unknowns[free[0]].low, high)} if high is not None else {})})

    if not free:
        if (largest := step()) < dt * (1 - RESOLUTION):
            raise TrainingError(
                f"with {_told(given)} the step dt = {dt:g} is unstable: the largest stable one is {largest:.6g}; "
                "take a smaller dt or narrower intervals"
            )
        return {name: Interval(*ends) for name, ends in given.items()}

    low = unknowns[free[0]].low
    width = max(abs(low), 1e-3) * 1e-3
    if step(low + width) < dt:
        raise TrainingError(
            f"no {free[0]} from {low:g} upwards is stable with dt = {dt:g}"
            + (f" and {_told(given)}" if given else "")
            + f": the largest stable step is {step(low):.6g}"
        )
    while step(low + 2 * width) >= dt:
        width *= 2
        if width > UNBOUNDED:
            raise TrainingError(f"no {free[0]} is too great for dt = {dt:g}: give its high")
    stable, unstable = width, 2 * width
    while unstable - stable > RESOLUTION * unstable:
        middle = (stable + unstable) / 2
        stable, unstable = (middle, unstable) if step(low + middle) >= dt else (stable, middle)
    found = {**given, free[0]: (low, low + stable)}
    return {name: Interval(*found[name]) for name in unknowns}


def _told(given: Mapping[str, tuple[float, float]]) -> str:
    return " and ".join(f"{name} in ({low:g}, {high:g})" for name, (low, high) in given.items())
