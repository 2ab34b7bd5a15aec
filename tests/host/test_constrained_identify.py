"""Identification: intervals that follow from the scheme's limit, coefficients found again, noise, integers, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from npde import golden
from npde.equation import reaction, transport, waves
from npde.equation.general import Discretised, discretise
from npde.errors import ProgramError
from npde.training.constrained.identify import identify
from npde.training.constrained.integers import as_integers
from npde.training.constrained.observations import Observations
from npde.training.constrained.parametrise import Interval, Layout, Unknown, stable_intervals
from npde.training.constrained.roughness import roughness
from npde.training.errors import TrainingError

HEAT = "u_t = div(D*grad(u))"
GRAY_SCOTT = "u_t = Du*laplace(u) - u*v**2 + F*(1 - u); v_t = Dv*laplace(v) + u*v**2 - (F + k)*v"
WAVE = {"re": "-laplace(im)/2 + V*im", "im": "laplace(re)/2 - V*re"}


def diffusivity(cells: int) -> np.ndarray:
    """A smooth hill and a disc with an edge, between 0.2 and 1."""
    y, x = (np.indices((cells, cells)) + 0.5) / cells
    return 0.2 + 0.5 * np.exp(-((x - 0.3) ** 2 + (y - 0.6) ** 2) / 0.03) + 0.3 * (np.hypot(x - 0.7, y - 0.3) < 0.2)


def blobs(runs: int, cells: int, seed: int = 0) -> np.ndarray:
    """(runs, cells, cells) random states, smooth over a cell."""
    rough = np.random.default_rng(seed).normal(size=(runs, cells, cells))
    smooth = gaussian_filter(rough, (0, 1, 1), mode="nearest")
    return 0.9 * smooth / np.abs(smooth).max()


def seen_of(equation: Discretised, start: np.ndarray, times: tuple[int, ...], noise: float = 0.0) -> tuple[Observations, float]:
    """The reference's runs at these times with normal noise, and its standard deviation: ``noise`` times that of the snapshots."""
    snapshots = np.stack([equation.reference.run(start, time) for time in times])
    sigma = noise * float(snapshots.std())
    return Observations(start, times, snapshots + sigma * np.random.default_rng(9).normal(size=snapshots.shape)), sigma


def away(found, wanted) -> float:
    return float(np.linalg.norm(np.asarray(found) - wanted) / np.linalg.norm(wanted))


@pytest.fixture(scope="module")
def clean():
    D = diffusivity(16)
    seen, _ = seen_of(transport.layered_heat((16, 16), D, dt=0.2, boundary="neumann"), blobs(4, 16)[..., None], (3, 8, 16))
    return D, seen, identify(HEAT, {"D": Unknown(per_cell=True)}, seen, dt=0.2, boundary="neumann", iterations=80)


def test_a_diffusivity_field_is_found_from_clean_snapshots(clean):
    D, seen, found = clean
    again = np.stack([found.equation.reference.run(seen.start, time) for time in seen.times])
    assert found.residual == pytest.approx(np.sqrt(np.mean((again - seen.snapshots) ** 2)), rel=1e-6)
    assert away(found.values["D"], D) < 0.01 < 0.3 < away(np.full_like(D, 0.625), D)  # 0.625 is where it began
    assert found.history[-1] < 1e-4 * found.history[0]
    assert found.runs >= len(found.history)


def test_the_interval_of_a_diffusivity_ends_at_the_largest_stable_one(clean):
    _, _, found = clean
    assert found.intervals["D"] == Interval(0.0, pytest.approx(1 / (4 * 0.2), rel=1e-6))


def test_what_was_found_goes_on_as_integers(clean):
    """The model holds the rounded field, runs in golden, and its error is the rounding's: smaller with more bits."""
    _, seen, found = clean
    model, error = as_integers(found.equation, seen.start, 16)
    assert model.program.steps[0].times == 16
    assert np.array_equal(model.weights[0].maps, found.equation.evolve.map.quantise(found.values["D"])[None, :, :, None])
    assert 0 < error.rms < error.largest < 1e-3
    end = found.equation.real(golden.run(model, found.equation.quantise(seen.start)).output)
    truth = seen.snapshots[-1]
    assert np.abs(end - truth).max() < 3e-3 * np.ptp(truth)
    coarse = discretise(HEAT, shape=(16, 16), dt=0.2, boundary="neumann", maps={"D": found.values["D"]}, width=10)
    assert as_integers(coarse, seen.start, 16)[1].rms > 10 * error.rms


