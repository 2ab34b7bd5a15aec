"""Identification: the coefficients of an equation from snapshots of its runs, by the discrete adjoint and L-BFGS-B.

    min_θ  1/(2N·s²) Σ (u_t(θ) - d_t)²  +  α/(2·cells) Σ_cells |∇θ|²          subject to u_{t+1} = F(u_t; θ)

over N observed values d; s is their scatter, or the noise where it is known. θ are constants or per-cell maps, each kept
where the explicit step is stable (:mod:`npde.training.constrained.parametrise`). The second term (Tikhonov) is for maps
alone; its weight α is given, or chosen by Morozov's discrepancy principle: the smoothest map whose residual is the noise.
What no run can tell is left as it began: in ∇·(D∇u) with D averaged onto the faces, a chequerboard in D. Any α takes it away.
Sources: D. C. Liu and J. Nocedal, Mathematical Programming 45, 1989, 503 (L-BFGS); V. A. Morozov, Soviet Mathematics
Doklady 7, 1966, 414; C. R. Vogel, Computational Methods for Inverse Problems, 2002.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from npde.equation.general import Discretised, Equations, discretise
from npde.training.constrained.adjoint import gradient
from npde.training.constrained.forward import Coefficients, Real, Scheme, of_reference
from npde.training.constrained.observations import Observations
from npde.training.constrained.parametrise import Extremes, Interval, Layout, Unknown, stable_intervals
from npde.training.constrained.roughness import roughness
from npde.training.errors import TrainingError

COARSEST = 1e4
"""The smoothing weight the search for the discrepancy begins with: so much of it leaves a map nearly flat."""
DECADES = 10
CLOSE = 0.005
"""A residual within this of the noise satisfies the discrepancy principle."""


@dataclass(frozen=True)
class Identified:
    """What was found.

    ``values`` are the coefficients, floats or maps (height, width); ``intervals`` where they were kept. ``residual`` is the root
    mean square of run less observation, in the fields' units; ``smooth`` the weight α; ``history`` J after each
    iteration of the last descent, ``runs`` how many forward and adjoint runs all of them took. ``equation`` is the equation
    discretised with the coefficients found, its model of integers included.
    """

    values: dict[str, Any]
    intervals: dict[str, Interval]
    residual: float
    smooth: float
    history: tuple[float, ...]
    runs: int
    equation: Discretised


def identify(
    equations: Equations,
    unknowns: Mapping[str, Unknown],
    seen: Observations,
    *,
    dt: float,
    constants: Mapping[str, float] | None = None,
    maps: Mapping[str, ArrayLike] | None = None,
    smooth: float | Literal["discrepancy"] = 0.0,
    noise: float | None = None,
    iterations: int = 200,
    progress: Callable[[float, float], None] | None = None,
    **options: Any,
) -> Identified:
    """The ``unknowns`` by name with which ``equations`` come nearest to what was ``seen``.

    Equations, ``constants``, ``maps`` and ``options`` are :func:`npde.equation.general.discretise`'s, without planes. ``smooth`` is α,
    or ``discrepancy`` with the standard deviation ``noise`` of the snapshots. A descent takes at most ``iterations`` steps of
    L-BFGS-B; ``progress`` is told the α and the residual of each. Raises :class:`TrainingError` for observations that
    do not fit the grid, an unstable interval or start, and a noise that is missing, :class:`npde.errors.ProgramError` for the equation.
    """
    problem = _Problem(equations, unknowns, seen, dt, dict(constants or {}), dict(maps or {}), options)
    _check_smooth(smooth, noise, unknowns)
    problem.scale = noise or seen.scale
    z = problem.layout.vector(
        {
            name: (problem.layout.intervals[name].value(np.zeros(())) if unknown.start is None else unknown.start)
            for name, unknown in unknowns.items()
        }
    )
    if smooth == "discrepancy":
        assert noise is not None
        z, weight, history = _discrepancy(problem, z, noise, iterations, progress)
    else:
        weight = float(smooth)
        z, history = problem.descend(z, weight, iterations)
    residual = problem.residual(z)
    if progress is not None:
        progress(weight, residual)
    values = {name: value if value.ndim else float(value) for name, value in problem.layout.values(z).items()}
    return Identified(
        values, dict(problem.layout.intervals), residual, weight, tuple(history), problem.runs, problem.with_values(values)
    )


class _Problem:
    """The unknowns as maps of one discretised equation; J and dJ/dz of a vector z."""

    def __init__(
        self, equations: Equations, unknowns: Mapping[str, Unknown], seen: Observations, dt: float,
        constants: dict[str, float], maps: dict[str, ArrayLike], options: dict[str, Any],
    ) -> None:  # fmt: skip
        if not unknowns:
            raise TrainingError("there is nothing to identify: name at least one unknown")
        if options.get("planes"):
            raise TrainingError("an unknown is the same for all time steps: identification takes no planes")
        self.equations, self.unknowns, self.seen, self.dt = equations, unknowns, seen, dt
        self.constants, self.maps, self.options = constants, maps, options
        self.height, self.width = np.asarray(seen.start).shape[1:3]
        if (shape := options.pop("shape", (self.height, self.width))) != (self.height, self.width):
            raise TrainingError(f"the observed states have {self.height}×{self.width} cells, the grid has {shape[0]}×{shape[1]}")
        intervals = stable_intervals(unknowns, self._largest_step, dt)
        self.layout = Layout(unknowns, intervals, (self.height, self.width))
        free = self._between({name: (i.low, i.high) for name, i in intervals.items()})
        seen.fits(free.model.program.input.shape)
        self.scheme, self.fixed = self._scheme(free)
        self.places = {name: free.maps.index(name) for name in unknowns}
        self.periodic = free.evolve.body[0].boundary == "periodic"
        self.h, self.scale, self.runs = free.h, 1.0, 0

    def with_values(self, values: Mapping[str, Any]) -> Discretised:
        """The equation with these coefficients in the place of the unknowns, numbers as constants."""
        numbers = {name: float(value) for name, value in values.items() if not self.unknowns[name].per_cell}
        fields = {name: value for name, value in values.items() if self.unknowns[name].per_cell}
        return self._discretised({**self.constants, **numbers}, {**self.maps, **fields})

    def residual(self, z: Real) -> float:
        """The root mean square of run less observation."""
        return math.sqrt(2 * self._value(z, 0.0)[0]) * self.scale

    def descend(self, z: Real, smooth: float, iterations: int) -> tuple[Real, list[float]]:
        """L-BFGS-B from z: where it ends, and J after each iteration."""
        history = [self._value(z, smooth)[0]]
        found = minimize(
            self._value, z, args=(smooth,), jac=True, method="L-BFGS-B",
            options={"maxiter": iterations, "maxfun": 2 * iterations + 20, "ftol": 1e-15, "gtol": 1e-12, "maxcor": 20},
            callback=lambda intermediate_result: history.append(float(intermediate_result.fun)),
        )  # fmt: skip
        return found.x, history

    def _value(self, z: Real, smooth: float) -> tuple[float, Real]:
        self.runs += 1
        values = self.layout.values(z)
        maps = self.fixed.maps.copy()
        for name, value in values.items():
            maps[0, :, :, self.places[name]] = value
        told = gradient(
            self.scheme, Coefficients(self.fixed.kernel, self.fixed.bias, maps), self.seen.start, self.seen.times[-1],
            lambda time, u: self.seen.misfit(time, u, self.scale),
        )  # fmt: skip
        total, slopes = told.value, {}
        for name, value in values.items():
            slope = told.maps[0, :, :, self.places[name]]
            if self.unknowns[name].per_cell and smooth:
                rough, its_slope = roughness(value, self.h, self.periodic)
                total, slope = total + smooth * rough, slope + smooth * its_slope
            slopes[name] = slope if value.ndim else np.asarray(slope.sum())
        return total, self.layout.chain(z, slopes)

    def _scheme(self, free: Discretised) -> tuple[Scheme, Coefficients]:
        return of_reference(free.reference, (self.height, self.width), len(free.fields))

    def _largest_step(self, extremes: Extremes) -> float:
        return self._between(extremes).limit.dt

    def _between(self, extremes: Extremes) -> Discretised:
        """The equation with maps that hold both extremes of every unknown."""
        odd = np.arange(self.height * self.width).reshape(self.height, self.width) % 2
        return self._discretised(self.constants, {**self.maps, **{n: np.where(odd, *ends) for n, ends in extremes.items()}}, True)

    def _discretised(self, constants: Mapping[str, float], maps: Mapping[str, ArrayLike], force: bool = False) -> Discretised:
        forced = {"force": True} if force else {}
        return discretise(
            self.equations, shape=(self.height, self.width), dt=self.dt, constants=constants, maps=maps, **{**self.options, **forced}
        )


def _discrepancy(
    problem: _Problem, z: Real, noise: float, iterations: int, progress: Callable[[float, float], None] | None
) -> tuple[Real, float, list[float]]:
    """The greatest α whose residual is the noise: by factors of √10 down to the first that fits better, then halved between."""

    def tried(z: Real, weight: float) -> tuple[Real, list[float], float]:
        z, history = problem.descend(z, weight, iterations)
        residual = problem.residual(z)
        if progress is not None:
            progress(weight, residual)
        return z, history, residual

    weight = COARSEST
    for _ in range(2 * DECADES):
        before = z
        z, history, residual = tried(z, weight)
        if residual <= noise * (1 + CLOSE):
            break
        weight /= math.sqrt(10)
    else:
        raise TrainingError(
            f"no smoothing brings the residual, {residual:.4g}, down to the noise, {noise:.4g}: "
            "the noise is greater than that, or the equation does not hold"
        )
    low, high = weight, weight * math.sqrt(10)
    for _ in range(3):
        if abs(residual / noise - 1) <= CLOSE:
            break
        middle = math.sqrt(low * high)
        better, its_history, its_residual = tried(before, middle)
        if its_residual <= noise * (1 + CLOSE):
            z, history, residual, low = better, its_history, its_residual, middle
        else:
            before, high = better, middle
    return z, low, history


def _check_smooth(smooth: float | str, noise: float | None, unknowns: Mapping[str, Unknown]) -> None:
    if smooth == "discrepancy":
        if noise is None or not any(unknown.per_cell for unknown in unknowns.values()):
            raise TrainingError("the discrepancy principle needs the noise of the snapshots and a map to smooth")
    elif not (isinstance(smooth, int | float) and math.isfinite(smooth) and smooth >= 0):
        raise TrainingError(f"a smoothing weight is zero or more, or the word discrepancy, not {smooth!r}")
    if noise is not None and not (math.isfinite(noise) and noise > 0):
        raise TrainingError(f"the noise is a positive standard deviation, not {noise}")
