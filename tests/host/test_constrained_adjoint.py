"""The hand-written adjoint: against jax's gradient, finite differences, the Lagrangian's stationarity; and what it holds in memory."""

from __future__ import annotations

import math
import subprocess
import sys
import tracemalloc
import weakref
from typing import ClassVar

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from npde.equation import reaction, transport, waves
from npde.equation.general import Discretised, discretise
from npde.program import CENTRE, CROSS, Evolve, Form, Grid, Product, Q, Term, Update
from npde.training import physics
from npde.training.constrained.adjoint import gradient, lagrangian, value
from npde.training.constrained.boundary import extend, fold
from npde.training.constrained.checkpointing import backwards, binomial
from npde.training.constrained.forward import Coefficients, Stepper, inward, of_evolve, of_model, of_reference
from npde.training.errors import TrainingError

BOUNDARIES = ("periodic", "dirichlet", "neumann")
SHAPE = (6, 7)
STEPS = 7
RNG = np.random.default_rng(1)
MAP = RNG.uniform(0.2, 1, SHAPE)
PLANES = RNG.uniform(-0.02, 0.02, (STEPS, *SHAPE))
PARTS = ("kernel", "bias", "maps", "start")

EQUATIONS = {
    "heat": lambda **o: transport.heat(SHAPE, dt=0.2, **o),
    "anisotropic heat": lambda **o: transport.anisotropic_heat(SHAPE, Dx=1.0, Dy=0.1, dt=0.4, **o),
    "layered heat": lambda **o: transport.layered_heat(SHAPE, MAP, dt=0.2, **o),
    "advection on a row": lambda **o: transport.advection_diffusion((1, 9), D=0.5, speed=(0.5, 0), dt=0.4, **o),
    "Gray-Scott": lambda **o: reaction.gray_scott(SHAPE, **o),
    "Schrödinger": lambda **o: waves.schroedinger(SHAPE, V=MAP, dt=0.2, **o),
    "cubic Schrödinger": lambda **o: waves.schroedinger(SHAPE, V=MAP, g=0.5, dt=0.1, **o),
    "paraxial, planes": lambda **o: waves.paraxial(SHAPE, k=8.0, index=PLANES, dz=0.4, h=0.5, times=STEPS, planes=True, **o),
    "maps multiplied": lambda **o: discretise(
        "u_t = div((1 + K)*grad(u)) - K*L*u*v; v_t = L*laplace(u) + K*L - v", shape=SHAPE, dt=0.05, maps={"K": MAP, "L": MAP.T.reshape(SHAPE)}, **o
    ),
}  # fmt: skip


def handmade(boundary: str, planes: bool) -> tuple[Evolve, Grid]:
    """All an Evolve may have: taps of reach two, weights, shifts, shared coefficients, cubes, two updates, biases, one that does not skip."""
    here = [Form(channel=c, taps=(CENTRE,), weights=(1,)) for c in range(4)]
    first = Update(
        forms=(*here, Form(channel=0, taps=((0, 2), (-1, 0), (1, 1)), weights=(3, -2, 1), shift=2), Form(channel=3, taps=CROSS, weights=(1, 1, -4, 1, 1), shift=1)),
        products=(Product(left=1, right=1, out=Q(18, 12)), Product(left=0, right=6, out=Q(18, 12)), Product(left=2, right=4, out=Q(18, 12)), Product(left=5, right=3, out=Q(18, 12))),
        terms=tuple(Term(channel=c, coefficient=k, value=v) for c, k, v in ((0, 0, 4), (0, 1, 7), (1, 1, 7), (1, 2, 0), (0, 3, 8), (1, 0, 9), (1, 3, 5))),
        biased=(1, 0), boundary=boundary,
    )  # fmt: skip
    second = Update(
        forms=(here[0], Form(channel=1, taps=CROSS, weights=(1, 2, 3, 4, 5), shift=3)), products=(Product(left=0, right=1, out=Q(18, 12)),),
        terms=(Term(channel=0, coefficient=4, value=2), Term(channel=0, coefficient=5, value=0)), biased=(0,), boundary=boundary, skip=False,
    )  # fmt: skip
    step = Evolve(body=(first, second), times=STEPS, coefficients=6, weight=Q(18, 15), bias=Q(18, 15), maps=2, map=Q(16, 14), planes=planes)
    return step, Grid(*SHAPE, 2, Q(16, 11))