def test_smoothing_by_the_discrepancy_principle_fits_as_well_as_the_noise_and_no_better():
    D = diffusivity(12)
    equation = transport.layered_heat((12, 12), D, dt=0.2, boundary="neumann")
    seen, sigma = seen_of(equation, blobs(2, 12)[..., None], (4, 10), 0.05)
    options = {"dt": 0.2, "boundary": "neumann", "iterations": 60, "noise": sigma}
    told = []
    smooth = identify(
        HEAT, {"D": Unknown(per_cell=True)}, seen, smooth="discrepancy", progress=lambda *now: told.append(now), **options
    )
    rough = identify(HEAT, {"D": Unknown(per_cell=True)}, seen, **options)
    assert smooth.residual == pytest.approx(sigma, rel=0.02)
    assert rough.residual < 0.95 * sigma  # it has fitted the noise
    assert away(smooth.values["D"], D) < 0.5 * away(rough.values["D"], D)
    assert len(told) > 2
    assert told[-1] == (smooth.smooth, smooth.residual)


def test_a_given_weight_smooths_as_much_as_it_says(clean):
    """So much of it that the map is flat, at the one value that fits best; a little, and the fit comes first."""
    D, seen, _ = clean
    flat, fitted = (
        identify(HEAT, {"D": Unknown(per_cell=True)}, seen, dt=0.2, boundary="neumann", iterations=40, smooth=weight)
        for weight in (1e4, 1e-6)
    )
    assert np.ptp(flat.values["D"]) < 0.02 < 0.4 < np.ptp(fitted.values["D"])
    assert D.min() < flat.values["D"].mean() < D.max()
    assert flat.smooth == 1e4
    assert fitted.residual < 0.01 * flat.residual


def test_a_chequerboard_of_diffusivity_is_invisible_and_smoothing_takes_it_away():
    """Averaged onto faces it is nothing: no run tells of it, so that only the weight α decides."""
    board = 0.05 * (-1.0) ** np.indices((8, 8)).sum(axis=0)
    start = blobs(2, 8)[..., None]
    with_it, without = (
        transport.layered_heat((8, 8), 0.5 + by * board, dt=0.2, boundary="neumann").reference.run(start, 10) for by in (1, 0)
    )
    assert np.abs(with_it - without).max() < 1e-14
    seen = Observations(start, (10,), without[None])
    options = {"dt": 0.2, "boundary": "neumann", "iterations": 60}
    kept, taken = (
        identify(HEAT, {"D": Unknown(per_cell=True, start=0.5 + board)}, seen, smooth=weight, **options).values["D"]
        for weight in (0.0, 1e-3)
    )
    assert np.allclose(kept, 0.5 + board, atol=1e-6)
    assert away(taken, np.full((8, 8), 0.5)) < 0.1 * away(kept, np.full((8, 8), 0.5))


def test_reaction_constants_of_gray_scott_are_found():
    equation = reaction.gray_scott((16, 16), F=0.035, k=0.065)
    start = np.stack([1 - 0.5 * np.abs(blobs(1, 16)), 0.4 * np.abs(blobs(1, 16, 3))], axis=-1)
    seen, _ = seen_of(equation, start, (10, 30))
    found = identify(
        GRAY_SCOTT, {"F": Unknown(0, 0.1, start=0.08), "k": Unknown(0, 0.1, start=0.02)}, seen, dt=1,
        constants={"Du": 0.16, "Dv": 0.08}, about=[{"u": 1, "v": 0}], largest=0.999,
    )  # fmt: skip
    assert found.values == {"F": pytest.approx(0.035, rel=1e-6), "k": pytest.approx(0.065, rel=1e-6)}
    assert found.equation.maps == ()  # constants again, not maps: eight multipliers a cell
    assert found.equation.multipliers == 8


def test_the_rate_of_fisher_is_found_below_its_stability_limit():
    start = np.abs(blobs(1, 24)[:, :1])[..., None]
    seen, _ = seen_of(reaction.fisher_kpp((1, 24), r=0.7, dt=0.2), start, (5, 20))
    found = identify("u_t = laplace(u) + r*u*(1 - u)", {"r": Unknown()}, seen, dt=0.2, about=[{"u": 0}, {"u": 1}])
    assert found.values["r"] == pytest.approx(0.7, rel=1e-6)
    assert found.intervals["r"].high == pytest.approx(2 / 0.2 - 4, rel=1e-6)


