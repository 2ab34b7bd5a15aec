"""Design in the paraxial Helmholtz equation: index plates that bring a beam onto a target, by the discrete adjoint.

    max_n η(A_T) - α/(2·cells·plates) Σ |∇n/limit|²       subject to       2ik·A_z + ∇⊥²A + 2k²·n·A = 0

with n = Δn/n₀ inside ±limit on the plates and 0 elsewhere. η is either the overlap with a mode t, |<t, A>|²/(<t, t><A, A>), or the share of the power <A, A> within a region: never
above one. The index is ``limit``·(2σ(z) - 1) of free real numbers z, so that no descent leaves ±limit, and ``limit`` itself
must leave the leapfrog stable: dz·(4/(k·h²) + k·limit) ≤ 2 on a plane, or the discretiser refuses it.

The leapfrog's imaginary part runs half a step ahead: before the first plate it is sent there, behind the last brought back by half
a vacuum step, im - dz/2·im_z, so that η is that of one moment, to O(dz²). What the leapfrog conserves is Visscher's norm for an index
that does not change with z: where it does, power is gained or lost, most by sharp waves and by much phase a step. ``power`` tells
how much; thick plates lose less, and half of dz about half as much. α is for plates that can be made.
Sources: C. M. Lalau-Keraly et al., Optics Express 21, 2013, 21693 (adjoint design); N. K. Fontaine et al.,
Nature Communications 10, 2019, 1865 (mode conversion by several planes).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from npde.equation.general import Discretised
from npde.equation.waves import paraxial, staggered
from npde.training.constrained.adjoint import Sums, gradient, transposed_step
from npde.training.constrained.forward import Coefficients, Real, Stepper, inward, of_reference
from npde.training.constrained.parametrise import Interval
from npde.training.constrained.roughness import roughness
from npde.training.errors import TrainingError

Wave = NDArray[np.complex128]

SPREAD = 0.1
"""How much of its interval the index a descent begins with takes."""
HEADROOM = 1.05
"""The fields' greatest magnitude in the integers' format, over that of the float run: a focus is brighter than the beam."""


@dataclass(frozen=True)
class Bench:
    """An optical bench of ``steps`` planes ``dz`` apart on cells of ``h``, with wave number ``k``; index plates begin at ``plates``.

    A plate is ``thick`` steps deep, its index the same in all of them. ``limit`` is the greatest |Δn/n₀|. The first and the
    last step are free: there the leapfrog's half step is one of vacuum. Raises :class:`TrainingError` for plates that overlap or do not fit.
    """

    k: float
    dz: float
    steps: int
    plates: Sequence[int]
    limit: float
    thick: int = 1
    h: float = 1.0
    boundary: str = "dirichlet"

    def __post_init__(self) -> None:
        plates = list(self.plates)
        apart = all(later - plate >= self.thick for plate, later in itertools.pairwise(plates))
        if not plates or self.thick < 1 or not apart or plates[0] < 1 or plates[-1] + self.thick >= self.steps:
            raise TrainingError(
                f"plates {self.thick} step(s) thick stand one behind the other, at least one of them, the first and the last of "
                f"{self.steps} steps free; these begin at {plates}"
            )
        if not (np.isfinite(self.limit) and self.limit > 0):
            raise TrainingError(f"the greatest index step is positive, not {self.limit}")

    def discretised(self, index: Real, **options: Any) -> Discretised:
        """The paraxial equation through ``index`` (plates, height, width)."""
        planes = self.spread(index)
        return paraxial(
            index.shape[1:], k=self.k, index=planes, dz=self.dz, h=self.h, boundary=self.boundary, planes=True, times=self.steps, **options
        )  # fmt: skip

    def spread(self, index: Real) -> Real:
        """``index`` (plates, height, width) as planes (steps, height, width)."""
        planes = np.zeros((self.steps, *index.shape[1:]))
        for plate, own in zip(self.plates, index, strict=True):
            planes[plate : plate + self.thick] = own
        return planes

    def gather(self, planes: Real) -> Real:
        """The transpose of :meth:`spread`."""
        return np.stack([planes[plate : plate + self.thick].sum(axis=0) for plate in self.plates])


@dataclass(frozen=True)
class Designed:
    """What was found.

    ``index`` is (plates, height, width); η is ``before`` without a plate and ``after`` with them; ``power`` arrives of 1 that set
    out; ``history`` is what is maximised after each iteration, ``equation`` the bench with its plates, its model of integers included.
    """

    index: Real
    before: float
    after: float
    power: float
    history: tuple[float, ...]
    equation: Discretised


def convert(
    beam: ArrayLike, target: ArrayLike, bench: Bench, *, smooth: float = 0.0, iterations: int = 100,
    start: ArrayLike | None = None, **options: Any,
) -> Designed:  # fmt: skip
    """Plates that turn the complex ``beam`` (height, width) into the mode ``target``, of any norm and phase.

    A target that is a Gaussian spot makes them a lens. ``smooth`` is α; ``start`` is an index to begin with, by default small and random (flat plates are
    often a saddle, as between modes of different symmetry); ``options`` are
    :func:`npde.equation.waves.paraxial`'s; ``largest`` is by default what the fields reach on their way. Raises :class:`TrainingError` for waves that do not fit each other or are
    not finite or dark, and :class:`npde.errors.ProgramError` for a bench that is unstable.
    """
    wave, mode = _wave(beam, "beam"), _wave(target, "target")
    if wave.shape != mode.shape:
        raise TrainingError(f"the beam has {wave.shape} cells, the target {mode.shape}")
    mode = mode / np.linalg.norm(mode)

    def overlap(psi: Wave) -> tuple[float, Wave]:
        amplitude = np.vdot(mode, psi)
        return float(abs(amplitude) ** 2), 2 * amplitude * mode

    return _design(wave, bench, overlap, smooth, iterations, start, options)


def focus(
    beam: ArrayLike, region: ArrayLike, bench: Bench, *, smooth: float = 0.0, iterations: int = 100,
    start: ArrayLike | None = None, **options: Any,
) -> Designed:  # fmt: skip
    """Plates that bring as much of the power of ``beam`` as they can into ``region`` (height, width) of truth values; else like :func:`convert`."""
    wave, where = _wave(beam, "beam"), np.asarray(region, bool)
    if wave.shape != where.shape or not where.any():
        raise TrainingError(f"a region has some of the beam's {wave.shape} cells, not {np.count_nonzero(where)} of {where.shape}")

    def power(psi: Wave) -> tuple[float, Wave]:
        inside = np.where(where, psi, 0)
        return float((np.abs(inside) ** 2).sum()), 2 * inside

    return _design(wave, bench, power, smooth, iterations, start, options)


def level(state: Real, bench: Bench) -> Wave:
    """The complex wave (batch, height, width) of a leapfrog's ``state`` (batch, height, width, 2) in vacuum: im half a step back."""
    return _level(state, _half(bench, state.shape[1:3]))