def states_of(shape: tuple[int, ...], size: float = 0.5) -> np.ndarray:
    return np.random.default_rng(3).uniform(-size, size, shape)


def looking(shape: tuple[int, ...], times: tuple[int, ...]):
    """A nonlinear J that looks at several times: Σ_t <w_t, u> + <w_t, u²>/2."""
    seen = {t: np.random.default_rng(10 + t).normal(size=shape) for t in times}
    return lambda t, u: (float((seen[t] * (u + u**2 / 2)).sum()), seen[t] * (1 + u)) if t in seen else None


def by_jax(step: Evolve, grid: Grid, coefficients: Coefficients, start: np.ndarray, times: tuple[int, ...]) -> dict[str, np.ndarray]:
    """The same J's gradient by jax.grad through the project's training graph, unquantised, in double precision."""
    with jax.enable_x64(True):
        seen = {t: jnp.asarray(np.random.default_rng(10 + t).normal(size=start.shape)) for t in times}

        def objective(parts):
            u = jnp.asarray(parts["start"]).transpose(3, 1, 2, 0) * 2.0**grid.q.frac
            total, done = 0.0, 0
            for t in times:
                maps = parts["maps"][done:t] if step.planes else parts["maps"]
                tensors = {"kernel": parts["kernel"].reshape(-1, 1, 1), "bias": parts["bias"], "maps": maps}
                u = physics.advance(msgspec.structs.replace(step, times=t - done), grid, tensors, u, False)
                real = u.transpose(3, 1, 2, 0) * 2.0**-grid.q.frac
                total, done = total + (seen[t] * (real + real**2 / 2)).sum(), t
            return total

        parts = {"kernel": coefficients.kernel, "bias": coefficients.bias, "maps": coefficients.maps, "start": start}
        quick = {"xla_backend_optimization_level": 0}  # compiling takes the time here
        told, slopes = jax.jit(jax.value_and_grad(objective), compiler_options=quick)({k: jnp.asarray(v) for k, v in parts.items()})
        return {"value": float(told), **{k: np.asarray(v) for k, v in slopes.items()}}


def disagreement(ours, theirs) -> float:
    """The largest difference, relative to the largest component, over all parts."""
    found = abs(ours.value - theirs["value"]) / abs(theirs["value"])
    for part in PARTS:
        mine, other = getattr(ours, part), theirs[part]
        assert mine.shape == other.shape
        if mine.size:
            assert np.abs(other).max() > 0
            found = max(found, np.abs(mine - other).max() / np.abs(other).max())
    return found


def rotated(number: int) -> str:
    return BOUNDARIES[number % 3]


@pytest.mark.parametrize(("name", "boundary"), [(name, rotated(n)) for n, name in enumerate(EQUATIONS)])
def test_the_adjoint_of_an_equation_is_the_gradient_of_jax(name, boundary):
    equation = EQUATIONS[name](boundary=boundary)
    scheme, coefficients = of_model(equation.model)
    grid = equation.model.program.input
    start = states_of((3, *grid.shape))
    times = (STEPS,)
    ours = gradient(scheme, coefficients, start, STEPS, looking(start.shape, times))
    assert disagreement(ours, by_jax(equation.evolve, grid, coefficients, start, times)) < 1e-10