def test_a_potential_is_found_by_waves_through_it():
    y, x = (np.indices((12, 12)) + 0.5) / 12
    V = np.exp(-((x - 0.4) ** 2 + (y - 0.6) ** 2) / 0.03) - 0.3 * (x > 0.7)
    equation = waves.schroedinger((12, 12), V=V, dt=0.2)
    start = np.stack([blobs(4, 12, 1), blobs(4, 12, 2)], axis=-1)
    seen, _ = seen_of(equation, start, (2, 5, 8))
    found = identify(
        WAVE, {"V": Unknown(low=-1.0, per_cell=True, start=0.0)}, seen, dt=0.2, scheme="leapfrog", iterations=80
    )
    assert away(found.values["V"], V) < 0.01
    assert found.intervals["V"].high == pytest.approx(2 / 0.2 - 4, rel=1e-5)
    _, error = as_integers(found.equation, start, 8)
    assert error.largest < 2e-3


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet", "neumann"])
def test_whatever_a_descent_does_a_run_stays_bounded_and_a_little_beyond_it_grows(boundary):
    """Any z at all, over an interval bisected from the scheme's limit: the maximum principle holds. A tenth beyond it does not."""
    unknown = {"D": Unknown(per_cell=True)}
    seen, _ = seen_of(transport.heat((8, 8), D=0.5, dt=0.3), blobs(1, 8)[..., None], (1,))
    found = identify(HEAT, unknown, seen, dt=0.3, boundary=boundary, iterations=1)
    layout = Layout(unknown, found.intervals, (8, 8))
    start = blobs(2, 8, 5)[..., None]
    for z in (np.random.default_rng(1).normal(size=64) * 30, np.full(64, 1e3), np.full(64, -1e3)):
        D = layout.values(z)["D"]
        equation = transport.layered_heat((8, 8), D, dt=0.3, boundary=boundary)  # refused if unstable
        assert np.abs(equation.reference.run(start, 400)).max() <= np.abs(start).max() * (1 + 1e-6)
    beyond = transport.layered_heat((8, 8), 1.1 * np.full((8, 8), found.intervals["D"].high), dt=0.3, boundary=boundary, force=True)
    assert np.abs(beyond.reference.run(start, 400)).max() > 100


def test_the_chain_rule_of_intervals_and_roughness_is_their_difference():
    layout = Layout({"a": Unknown(), "D": Unknown(per_cell=True)}, {"a": Interval(0, 2), "D": Interval(-1, 3)}, (3, 4))
    z = np.random.default_rng(2).normal(size=13)
    assert np.allclose(layout.vector(layout.values(z)), z, atol=1e-12)
    for periodic in (True, False):

        def total(z, periodic=periodic) -> float:
            values = layout.values(z)
            return float(values["a"] ** 2) + roughness(values["D"], 0.5, periodic)[0]

        values = layout.values(z)
        ours = layout.chain(z, {"a": 2 * values["a"], "D": roughness(values["D"], 0.5, periodic)[1]})
        for place in range(13):
            unit = np.eye(13)[place] * 1e-6
            assert ours[place] == pytest.approx((total(z + unit) - total(z - unit)) / 2e-6, rel=1e-6, abs=1e-9)
    ramp = np.arange(6.0).reshape(1, 6)
    assert roughness(ramp, 0.5, False)[0] == pytest.approx(5 * 4 / 12)  # five differences of slope two over six cells
    assert roughness(ramp, 0.5, True)[0] == pytest.approx((5 * 4 + 100) / 12)