def _design(
    beam: Wave, bench: Bench, merit: Callable[[Wave], tuple[float, Wave]], smooth: float, iterations: int,
    start: ArrayLike | None, options: dict[str, Any],
) -> Designed:  # fmt: skip
    shape = (len(bench.plates), *beam.shape)
    ends = np.broadcast_to(np.array([-1.0, 1.0])[np.arange(beam.size).reshape(beam.shape) % 2], shape)
    bounds = bench.discretised(bench.limit * ends, **options)  # refused where ±limit is unstable
    scheme, fixed = of_reference(bounds.reference, beam.shape, 2)
    interval = Interval(-bench.limit, bench.limit)
    vacuum = _half(bench, beam.shape)
    arrived, reached = [0.0], [0.0]  # what the last run brought: power, and η
    setting_out = staggered(bench.discretised(np.zeros(shape), **options), beam[None])

    def objective(time: int, state: Real) -> tuple[float, Real] | None:
        if time < bench.steps:
            return None
        psi = _level(state, vacuum)[0]
        told, slope = merit(psi)
        arrived[0] = power = float((np.abs(psi) ** 2).sum())
        return -told / power, _level_transposed(-slope / power + psi * (2 * told / power**2), vacuum, state)

    def judged(z: Real) -> tuple[float, Real]:
        index = interval.value(z.reshape(shape))
        maps = bench.spread(index)[..., None]
        told = gradient(scheme, Coefficients(fixed.kernel, fixed.bias, maps), setting_out, bench.steps, objective)
        total, slope = told.value, bench.gather(told.maps[..., 0])
        for plate, its_slope in zip(index, slope, strict=True):
            rough = roughness(plate / bench.limit, bench.h, bench.boundary == "periodic")
            total += smooth / len(index) * rough[0]
            its_slope += smooth / len(index) / bench.limit * rough[1]
        reached[0] = -told.value
        return total, (interval.slope(z.reshape(shape)) * slope).ravel()

    if not (np.isfinite(smooth) and smooth >= 0):
        raise TrainingError(f"a smoothing weight is zero or more, not {smooth}")
    drawn = np.random.default_rng(0).uniform(-SPREAD, SPREAD, shape) * bench.limit
    begin = drawn if start is None else np.asarray(start, np.float64)
    if begin.shape != shape or not np.isfinite(begin).all() or np.abs(begin).max() >= bench.limit:
        raise TrainingError(f"a starting index has the shape {shape} and lies inside ±{bench.limit:g}")
    begin = interval.inverse(begin).ravel()
    judged(np.zeros(begin.size))
    before = reached[0]
    history = [-judged(begin)[0]]
    found = minimize(
        judged, begin, jac=True, method="L-BFGS-B",
        options={"maxiter": iterations, "maxfun": 2 * iterations + 20, "ftol": 1e-10, "gtol": 1e-10, "maxcor": 20},
        callback=lambda intermediate_result: history.append(-float(intermediate_result.fun)),
    )  # fmt: skip
    index = interval.value(found.x.reshape(shape))
    judged(found.x)
    after, power = reached[0], arrived[0] / float((np.abs(beam) ** 2).sum())
    ideal = bench.discretised(index, **options)
    if "largest" not in options:
        ideal = bench.discretised(index, **options, largest=HEADROOM * _peak(ideal, setting_out, bench.steps))
    return Designed(index, before, after, power, tuple(history), ideal)


