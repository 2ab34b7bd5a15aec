"""Is a repeated linear step stable? Decided on the model's exact integers, before anything runs."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from npde.errors import ProgramError
from npde.program.phi import Identity
from npde.program.step import Grid, Stencil, Tap

MOST_WAVES = 16
MOST_CHANNELS = 256
"""Eigenvalues of more would be looked for by the hour."""


def check_stability(stencil: Stencil, grid: Grid, kernel: NDArray[np.int64], where: str) -> None:
    """Refuse a linear step repeated with a growing mode; raises :class:`ProgramError` naming its gain.

    Only steps whose φ is the identity and that repeat are judged: a bounded φ bounds the field.
    The step is stable for certain if no row of ``|kernel (+ skip)|`` sums to more than one (the
    discrete maximum principle, exact in integers). Otherwise the von Neumann symbol is evaluated at
    the checkerboard wave numbers ``θ ∈ {0, π}²``, where the extremes of a symmetric diffusion
    stencil lie, and at the waves the grid holds, where those of advection lie; a spectral radius
    above one is refused.
    """
    if stencil.repeat == 1 or not isinstance(stencil.phi, Identity):
        return
    one = 1 << stencil.weight.frac if stencil.weight.frac >= 0 else 1
    if len(kernel) > MOST_CHANNELS:
        raise ProgramError(
            f"{where}: a repeated linear stencil of {len(kernel)} channels; {MOST_CHANNELS} is the most that is judged"
        )
    effective = kernel.astype(object)
    if stencil.skip:
        effective = _with_identity(effective, stencil, one)
    taps = stencil.taps if not stencil.skip or (0, 0) in stencil.taps else (*stencil.taps, (0, 0))
    if max(sum(abs(int(k)) for k in row.ravel()) for row in effective) <= one:
        return
    symbols = effective.astype(np.float64) / one
    gain, theta_y, theta_x = max(
        (_gain(symbols, taps, theta_y, theta_x), theta_y, theta_x) for theta_y, theta_x in _wave_numbers(grid)
    )
    if gain > 1 + 1e-9:
        raise ProgramError(
            f"{where}: repeated {stencil.repeat} times the linear stencil multiplies the mode "
            f"(θy, θx) = ({float(theta_y):.4g}π, {float(theta_x):.4g}π) by {gain:.4g} a step; it must not exceed 1"
        )


def _gain(symbols: NDArray[np.float64], taps: tuple[Tap, ...], theta_y: Fraction, theta_x: Fraction) -> float:
    """The spectral radius of the symbol at ``(θy, θx)`` in units of π."""
    phase = np.array([theta_y * dy + theta_x * dx for dy, dx in taps], dtype=np.float64)
    return float(np.abs(np.linalg.eigvals((symbols * np.exp(1j * np.pi * phase)).sum(axis=2))).max())


def _wave_numbers(grid: Grid) -> list[tuple[Fraction, Fraction]]:
    """``(θy, θx)`` in units of π: the checkerboards, and at most :data:`MOST_WAVES` of the grid's own along each axis."""
    rows, columns = (
        {Fraction(0), Fraction(int(cells > 1)), *(Fraction(2 * k, waves) for k in range(waves))}
        for cells, waves in ((grid.height, min(grid.height, MOST_WAVES)), (grid.width, min(grid.width, MOST_WAVES)))
    )
    # The symbol of a real stencil at -θ is the conjugate of the one at θ: half the plane is enough.
    return [(y, x) for y, x in itertools.product(rows, columns) if x <= 1 and (x not in (0, 1) or y <= 1)]


def _with_identity(kernel: NDArray[np.object_], stencil: Stencil, one: int) -> NDArray[np.object_]:
    outputs, inputs, _ = kernel.shape
    if (0, 0) not in stencil.taps:
        kernel = np.concatenate([kernel, np.zeros((outputs, inputs, 1), dtype=object)], axis=2)
        centre = kernel.shape[2] - 1
    else:
        kernel, centre = kernel.copy(), stencil.taps.index((0, 0))
    for channel in range(outputs):
        kernel[channel, channel, centre] += one
    return kernel
