"""Is a repeated linear step stable? Decided on the model's exact integers, before anything runs."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from npde.errors import ProgramError
from npde.program.phi import Identity
from npde.program.step import Grid, Stencil


def check_stability(stencil: Stencil, grid: Grid, kernel: NDArray[np.int64], where: str) -> None:
    """Refuse a linear step repeated with a growing mode; raises :class:`ProgramError` naming its gain.

    Only steps whose φ is the identity and that repeat are judged: a bounded φ bounds the field.
    The step is stable for certain if no row of ``|kernel (+ skip)|`` sums to more than one (the
    discrete maximum principle, exact in integers). Otherwise the von Neumann symbol is evaluated
    at the checkerboard wave numbers ``θ ∈ {0, π}²``, where the extremes of a symmetric diffusion
    stencil lie, and a spectral radius above one is refused.
    """
    if stencil.repeat == 1 or not isinstance(stencil.phi, Identity):
        return
    one = 1 << stencil.weight.frac if stencil.weight.frac >= 0 else 1
    effective = kernel.astype(object)
    if stencil.skip:
        effective = _with_identity(effective, stencil, one)
    taps = stencil.taps if not stencil.skip or (0, 0) in stencil.taps else (*stencil.taps, (0, 0))
    if max(sum(abs(int(k)) for k in row.ravel()) for row in effective) <= one:
        return
    for theta_y, theta_x in itertools.product((0, 1) if grid.height > 1 else (0,), (0, 1) if grid.width > 1 else (0,)):
        sign = np.array([(-1) ** ((theta_y * dy + theta_x * dx) & 1) for dy, dx in taps])
        symbol = (effective * sign).sum(axis=2)
        gain = float(np.abs(np.linalg.eigvals(symbol.astype(np.float64) / one)).max())
        if gain > 1 + 1e-9:
            raise ProgramError(
                f"{where}: repeated {stencil.repeat} times the linear stencil multiplies the mode "
                f"(θy, θx) = ({theta_y}π, {theta_x}π) by {gain:.4g} a step; it must not exceed 1"
            )


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
