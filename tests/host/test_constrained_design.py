"""Design and classification by the adjoint: against an independent propagator, jax's gradient, and what each must reach."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from npde import golden
from npde.data import Dataset, load_data
from npde.equation.waves import staggered
from npde.errors import ProgramError
from npde.training.constrained.classify import classify, loss, outputs
from npde.training.constrained.design import Bench, convert, focus, level
from npde.training.errors import TrainingError
from npde.training.evolution import evolve
from npde.training.wave import Wave

CELLS = 14
Y, X = np.indices((CELLS, CELLS)) - (CELLS - 1) / 2


def gaussian(waist: float, x: float = 0, y: float = 0) -> np.ndarray:
    return np.exp(-((X - x) ** 2 + (Y - y) ** 2) / waist**2)


BENCH = Bench(k=2.0, dz=0.5, steps=26, plates=(1, 9, 17), thick=6, limit=0.3)


def propagated(beam: np.ndarray, bench: Bench, index: np.ndarray) -> np.ndarray:
    """exp(i·z·(∇²/2k + k·n)) by a matrix exponential for each step: unitary, no leapfrog, and a Laplacian of its own."""
    line = np.diag(np.full(CELLS, -2.0)) + np.diag(np.ones(CELLS - 1), 1) + np.diag(np.ones(CELLS - 1), -1)
    whole = np.kron(line, np.eye(CELLS)) + np.kron(np.eye(CELLS), line)  # zero beyond the edge
    psi, known = beam.astype(complex).ravel(), {}
    for step in range(bench.steps):
        plate = next((n for n, first in enumerate(bench.plates) if first <= step < first + bench.thick), None)
        if plate not in known:
            n = np.zeros(CELLS * CELLS) if plate is None else index[plate].ravel()
            known[plate] = expm(1j * bench.dz * (whole / (2 * bench.k) + np.diag(bench.k * n)))
        psi = known[plate] @ psi
    return psi.reshape(CELLS, CELLS)


def fidelity(psi: np.ndarray, mode: np.ndarray) -> float:
    return float(abs(np.vdot(mode, psi)) ** 2 / (np.vdot(mode, mode).real * np.vdot(psi, psi).real))


@pytest.fixture(scope="module")
def converter():
    return convert(0.9 * gaussian(4), X * gaussian(4), BENCH, iterations=50)


def test_a_gaussian_becomes_a_mode_of_other_symmetry(converter):
    assert converter.before < 1e-20  # by symmetry: without plates they are orthogonal
    assert converter.after > 0.9
    assert converter.history[-1] == pytest.approx(converter.after, abs=1e-6)
    assert np.abs(converter.index).max() <= BENCH.limit
    assert converter.power == pytest.approx(1, abs=0.1)


def test_an_independent_unitary_propagator_finds_the_same_fidelity(converter):
    psi = propagated(0.9 * gaussian(4), BENCH, converter.index)
    assert fidelity(psi, X * gaussian(4)) == pytest.approx(converter.after, abs=0.03)


def test_half_the_step_brings_the_wave_nearer_to_the_unitary_propagator(converter):
    """The same plates in twice as many steps."""
    exact = propagated(0.9 * gaussian(4), BENCH, converter.index)
    errors = []
    for finer in (1, 2, 4):
        bench = Bench(
            k=2.0, dz=0.5 / finer, steps=26 * finer, plates=[finer * plate for plate in BENCH.plates], thick=6 * finer, limit=0.3
        )
        equation = bench.discretised(converter.index)
        end = equation.reference.run(staggered(equation, (0.9 * gaussian(4))[None]), bench.steps)
        errors.append(np.abs(level(end, bench)[0] - exact).max())
    assert errors[0] > 1.8 * errors[1] > 3.2 * errors[2] > 0


def test_smooth_plates_cost_little(converter):
    smooth = convert(0.9 * gaussian(4), X * gaussian(4), BENCH, iterations=50, smooth=1.0)
    jumps = [np.abs(np.diff(found.index, axis=2)).mean() for found in (converter, smooth)]
    assert jumps[1] < 0.8 * jumps[0]
    assert smooth.after > 0.9
    assert smooth.history[-1] < smooth.after  # it pays for what is rough


def test_golden_integers_convert_the_mode_as_well(converter):
    equation = converter.equation
    start = staggered(equation, (0.9 * gaussian(4))[None])
    end = equation.real(golden.run(equation.model, equation.quantise(start)).output)
    assert fidelity(level(end, BENCH)[0], X * gaussian(4)) == pytest.approx(converter.after, abs=2e-3)


def test_a_levelled_wave_is_that_of_one_moment_to_second_order():
    """Through vacuum against the matrix exponential: half the step, a quarter of the error."""
    errors = []
    for steps in (10, 20, 40):
        bench = Bench(k=2.0, dz=4 / steps, steps=steps, plates=(1,), limit=0.1)
        none = np.zeros((1, CELLS, CELLS))
        equation = bench.discretised(none)
        end = equation.reference.run(staggered(equation, gaussian(3)[None]), steps)
        errors.append(np.abs(level(end, bench)[0] - propagated(gaussian(3), bench, none)).max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.1)


def test_one_plate_focuses_as_a_lens_does():
    """Power in nine cells off the axis; the plate found bends the phase towards them: its index is greater there."""
    region = (np.abs(X - 1.5) < 1.1) & (np.abs(Y + 1.5) < 1.1)
    bench = Bench(k=2.0, dz=0.5, steps=30, plates=(1,), thick=8, limit=0.3)
    found = focus(0.9 * gaussian(5), region, bench, iterations=40)
    assert found.after > 3 * found.before > 0
    psi = propagated(0.9 * gaussian(5), bench, found.index)
    assert (np.abs(psi[region]) ** 2).sum() / (np.abs(psi) ** 2).sum() == pytest.approx(found.after, abs=0.03)
    lit = gaussian(5) > 0.3
    assert found.index[0][region].mean() > found.index[0][lit & ~region].mean()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"beam": np.full((CELLS, CELLS), np.nan)}, r"the beam has 196 value\(s\) that are NaN or infinite"),
        ({"target": np.zeros((CELLS, CELLS))}, "the target is dark"),
        ({"target": np.ones((3, CELLS))}, r"the beam has \(14, 14\) cells, the target \(3, 14\)"),
        ({"beam": np.ones(3)}, r"a beam has the shape \(height, width\), not \(3,\)"),
        ({"start": np.full((3, CELLS, CELLS), 0.4)}, r"a starting index has the shape \(3, 14, 14\) and lies inside ±0.3"),
        ({"smooth": -1.0}, "a smoothing weight is zero or more, not -1.0"),
        ({"start": np.zeros((2, CELLS, CELLS))}, r"a starting index has the shape \(3, 14, 14\)"),
    ],
)
def test_a_design_that_cannot_be_is_refused_in_a_sentence(changes, sentence):
    arguments = {"beam": gaussian(4), "target": gaussian(3), "bench": BENCH, **changes}
    with pytest.raises(TrainingError, match=sentence):
        convert(**arguments)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"plates": (1, 6, 16)}, r"plates 6 step\(s\) thick stand one behind the other, at least one of them, the first and the last of 26 steps free"),
        ({"plates": (0, 8, 16)}, r"these begin at \[0, 8, 16\]"),
        ({"plates": (1, 8, 20)}, r"these begin at \[1, 8, 20\]"),
        ({"plates": ()}, "at least one of them"),
        ({"limit": 0.0}, "the greatest index step is positive, not 0.0"),
    ],
)
def test_a_bench_that_cannot_be_is_refused_in_a_sentence(changes, sentence):
    with pytest.raises(TrainingError, match=sentence):
        Bench(**{"k": 2.0, "dz": 0.5, "steps": 26, "plates": (1, 9, 17), "thick": 6, "limit": 0.3, **changes})


def test_an_index_that_would_make_the_leapfrog_unstable_is_refused_before_the_descent():
    bench = Bench(k=2.0, dz=0.5, steps=26, plates=(1,), limit=1.1)
    with pytest.raises(ProgramError, match=r"dt = 0.5 is unstable: the largest stable step is 0\.4"):
        convert(gaussian(4), gaussian(3), bench)


def test_a_region_without_a_cell_is_refused():
    with pytest.raises(TrainingError, match=r"a region has some of the beam's \(14, 14\) cells, not 0 of \(14, 14\)"):
        focus(gaussian(4), np.zeros((CELLS, CELLS)), BENCH)


WAVES = {
    "planes": Wave(times=3, planes=True, diffraction=0.1875, coarsen=2),
    "one potential, differential": Wave(times=4, planes=False, differential=True, gain=1.5),
}


@pytest.mark.parametrize("name", WAVES)
def test_the_gradient_of_a_classifier_is_that_of_jax(name):
    """Amplitude, evolution, intensity, detectors and cross-entropy against the project's training graph, ideal, in double precision."""
    wave = WAVES[name]
    program = wave.program((16, 16, 1), 3, "w")
    rng = np.random.default_rng(1)
    tensors = {name: np.zeros(shape) for name, shape in (
        (f"{i}.{part}", shape) for i, parts in program.tensors().items() for part, (shape, _) in parts.items()
    )}  # fmt: skip
    tensors |= {name: tensor.astype(np.float64) for name, tensor in wave.start(program, 0).items()}
    tensors["1.maps"] = rng.uniform(-0.4, 0.4, tensors["1.maps"].shape)
    tensors["4.kernel"] += rng.normal(size=tensors["4.kernel"].shape) / 16  # im is weighed, too
    tensors["4.bias"] = rng.normal(size=3) / 8
    x, labels = rng.integers(-128, 128, (5, 16, 16)), np.array([0, 1, 2, 1, 0])
    with jax.enable_x64(True):

        def theirs(maps):
            fields = jnp.asarray(x, jnp.float64)[None].transpose(0, 2, 3, 1)
            real = {**{k: jnp.asarray(v) for k, v in tensors.items()}, "1.maps": maps}
            logits = evolve(program, real, fields, quantised=False).reshape(3, -1).T * 2.0**-program.output.q.frac
            return -jax.nn.log_softmax(logits)[jnp.arange(5), labels].mean()

        wanted, slope = jax.jit(jax.value_and_grad(theirs), compiler_options={"xla_backend_optimization_level": 0})(jnp.asarray(tensors["1.maps"]))
        wanted, slope = float(wanted), np.asarray(slope)
    told, ours = loss(program, tensors, x / 128, labels)
    assert told == pytest.approx(wanted, rel=1e-12)
    assert np.abs(ours - slope).max() < 1e-10 * np.abs(slope).max()


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data("digits")


