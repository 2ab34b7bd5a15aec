"""Waves by staggered leapfrog: Schrödinger's equation, linear and cubic, and the paraxial Helmholtz equation.

ψ = re + i·im. One time step updates re from im, then im from the new re (P. B. Visscher, Computers in Physics 5,
1991, 596), so that im runs half a step ahead of re: :func:`staggered` starts it there. Every function takes
:func:`npde.equation.general.discretise`'s options too. Widths and errors: docs/equations.md, from benchmarks/widths.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npde.equation.general import Discretised, discretise


def schroedinger(
    shape: tuple[int, int], *, V: ArrayLike | None = None, g: float = 0.0, dt: float, largest: float = 1.0,
    laplacian: str = "laplace", **options: Any,
) -> Discretised:  # fmt: skip
    """``iψ_t = -½∇²ψ + V(x, y)ψ + g|ψ|²ψ`` (ħ = m = 1), fields re and im, potential a map (height, width).

    O(h²); O(dt²) for g = 0, else O(dt), as the density of the first update is half a step old. Stable for
    dt·(4/h² + max V) ≤ 2 on a plane and dt·(2/h² + max V) ≤ 2 on a row, and -V·dt ≤ 2 (Visscher's bound).
    ``largest`` bounds |re| and |im|. Width 16 keeps the largest error below 0.2 % of the span over 260 steps, with g below 0.5 % over 2000.
    """
    potential, density = " + V*{0}" if V is not None else "", " + g*(re**2 + im**2)*{0}" if g else ""
    energy = f"-{laplacian}({{0}})/2{potential}{density}"
    return discretise(
        {"re": energy.format("im"), "im": f"-({energy.format('re')})"}, shape=shape, dt=dt, scheme="leapfrog", largest=largest,
        constants={"g": g} if g else {}, maps={} if V is None else {"V": V},
        **{"name": "schroedinger", "about": [{}, {"re": largest}] if g else [{}], **options},
    )  # fmt: skip


def paraxial(
    shape: tuple[int, int], *, k: float, index: ArrayLike | None = None, dz: float, largest: float = 1.0, **options: Any
) -> Discretised:
    """``2ik·A_z + ∇⊥²A + 2k²(Δn/n₀)A = 0``: a beam's envelope plane by plane, z in the place of time.

    ``index`` is the map Δn/n₀ (height, width), or with ``planes=True`` (times, height, width), one for each plane. O(h²),
    O(dz²); stable for dz·(4/(k·h²) + k·max(-Δn/n₀)) ≤ 2 on a plane, dz·(2/(k·h²) + …) ≤ 2 on a row.
    Width 16 keeps the largest error below 0.2 % of the field's span over 150 steps.
    Source: M. D. Feit and J. A. Fleck, Applied Optics 17, 1978, 3990 (the equation); Visscher 1991 (the scheme).
    """
    energy = "-laplace({0})/(2*k)" + (" - k*n*{0}" if index is not None else "")
    return discretise(
        {"re": energy.format("im"), "im": f"-({energy.format('re')})"}, shape=shape, dt=dz, scheme="leapfrog", largest=largest,
        constants={"k": k}, maps={} if index is None else {"n": index}, **{"name": "paraxial", "about": [{}], **options},
    )  # fmt: skip


def staggered(equation: Discretised, psi: ArrayLike, time: int = 0) -> NDArray[np.float64]:
    """The state (…, height, width, 2) of complex ``psi`` (…, height, width): im half a step ahead.

    im(dt/2) = im + dt/2·(rate of im at t = 0) + (dt/2)²/2·(its change by the rate of re), which keeps the scheme's O(dt²).
    """
    wave = np.asarray(psi, np.complex128)
    state = np.stack([wave.real, wave.imag], axis=-1)
    first, second = equation.reference.updates
    one = type(equation.reference)([first], equation.reference.boundary, equation.reference.maps)
    two = type(equation.reference)([second], equation.reference.boundary, equation.reference.maps)
    quarter = state.copy()
    quarter[..., 0] += (one.step(state, time)[..., 0] - state[..., 0]) / 4
    state[..., 1] += (two.step(quarter, time)[..., 1] - state[..., 1]) / 2
    return state


def density(state: ArrayLike, after: ArrayLike | None = None) -> NDArray[np.float64]:
    """``|ψ|²`` of a state; with the state ``after`` it Visscher's conserved re(t)·re(t+dt) + im(t+dt/2)²."""
    now = np.asarray(state, np.float64)
    later = now if after is None else np.asarray(after, np.float64)
    return now[..., 0] * later[..., 0] + now[..., 1] ** 2