@pytest.mark.parametrize(
    ("boundary", "planes", "times"), [("periodic", True, (STEPS,)), ("dirichlet", False, (2, STEPS)), ("neumann", True, (STEPS,))]
)
def test_the_adjoint_of_any_evolution_is_the_gradient_of_jax(boundary, planes, times):
    step, grid = handmade(boundary, planes)
    step.grid_after(grid, "handmade")
    rng = np.random.default_rng(4)
    coefficients = Coefficients(
        rng.uniform(-0.1, 0.1, 6), rng.uniform(-0.1, 0.1, 3), rng.uniform(-0.5, 0.5, (STEPS if planes else 1, *SHAPE, 2))
    )
    start = states_of((2, *grid.shape))
    ours = gradient(of_evolve(step, grid), coefficients, start, STEPS, looking(start.shape, times))
    assert disagreement(ours, by_jax(step, grid, coefficients, start, times)) < 1e-10  # and nothing saturated there


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", EQUATIONS)
def test_the_adjoint_of_the_unmerged_scheme_is_its_central_difference(name, boundary):
    equation: Discretised = EQUATIONS[name](boundary=boundary)
    shape = equation.model.program.input.shape
    scheme, coefficients = of_reference(equation.reference, shape[:2], shape[2])
    start = states_of((2, *shape))
    objective = looking(start.shape, (0, 4, STEPS))
    slopes = gradient(scheme, coefficients, start, STEPS, objective)
    rng = np.random.default_rng(5)
    for part in PARTS:
        at = start if part == "start" else getattr(coefficients, part)
        if not at.size:
            continue
        along = rng.normal(size=at.shape)

        def moved(by: float, part=part, at=at, along=along) -> float:
            if part == "start":
                return value(scheme, coefficients, at + by * along, STEPS, objective)
            parts = {"kernel": coefficients.kernel, "bias": coefficients.bias, "maps": coefficients.maps}
            return value(scheme, Coefficients(**{**parts, part: at + by * along}), start, STEPS, objective)

        e = 2e-4  # a five-point difference: its error is e⁴, so that rounding is the larger
        difference = (8 * (moved(e) - moved(-e)) - (moved(2 * e) - moved(-2 * e))) / (12 * e)
        assert float((getattr(slopes, part) * along).sum()) == pytest.approx(difference, rel=1e-7, abs=1e-8), part


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", EQUATIONS)
def test_the_forward_model_is_the_reference_of_the_discretiser(name, boundary):
    equation = EQUATIONS[name](boundary=boundary)
    shape = equation.model.program.input.shape
    scheme, coefficients = of_reference(equation.reference, shape[:2], shape[2])
    start = states_of((2, *shape))
    end = inward(Stepper(scheme, coefficients).run(inward(start), range(STEPS)))
    wanted = equation.reference.run(start, STEPS)
    assert np.abs(end - wanted).max() < 1e-13
    assert np.abs(wanted - start).max() > 1e-3


def test_the_forward_model_is_ideal_neither_rounded_nor_saturated():
    """Twice the state is twice the answer of a linear equation, however far beyond the field's format."""
    equation = EQUATIONS["heat"]()
    stepper = Stepper(*of_model(equation.model))
    start = inward(states_of((1, *SHAPE, 1)))
    once, many = stepper.run(start, range(5)), stepper.run(start * 1024, range(5))
    assert np.array_equal(once * 1024, many)
    assert np.abs(many).max() > 20 * equation.q.high * float(equation.q.step)


@pytest.mark.parametrize("reach", [(1, 2), (0, 3), (2, 0)])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_folding_is_the_transpose_of_extending(boundary, reach):
    """<extend(e_i), w> for every unit field e_i: the whole matrix and its transpose."""
    wider = np.random.default_rng(6).normal(size=(4 + 2 * reach[0], 5 + 2 * reach[1], 2))
    folded = fold(wider.copy(), reach, boundary)
    for place in np.ndindex(4, 5, 2):
        unit = np.zeros((4, 5, 2))
        unit[place] = 1
        extended = extend(unit, reach, boundary)
        assert extended.shape == wider.shape
        assert folded[place] == pytest.approx((extended * wider).sum(), abs=1e-12)
    padded = np.pad(
        wider, ((reach[0],) * 2, (reach[1],) * 2, (0, 0)), mode={"periodic": "wrap", "dirichlet": "constant", "neumann": "edge"}[boundary]
    )  # fmt: skip
    assert np.array_equal(extend(wider, reach, boundary), padded)