def _peak(equation: Discretised, state: Real, steps: int) -> float:
    """The greatest |re| or |im| on the way."""
    peak = float(np.abs(state).max())
    for time in range(steps):
        state = equation.reference.step(state, time)
        peak = max(peak, float(np.abs(state).max()))
    return peak


def _half(bench: Bench, shape: Sequence[int]) -> Stepper:
    """The second of the leapfrog's updates in vacuum, im from re, as a step of its own."""
    free = paraxial((shape[0], shape[1]), k=bench.k, dz=bench.dz, h=bench.h, boundary=bench.boundary)
    second = type(free.reference)(list(free.reference.updates)[1:], free.reference.boundary, free.reference.maps)
    return Stepper(*of_reference(second, (shape[0], shape[1]), 2))


def _level(state: Real, vacuum: Stepper) -> Wave:
    inside = inward(state)
    both = inward(1.5 * inside - 0.5 * vacuum.step(inside, 0))
    return both[..., 0] + 1j * both[..., 1]


def _level_transposed(slope: Wave, vacuum: Stepper, state: Real) -> Real:
    """What η's derivative by re and im of the levelled wave (``slope``, as re + i·im) is by the state's."""
    inside = inward(np.stack([slope.real, slope.imag], axis=-1)[None])
    return inward(1.5 * inside - 0.5 * transposed_step(vacuum, inward(state), 0, inside, Sums(vacuum)))


def _wave(values: ArrayLike, what: str) -> Wave:
    wave = np.asarray(values, np.complex128)
    if wave.ndim != 2 or not wave.size:
        raise TrainingError(f"a {what} has the shape (height, width), not {wave.shape}")
    if not np.isfinite(wave).all():
        raise TrainingError(f"the {what} has {np.count_nonzero(~np.isfinite(wave))} value(s) that are NaN or infinite")
    if not wave.any():
        raise TrainingError(f"the {what} is dark: zero everywhere")
    return wave