GOOD = Observations(blobs(2, 6)[..., None], (1, 3), np.zeros((2, 2, 6, 6, 1)))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"snapshots": np.full((2, 2, 6, 6, 1), np.nan)}, r"the snapshots have 144 value\(s\) that are NaN or infinite"),
        ({"start": np.full((2, 6, 6, 1), np.inf)}, r"the initial states have 72 value\(s\) that are NaN or infinite"),
        ({"start": np.zeros((6, 6))}, r"the shape \(runs, height, width, fields\), not \(6, 6\)"),
        ({"snapshots": np.zeros((2, 6, 6, 1))}, r"2 observation time\(s\) of states \(2, 6, 6, 1\) need snapshots \(2, 2, 6, 6, 1\), not \(2, 6, 6, 1\)"),
        ({"times": (3, 3)}, r"observation times increase from 1 or later on, not \[3, 3\]"),
        ({"times": (0, 3)}, r"observation times increase from 1 or later on, not \[0, 3\]"),
        ({"times": ()}, "at least one of them"),
        ({"times": (1, 2.5)}, "whole numbers of time steps"),
        ({"steps": 2}, "observation time 3 lies beyond the run of 2 time steps"),
    ],
)  # fmt: skip
def test_observations_that_cannot_be_are_refused_in_a_sentence(changes, sentence):
    with pytest.raises(TrainingError, match=sentence):
        Observations(**{"start": GOOD.start, "times": GOOD.times, "snapshots": GOOD.snapshots, **changes})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"unknowns": {"D": Unknown(per_cell=True, start=1.3)}}, r"the starting D spans \[1.3, 1.3\]; it may take what lies inside \(0, 1.25\), where the step is stable"),
        ({"unknowns": {"D": Unknown(per_cell=True, start=np.full((6, 6), np.nan))}}, "the starting D has values that are NaN"),
        ({"unknowns": {"D": Unknown(per_cell=True, start=np.ones((5, 6)))}}, r"the starting D has shape \(5, 6\), not \(6, 6\)"),
        ({"unknowns": {"D": Unknown(high=1.5)}}, r"with D in \(0, 1.5\) the step dt = 0.2 is unstable: the largest stable one is 0.166667"),
        ({"unknowns": {"D": Unknown(low=2.0)}}, r"no D from 2 upwards is stable with dt = 0.2: the largest stable step is 0.125$"),
        ({"unknowns": {"D": Unknown(low=1.0, high=0.5)}}, r"D lies between a low and a higher high, not in \(1.0, 0.5\)"),
        ({"unknowns": {}}, "nothing to identify"),
        ({"shape": (8, 6)}, "the observed states have 6×6 cells, the grid has 8×6"),
        ({"planes": True}, "takes no planes"),
        ({"smooth": "discrepancy"}, "needs the noise of the snapshots and a map to smooth"),
        ({"smooth": -1.0}, "zero or more, or the word discrepancy, not -1.0"),
        ({"noise": math.nan}, "the noise is a positive standard deviation, not nan"),
        ({"equations": "u_t = D*laplace(u) + E*u", "unknowns": {"D": Unknown(), "E": Unknown()}}, "the largest stable D and E depend on one another: give high for all but one"),
        ({"equations": "u_t = D*laplace(u); v_t = -v"}, r"the observed states have the shape \(6, 6, 1\), the grid has \(6, 6, 2\)"),
        ({"equations": "u_t = 0.1*laplace(u) + D", "unknowns": {"D": Unknown()}}, "no D is too great for dt = 0.2: give its high"),
    ],
)  # fmt: skip
def test_what_cannot_be_identified_is_refused_in_a_sentence(changes, sentence):
    arguments = {"equations": HEAT, "unknowns": {"D": Unknown(per_cell=True)}, "seen": GOOD, "dt": 0.2, "iterations": 1, **changes}
    with pytest.raises(TrainingError, match=sentence):
        identify(**arguments)


def test_an_equation_that_divides_by_its_unknown_is_refused_by_name():
    with pytest.raises(ProgramError, match="no polynomial"):
        identify("u_t = laplace(u)/D", {"D": Unknown(low=1, high=2)}, GOOD, dt=0.1)


def test_noise_greater_than_the_equation_can_explain_is_told():
    seen = Observations(GOOD.start, (1, 3), np.random.default_rng(3).normal(size=(2, 2, 6, 6, 1)))
    with pytest.raises(TrainingError, match=r"no smoothing brings the residual, .*, down to the noise, 0.001"):
        identify(HEAT, {"D": Unknown(per_cell=True)}, seen, dt=0.2, smooth="discrepancy", noise=1e-3, iterations=2)


def test_intervals_of_several_unknowns_are_judged_together():
    """What one takes of the step's limit the other cannot have."""
    limit = lambda ends: 2 / (8 * ends["D"][1] + ends["r"][1])  # noqa: E731
    found = stable_intervals({"D": Unknown(), "r": Unknown(0, 2)}, limit, 0.2)
    assert found["D"].high == pytest.approx((2 / 0.2 - 2) / 8, rel=1e-6)
    assert found["r"] == Interval(0, 2)
