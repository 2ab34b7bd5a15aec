"""What was seen of a run: snapshots at some of its time steps, and how far a run is from them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from npde.training.constrained.forward import Real
from npde.training.errors import TrainingError


@dataclass(frozen=True)
class Observations:
    """Fields seen after ``times`` steps of runs from known initial states.

    ``start`` is (runs, height, width, fields), ``snapshots`` (len(times), runs, height, width, fields), reals in the equation's own
    units; ``times`` increase, the first at least 1. ``steps`` is how long the runs are, by default until the last time.
    Raises :class:`TrainingError` for shapes that do not fit each other, values that are not finite, and times that
    do not increase or lie beyond the run.
    """

    start: ArrayLike
    times: Sequence[int]
    snapshots: ArrayLike
    steps: int | None = None

    def __post_init__(self) -> None:
        start, snapshots = np.asarray(self.start, np.float64), np.asarray(self.snapshots, np.float64)
        times = tuple(self.times)
        if start.ndim != 4 or not start.size:
            raise TrainingError(f"initial states have the shape (runs, height, width, fields), not {start.shape}")
        if not times or any(int(time) != time for time in times):
            raise TrainingError(f"observation times are whole numbers of time steps, at least one of them, not {list(times)}")
        if times[0] < 1 or any(later <= time for time, later in itertools.pairwise(times)):
            raise TrainingError(f"observation times increase from 1 or later on, not {list(times)}")
        if self.steps is not None and times[-1] > self.steps:
            raise TrainingError(f"observation time {times[-1]} lies beyond the run of {self.steps} time steps")
        if snapshots.shape != (len(times), *start.shape):
            raise TrainingError(
                f"{len(times)} observation time(s) of states {start.shape} need snapshots {(len(times), *start.shape)}, not {snapshots.shape}"
            )
        for what, values in (("initial states", start), ("snapshots", snapshots)):
            if not np.isfinite(values).all():
                raise TrainingError(f"the {what} have {np.count_nonzero(~np.isfinite(values))} value(s) that are NaN or infinite")
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "snapshots", snapshots)
        object.__setattr__(self, "times", tuple(int(time) for time in times))

    @property
    def count(self) -> int:
        """Values observed."""
        return int(np.asarray(self.snapshots).size)

    @property
    def scale(self) -> float:
        """Their root mean square about their mean, or 1 if they are all the same."""
        return float(np.std(np.asarray(self.snapshots))) or 1.0

    def fits(self, shape: tuple[int, ...]) -> None:
        """Raise :class:`TrainingError` unless the states have the grid's ``shape`` (height, width, fields)."""
        if np.asarray(self.start).shape[1:] != tuple(shape):
            raise TrainingError(f"the observed states have the shape {np.asarray(self.start).shape[1:]}, the grid has {tuple(shape)}")

    def misfit(self, time: int, u: Real, scale: float) -> tuple[float, Real] | None:
        """``Σ (u - seen)²/(2·count·scale²)`` over this time's values and its derivative; None at other times."""
        if time not in self.times:
            return None
        away = u - np.asarray(self.snapshots)[self.times.index(time)]
        weight = 1 / (self.count * scale**2)
        return float((away**2).sum() * weight / 2), away * weight