def test_a_short_descent_learns_the_digits(digits):
    """A minute's descent reaches more (benchmarks/identify.py); this one takes seconds, its answer lives in the index planes alone."""
    wave = Wave(times=12, planes=True, diffraction=0.1875)
    found = classify(digits, wave, epochs=3, batch=32, rate=0.1)
    assert found.losses[-1] < 0.4 * found.losses[0]
    assert found.accuracy > 0.85
    assert found.golden_accuracy == pytest.approx(found.accuracy, abs=0.03)
    flat = {**found.tensors, "1.maps": np.zeros_like(found.tensors["1.maps"])}
    shown = digits.test_x * found.model.preprocess.scale + found.model.preprocess.offset
    assert (outputs(found.program, flat, shown).argmax(axis=1) == digits.test_y).mean() < 0.3
    assert np.abs(found.tensors["1.maps"]).max() < 2.0**wave.map_range


def test_a_descent_or_samples_that_cannot_be_are_refused(digits):
    wave = Wave(times=2, planes=True, diffraction=0.1875)
    with pytest.raises(TrainingError, match=r"batches of 1 to 1352 samples, not 1, 0.05 and 2000"):
        classify(digits, wave, epochs=1, batch=2000)
    program = wave.program((8, 8, 1), 10, "w")
    tensors = {name: tensor.astype(np.float64) for name, tensor in wave.start(program, 0).items()}
    with pytest.raises(TrainingError, match=r"samples have the shape \(n, 8, 8\), not \(4, 8\)"):
        loss(program, tensors, np.zeros((4, 8)), np.zeros(4, int))
    odd = Wave(times=2, planes=True, coarsen=3, regions=2, readout=True).program((8, 8, 1), 2, "w")
    with pytest.raises(TrainingError, match="8×8 samples are no whole number of 3×3 cells"):
        loss(odd, tensors, np.zeros((4, 8, 8)), np.zeros(4, int))
