"""Least squares from streamed sums: the pseudoinverse of a matrix that is never held whole.

The pseudoinverse solution H⁺Y (Guo and Lyu 2004, equation 4) needs of H (samples × values) and Y (samples × targets)
only HᵀH and HᵀY, which add up block by block: sixty thousand samples take no more memory than a thousand.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from npde.training.errors import TrainingError

Real = NDArray[np.float64]

ROUNDING = 1 / 12
"""The variance, in units in the last place, that rounding to integers adds (Widrow 1956)."""

FEWEST = 16


class Gram:
    """Sums over samples of ``rows`` (n, width) and ``targets`` (n, targets), and what follows from them.

    All solutions are of the centred problem, so that an affine map comes out: Y ≈ H·weights + bias, the bias free of
    any ridge. Integers are summed exactly, whatever the size of the blocks they come in.
    """

    def __init__(self, width: int, targets: int = 0) -> None:
        self.count = 0
        self.total = np.zeros(width)
        self.square = np.zeros((width, width))
        self.target_total = np.zeros(targets)
        self.target_square = 0.0
        self.cross = np.zeros((width, targets))

    @property
    def width(self) -> int:
        """The values of one sample."""
        return len(self.total)

    def add(self, rows: NDArray, targets: NDArray | None = None) -> None:
        """Take in samples; raises :class:`TrainingError` for other shapes or values that are not finite."""
        y = np.zeros((len(rows), 0), np.int8) if targets is None else targets
        if rows.shape != (len(rows), self.width) or y.shape != (len(rows), self.cross.shape[1]):
            raise TrainingError(
                f"samples of shape {rows.shape} with targets of shape {y.shape} do not fit sums over "
                f"{self.width} values and {self.cross.shape[1]} targets"
            )
        for what, array in (("samples", rows), ("targets", y)):
            if np.issubdtype(array.dtype, np.inexact) and not np.isfinite(array).all():
                at = np.flatnonzero(~np.isfinite(array).all(axis=1))[0]
                raise TrainingError(f"{what} hold NaN or infinite values, first in row {self.count + at}: they must be finite")
        for h, t in _exact_chunks(rows, y):
            self.square += h.T @ h
            if y.shape[1]:
                self.cross += h.T @ t
        self.total += rows.sum(axis=0, dtype=np.float64)
        self.target_total += y.sum(axis=0, dtype=np.float64)
        self.target_square += float(np.sum(np.square(y, dtype=np.float64)))
        self.count += len(rows)

    @property
    def mean(self) -> Real:
        """The mean sample, (width,)."""
        return self.total / max(self.count, 1)

    @property
    def covariance(self) -> Real:
        """The sum of squares about the mean over the number of samples, (width, width)."""
        return self._centred() / max(self.count, 1)

    def spectrum(self) -> tuple[Real, Real]:
        """The squared singular values of the centred samples, greatest first, and their right singular vectors as columns."""
        values, vectors = np.linalg.eigh(self._centred())
        return np.maximum(values[::-1], 0), vectors[:, ::-1]

    def rank(self, *, noise: float = 0.0) -> int:
        """How many singular values rise above rounding.

        The floor is that of float64 arithmetic on the sums and, with samples that carry independent ``noise`` of
        that variance (:data:`ROUNDING` for rounded fields), the greatest squared singular value such noise has by
        itself: n·noise·(1 + √(width/n))² (Marchenko and Pastur 1967).
        """
        return int(np.count_nonzero(self.spectrum()[0] > self._floor(noise)))

    def solve(self, ridge: float = 0.0) -> tuple[Real, Real]:
        """``(weights (width, targets), bias (targets,))`` that minimise ‖H·weights + bias - Y‖² + κ‖weights‖².

        κ is ``ridge`` times the mean of the squared singular values. Without a ridge the pseudoinverse is truncated
        at the numerical rank, which gives the least weights of all that fit best. Raises :class:`TrainingError` when
        nothing was summed, all samples are equal, or a ridge is negative.
        """
        if not ridge >= 0:
            raise TrainingError(f"a ridge is 0 or more, not {ridge:g}")
        centred = self._centred()
        if self.count < 2 or np.trace(centred) <= self._floor(0.0):
            raise TrainingError(f"{self.count} sample(s) of {self.width} values are all equal: a readout needs samples that differ")
        cross = self.cross - np.outer(self.total, self.target_total) / self.count
        if ridge > 0:
            kappa = ridge * np.trace(centred) / self.width
            centred[np.diag_indices(self.width)] += kappa
            weights = _cholesky_solve(centred, cross)
        else:
            values, vectors = self.spectrum()
            kept = values > self._floor(0.0)
            weights = vectors[:, kept] @ ((vectors[:, kept].T @ cross) / values[kept, None])
        return weights, (self.target_total - self.total @ weights) / self.count

    def error(self, weights: Real, bias: Real) -> float:
        """‖H·weights + bias - Y‖² over all samples summed."""
        fit = np.sum(weights * (self.square @ weights)) + 2 * (self.total @ weights) @ bias + self.count * (bias @ bias)
        return float(self.target_square - 2 * (np.sum(weights * self.cross) + bias @ self.target_total) + fit)

    def _centred(self) -> Real:
        return self.square - np.outer(self.total, self.total) / max(self.count, 1)

    def _floor(self, noise: float) -> float:
        arithmetic = self.width * np.finfo(np.float64).eps * np.trace(self.square)
        spread = (1 + np.sqrt(self.width / max(self.count, 1))) ** 2
        return max(arithmetic, self.count * noise * spread)


def one_hot(labels: NDArray[np.integer], classes: int) -> NDArray[np.int8]:
    """Targets (n, classes), int8: 1 at the sample's label; raises :class:`TrainingError` for labels that are no class."""
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        at = int(np.flatnonzero((labels < 0) | (labels >= classes))[0])
        raise TrainingError(f"sample {at} has label {labels[at]}: labels go from 0 to {classes - 1}")
    return np.eye(classes, dtype=np.int8)[labels]


def _cholesky_solve(matrix: Real, right: Real) -> Real:
    try:
        return linalg.cho_solve(linalg.cho_factor(matrix, overwrite_a=True), right)
    except linalg.LinAlgError:
        raise TrainingError("the ridge is too small for these samples: the normal equations are singular; take a greater one") from None


def _exact_chunks(rows: NDArray, targets: NDArray) -> Iterator[tuple[NDArray, NDArray]]:
    """Pieces of both in floats: float32 for integers while it holds every sum of products exactly, else float64."""
    if all(np.issubdtype(array.dtype, np.integer) for array in (rows, targets)) and rows.size:
        largest = max(1, *(abs(int(end)) for array in (rows, targets) if array.size for end in (array.min(), array.max())))
        step = (1 << 24) // largest**2
        if step >= FEWEST:
            for first in range(0, len(rows), step):
                yield rows[first : first + step].astype(np.float32), targets[first : first + step].astype(np.float32)
            return
    yield rows.astype(np.float64), targets.astype(np.float64)
