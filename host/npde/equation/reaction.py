"""Reaction-diffusion by name: Fisher-KPP, Allen-Cahn, Gray-Scott, FitzHugh-Nagumo.

Every function takes :func:`npde.equation.general.discretise`'s options too; ``laplacian`` is laplace (5-point) or
laplace9 (isotropic 9-point). Widths and errors: docs/equations.md, from benchmarks/widths.py.
"""

from __future__ import annotations

from typing import Any

from npde.equation.general import Discretised, discretise

FULL = 0.999
"""Concentrations end at 1, where the format saturates one unit below: one more fractional bit than a format that holds 1."""


def fisher_kpp(
    shape: tuple[int, int], *, D: float = 1.0, r: float = 1.0, dt: float, laplacian: str = "laplace", **options: Any
) -> Discretised:
    """``u_t = D∇²u + r·u(1 - u)``: fronts from 1 into 0 travel at 2√(rD).

    Explicit Euler, O(h²), O(dt), stable for dt ≤ 2/(8D/h² + r) (about u = 1).
    Width 18 keeps the largest error below 10 % of the span over 400 steps: a pulled front lags where its foot is below one unit.
    Sources: R. A. Fisher, Annals of Eugenics 7, 1937; Kolmogorov, Petrovsky, Piskunov 1937.
    """
    return discretise(
        f"u_t = D*{laplacian}(u) + r*u*(1 - u)", shape=shape, dt=dt, constants={"D": D, "r": r},
        **{"name": "fisher-kpp", "about": [{"u": 0}, {"u": 1}], "largest": FULL, **options},
    )  # fmt: skip


def allen_cahn(
    shape: tuple[int, int], *, D: float = 1.0, dt: float, laplacian: str = "laplace", **options: Any
) -> Discretised:
    """``u_t = D∇²u + u - u³``: walls u = tanh(x/√(2D)) between -1 and 1, which then move by their curvature.

    Explicit Euler, O(h²), O(dt), stable for dt ≤ 2/(8D/h² + 2) (about u = ±1).
    Width 16 keeps the largest error below 0.2 % of the field's span over 300 steps.
    Source: S. M. Allen and J. W. Cahn, Acta Metallurgica 27, 1979, 1085.
    """
    return discretise(
        f"u_t = D*{laplacian}(u) + u - u**3", shape=shape, dt=dt, constants={"D": D},
        **{"name": "allen-cahn", "about": [{"u": 0}, {"u": 1}], "largest": 1.1, **options},
    )  # fmt: skip


def gray_scott(
    shape: tuple[int, int], *, Du: float = 0.16, Dv: float = 0.08, F: float = 0.035, k: float = 0.065, dt: float = 1.0,
    laplacian: str = "laplace", **options: Any,
) -> Discretised:  # fmt: skip
    """``u_t = Du∇²u - uv² + F(1 - u)``, ``v_t = Dv∇²v + uv² - (F + k)v``: spots that divide, stripes, worms.

    Explicit Euler, O(h²), O(dt), stable for dt ≤ 2/(8·Du/h² + F), linearised about the state (1, 0) that feeds it.
    Width 16 keeps the largest error below 2 % of the field's span over 2000 steps.
    Source: J. E. Pearson, Science 261, 1993, 189.
    """
    return discretise(
        f"u_t = Du*{laplacian}(u) - u*v**2 + F*(1 - u); v_t = Dv*{laplacian}(v) + u*v**2 - (F + k)*v",
        shape=shape, dt=dt, constants={"Du": Du, "Dv": Dv, "F": F, "k": k},
        **{"name": "gray-scott", "about": [{"u": 1, "v": 0}], "largest": FULL, **options},
    )  # fmt: skip


def fitzhugh_nagumo(
    shape: tuple[int, int], *, Du: float = 1.0, Dv: float = 0.0, eps: float = 0.08, a: float = 0.7, b: float = 0.8, drive: float = 0.0,
    dt: float, laplacian: str = "laplace", **options: Any,
) -> Discretised:  # fmt: skip
    """``u_t = Du∇²u + u - u³/3 - v + drive``, ``v_t = Dv∇²v + ε(u + a - bv)``: excitable pulses and spiral waves.

    Explicit Euler, O(h²), O(dt), stable for dt ≤ 2/(8·Du/h² + 3) about u = ±2, the pulse's height.
    Width 18 keeps the largest error below 0.5 % of the field's span over 1000 steps.
    Sources: R. FitzHugh, Biophysical Journal 1, 1961; J. Nagumo, S. Arimoto, S. Yoshizawa, Proc. IRE 50, 1962.
    """
    slow = f"Dv*{laplacian}(v) + " if Dv else ""
    return discretise(
        f"u_t = Du*{laplacian}(u) + u - u**3/3 - v + drive; v_t = {slow}eps*(u + a - b*v)", shape=shape, dt=dt,
        constants={"Du": Du, "Dv": Dv, "eps": eps, "a": a, "b": b, "drive": drive},
        **{"name": "fitzhugh-nagumo", "about": [{"u": 0}, {"u": 2}], "largest": {"u": 2.5, "v": 2.5}, **options},
    )  # fmt: skip