@pytest.mark.parametrize("name", ["Gray-Scott", "paraxial, planes"])
def test_the_adjoint_makes_the_lagrangian_stationary(name):
    """For any change of all states at once, allowed or not, L changes in second order only; on the run itself L is J."""
    equation = EQUATIONS[name](boundary="neumann")
    shape = equation.model.program.input.shape
    scheme, coefficients = of_reference(equation.reference, shape[:2], shape[2])
    states = [states_of((2, *shape))]
    for time in range(STEPS):
        states.append(equation.reference.step(states[-1], time))
    objective = looking(states[0].shape, (2, STEPS))
    multipliers: dict[int, np.ndarray] = {}
    told = gradient(scheme, coefficients, states[0], STEPS, objective, watch=multipliers.__setitem__)
    held = [multipliers[t] for t in range(STEPS + 1)]
    assert lagrangian(scheme, coefficients, states, held, objective) == pytest.approx(told.value, rel=1e-12)
    rng = np.random.default_rng(7)
    along = [np.zeros_like(states[0]), *(rng.normal(size=states[0].shape) for _ in range(STEPS))]

    def slope(multipliers) -> float:
        ends = [lagrangian(scheme, coefficients, [u + e * d for u, d in zip(states, along)], multipliers, objective) for e in (1e-5, -1e-5)]
        return (ends[0] - ends[1]) / 2e-5

    assert abs(slope(held)) < 1e-7
    assert abs(slope([1.01 * m for m in held])) > 1e-3  # other multipliers do not


class Held:
    """A state that can be counted."""

    living: ClassVar[weakref.WeakSet[Held]] = weakref.WeakSet()
    most = steps = 0

    def __init__(self, time: int) -> None:
        self.time = time
        Held.living.add(self)
        Held.most = max(Held.most, len(Held.living))

    @classmethod
    def step(cls, state: Held, time: int) -> Held:
        assert state.time == time
        cls.steps += 1
        return cls(time + 1)

    @classmethod
    def begin(cls) -> Held:
        cls.living.clear()
        cls.most = cls.steps = 0
        return cls(0)


@pytest.mark.parametrize("times", [1, 2, 3, 7, 16, 17, 100, 400, 10_000])
def test_a_run_read_backwards_holds_about_two_roots_of_its_states(times):
    order = [time for time, state in backwards(Held.step, Held.begin(), times) if state.time == time]
    assert order == list(range(times, -1, -1))
    root = math.ceil(math.sqrt(times))
    assert root <= Held.most <= 2 * root + 2
    assert times <= Held.steps <= 2 * times


@pytest.mark.parametrize(("times", "slots"), [(1, 1), (9, 1), (20, 3), (56, 3), (300, 5), (1000, 4)])
def test_the_binomial_schedule_holds_its_slots_and_repeats_no_step_oftener_than_it_must(times, slots):
    order = [time for time, state in binomial(Held.step, Held.begin(), times, slots) if state.time == time]
    assert order == list(range(times, -1, -1))
    assert Held.most <= slots + 3  # what a step takes and gives, and what the reader has not let go of yet
    repetitions = next(r for r in range(times + 1) if math.comb(slots + r, slots) > times)
    assert Held.steps <= repetitions * times


