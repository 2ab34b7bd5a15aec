"""From directions to a step's integers: how far a unit swings, where its threshold lies, what its formats hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npde.fixed import Q
from npde.model import Weights
from npde.program import Clip, Dense, Grid, Relu, Stencil
from npde.training.pseudoinverse.gram import Gram
from npde.training.pseudoinverse.rows import kernel_of

Real = NDArray[np.float64]


def largest(q: Q) -> float:
    """The greatest real number of format ``q``."""
    return float(q.high * q.step)


def one_sided(step: Stencil | Dense) -> bool:
    """Whether the step's φ is constant on one side of 0."""
    return isinstance(step.phi, Relu) or (isinstance(step.phi, Clip) and step.phi.low >= 0)


def saturation(step: Stencil | Dense) -> float:
    """The greatest real value the step's fields take."""
    top = min(step.phi.high, step.out.high) if isinstance(step.phi, Clip) else step.out.high
    return float(top * step.out.step)


def fit(
    directions: Real, gram: Gram, step: Stencil | Dense, grid: Grid, *, gain: float, thresholds: Real
) -> Weights:
    """Integers of ``step`` on ``grid`` whose units point along ``directions`` (out_channels, values of a row).

    Before φ each unit has, over the rows summed in ``gram`` (integers of the grid's format), a standard deviation of
    ``gain`` times the fields' saturation and a mean of ``thresholds`` (out_channels,) standard deviations. A unit
    whose weights or bias would leave their formats swings less; the bias follows the weights as rounded.
    """
    ulp = float(grid.q.step)
    mean, covariance = gram.mean * ulp, gram.covariance * ulp * ulp
    deviation = _deviation(directions, covariance)
    factor = np.divide(gain * saturation(step), deviation, out=np.zeros_like(deviation), where=deviation > 0)
    kernel = directions * factor[:, None]
    bias = gain * saturation(step) * thresholds - kernel @ mean
    room = np.maximum(np.abs(kernel).max(axis=1) / largest(step.weight), np.abs(bias) / largest(step.bias))
    kernel /= np.maximum(room, 1)[:, None]
    rounded = step.weight.quantise(kernel)
    real = step.weight.real(rounded)
    bias = _deviation(real, covariance) * thresholds - real @ mean
    return Weights(kernel=kernel_of(rounded, step, grid), bias=step.bias.quantise(bias))


def _deviation(directions: Real, covariance: Real) -> Real:
    return np.sqrt(np.maximum(np.einsum("ij,ij->i", directions @ covariance, directions), 0))
