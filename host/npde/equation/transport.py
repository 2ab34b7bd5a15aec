"""Heat, advection-diffusion and Burgers' equation. Every function takes :func:`npde.equation.general.discretise`'s options too.

Widths and errors: docs/equations.md, from benchmarks/widths.py.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from npde.equation.general import Discretised, discretise


def heat(
    shape: tuple[int, int], *, D: float = 1.0, dt: float, laplacian: str = "laplace", **options: Any
) -> Discretised:
    """``u_t = D∇²u``, explicit Euler: O(h²), O(dt), stable for D·dt/h² ≤ 1/4 (1/2 on a row; 3/8 with ``laplace9``).

    Width 16 keeps the largest error below 0.2 % of the field's span over 200 steps.
    Source: J. Crank, The Mathematics of Diffusion, 1975.
    """
    return discretise(f"u_t = D*{laplacian}(u)", shape=shape, dt=dt, constants={"D": D}, **{"name": "heat", **options})


def anisotropic_heat(shape: tuple[int, int], *, Dx: float, Dy: float, dt: float, **options: Any) -> Discretised:
    """``u_t = Dx·u_xx + Dy·u_yy``, explicit Euler: O(h²), O(dt), stable for (Dx + Dy)·dt/h² ≤ 1/2.

    Width 16 keeps the largest error below 0.5 % of the field's span over 200 steps.
    """
    constants = {"Dx": Dx, "Dy": Dy}
    return discretise(
        "u_t = Dx*d2_dx2(u) + Dy*d2_dy2(u)",
        shape=shape,
        dt=dt,
        constants=constants,
        **{"name": "anisotropic-heat", **options},
    )


def layered_heat(shape: tuple[int, int], D: ArrayLike, *, dt: float, **options: Any) -> Discretised:
    """``u_t = ∇·(D(x, y)∇u)``, conservative, D averaged onto the faces: O(h²), O(dt), stable for max D·dt/h² ≤ 1/4 (1/2 on a row).

    ``D`` is a map (height, width).
    Width 16 keeps the largest error below 0.5 % of the field's span over 200 steps.
    Source: S. Patankar, Numerical Heat Transfer and Fluid Flow, 1980, ch. 4.
    """
    return discretise("u_t = div(D*grad(u))", shape=shape, dt=dt, maps={"D": D}, **{"name": "layered-heat", **options})


def advection_diffusion(
    shape: tuple[int, int], *, D: float, speed: tuple[float, float], dt: float, upwind: bool = False, **options: Any
) -> Discretised:
    """``u_t = D∇²u - a·u_x - b·u_y`` with ``speed`` (a, b): O(h²) by central, O(h) by ``upwind`` differences, O(dt).

    Central differences are stable for dt ≤ 2D/(a² + b²) and D·dt/h² ≤ 1/4, upwind ones for
    (|a| + |b|)·dt/h + 4D·dt/h² ≤ 1. Width 16 keeps the largest error below 1 % of the field's span over 200 steps. Source: W. Hundsdorfer and J. Verwer, Numerical Solution of Time-Dependent
    Advection-Diffusion-Reaction Equations, 2003, ch. I.3.
    """
    constants = {"a": speed[0], "b": speed[1], **({"D": D} if D else {})}
    text = f"u_t = {'D*laplace(u)' if D else '0'} - {'upwind' if upwind else 'advect'}(a, b, u)"
    return discretise(text, shape=shape, dt=dt, constants=constants, **{"name": "advection-diffusion", **options})


def burgers(shape: tuple[int, int], *, nu: float, dt: float, largest: float = 1.0, **options: Any) -> Discretised:
    """``u_t = ν∇²u - u·u_x``, central differences: O(h²), O(dt), stable for dt ≤ 2ν/largest² and ν·dt/h² ≤ 1/4 (1/2 on a row).

    Width 16 keeps the largest error below 0.5 % of the field's span over 400 steps.
    Source: J. M. Burgers, Advances in Applied Mechanics 1, 1948, 171.
    """
    text = "u_t = nu*laplace(u) - u*d_dx(u)"
    return discretise(text, shape=shape, dt=dt, constants={"nu": nu}, largest=largest, **{"name": "burgers", **options})