def test_the_gradient_is_the_same_whatever_is_kept():
    equation = EQUATIONS["cubic Schrödinger"]()
    scheme, coefficients = of_model(equation.model)
    start = states_of((1, *SHAPE, 2), 0.3)
    objective = looking(start.shape, (11, 30))
    told = [gradient(scheme, coefficients, start, 30, objective, **how) for how in ({}, {"spacing": 1}, {"spacing": 30}, {"slots": 1}, {"slots": 4})]
    for other in told[1:]:
        assert all(np.array_equal(getattr(other, part), getattr(told[0], part)) for part in PARTS)


def test_the_memory_of_a_gradient_grows_with_the_root_of_its_steps():
    """Traced: sixteen times the steps take four times the memory, not sixteen."""
    equation = transport.heat((32, 32), dt=0.2)
    scheme, coefficients = of_model(equation.model)
    start = states_of((8, 32, 32, 1))
    peaks = []
    for times in (16, 256):
        tracemalloc.start()
        gradient(scheme, coefficients, start, times, lambda t, u, last=times: (float((u**2).sum()), 2 * u) if t == last else None)
        peaks.append(tracemalloc.get_traced_memory()[1] / start.nbytes)
        tracemalloc.stop()
    assert peaks[1] < 2 * 16 + 20 < 256
    assert peaks[1] - peaks[0] < 2 * 16 - 2 * 4 + 4


def test_none_of_it_imports_jax_nor_does_learning_without_gradients():
    names = [f"npde.training.constrained.{name}" for name in ("identify", "design", "classify", "integers")] + ["npde.training.pseudoinverse"]
    script = f"import sys, importlib\nfor name in {names!r}: importlib.import_module(name)\nprint([n for n in ('jax', 'optax') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_bad_input_is_told_in_a_sentence():
    equation = EQUATIONS["paraxial, planes"]()
    scheme, coefficients = of_model(equation.model)
    start, objective = states_of((1, *SHAPE, 2)), lambda t, u: None
    with pytest.raises(TrainingError, match=r"initial states have the shape \(batch, 6, 7, 2\), not \(6, 7, 2\)"):
        gradient(scheme, coefficients, start[0], 3, objective)
    with pytest.raises(TrainingError, match=r"the initial states have 1 value\(s\) that are NaN or infinite"):
        gradient(scheme, coefficients, np.where(start == start.max(), np.nan, start), 3, objective)
    with pytest.raises(TrainingError, match="there are maps for 7 time steps, not for 8"):
        gradient(scheme, coefficients, start, 8, objective)
    with pytest.raises(TrainingError, match="at least 1 time step, not 0"):
        gradient(scheme, coefficients, start, 0, objective)
    with pytest.raises(TrainingError, match="1 or more time steps apart, not 0"):
        gradient(scheme, coefficients, start, 3, objective, spacing=0)
    with pytest.raises(TrainingError, match="at least 1 slot, the start's, not 0"):
        gradient(scheme, coefficients, start, 3, objective, slots=0)
    with pytest.raises(TrainingError, match=r"the bias of the coefficients has shape \(2,\), not \(0,\)"):
        gradient(scheme, Coefficients(coefficients.kernel, np.zeros(2), coefficients.maps), start, 3, objective)
    with pytest.raises(TrainingError, match=r"the kernel of the coefficients has 6 value\(s\) that are NaN or infinite"):
        gradient(scheme, Coefficients(coefficients.kernel * np.inf, coefficients.bias, coefficients.maps), start, 3, objective)
    cubic = of_model(EQUATIONS["cubic Schrödinger"]().model)
    grown = Coefficients(cubic[1].kernel * 1e9, cubic[1].bias, cubic[1].maps)
    with pytest.raises(TrainingError, match="leaves the finite numbers within 7 time steps: its step is unstable"):
        gradient(cubic[0], grown, start, 7, objective)
    with pytest.raises(TrainingError, match="the objective or its gradient is not finite: J = nan"):
        gradient(scheme, coefficients, start, 3, lambda t, u: (float("nan"), u))
