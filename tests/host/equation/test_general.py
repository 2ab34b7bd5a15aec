"""The general discretiser: what it derives, that merging changes nothing, and one sentence for everything wrong."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from npde import golden
from npde.equation.general import discretise, with_times
from npde.equation.language import laplace
from npde.errors import ProgramError
from npde.model import Model
from npde.program import CENTRE

GRAY_SCOTT = "u_t = Du*laplace(u) - u*v**2 + F*(1 - u); v_t = Dv*laplace(v) + u*v**2 - (F + k)*v"
CONSTANTS = {"Du": 0.16, "Dv": 0.08, "F": 0.035, "k": 0.065}


def make(text, **options):
    return discretise(text, **{"shape": (12, 16), "dt": 0.1, **options})


def test_text_mapping_sympy_and_callable_give_the_same_program():
    u, v, Du, Dv, F, k = sympy.symbols("u v Du Dv F k")
    rates = {"u": Du * laplace(u) - u * v**2 + F * (1 - u), "v": Dv * laplace(v) + u * v**2 - (F + k) * v}
    options = {"constants": CONSTANTS, "dt": 1}
    hashes = {
        make(form, **options).model.content_hash
        for form in (
            GRAY_SCOTT, GRAY_SCOTT.split(";"), GRAY_SCOTT.replace("u_t", "du/dt"), rates,
            lambda u, v, Du, Dv, F, k: (Du * laplace(u) - u * v**2 + F * (1 - u), Dv * laplace(v) + u * v**2 - (F + k) * v),
            {"u": "Du*laplace(u) - u*v**2 + F*(1 - u)", "v": str(rates["v"])},
        )
    }  # fmt: skip
    assert len(hashes) == 1


def test_gray_scott_needs_eight_multipliers_a_cell():
    equation = make(GRAY_SCOTT, constants=CONSTANTS, dt=1)
    update = equation.evolve.body[0]
    assert (len(update.forms), len(update.products), len(update.terms)) == (4, 2, 6)
    assert equation.multipliers == 8
    assert {len(form.taps) for form in update.forms} == {1, 4}
    assert update.biased == (0,)


def test_diffusion_with_a_drift_keeps_the_difference_as_a_form():
    update = make("u_t = laplace(u) - advect(a, b, u)", constants={"a": 0.5, "b": 0.25}).evolve.body[0]
    assert sorted(form.weights for form in update.forms) == [(1,), (1, -1), (1, -1), (1, 1, 1, 1)]


def test_a_constant_field_stays_what_it_is_although_coefficients_are_rounded():
    equation = make("u_t = 0.123456*laplace9(u)", dt=0.7)
    kernel = equation.model.weights[0].kernel.ravel()
    update = equation.evolve.body[0]
    assert sum(int(kernel[t.coefficient]) * sum(update.forms[t.value].weights) for t in update.terms) == 0
    field = np.full((1, 12, 16, 1), 12345)
    assert (golden.run(with_times(equation.model, 50), field).output == field).all()


def test_a_constant_that_cancels_a_linear_term_is_rounded_with_it():
    """F·(1 - u) is zero at u = 1 in integers, too: the bias is minus the coefficients' rounded sum."""
    equation = make(GRAY_SCOTT, constants=CONSTANTS, dt=1)
    weights, update = equation.model.weights[0], equation.evolve.body[0]
    own = [t for t in update.terms if t.channel == 0 and t.value < len(update.forms)]
    total = sum(int(weights.kernel[t.coefficient, 0, 0]) * sum(update.forms[t.value].weights) for t in own)
    assert int(weights.bias[0]) == -total << (equation.evolve.bias.frac - equation.evolve.weight.frac)


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet", "neumann"])
@pytest.mark.parametrize("width", [12, 16, 18])
@pytest.mark.parametrize(
    ("text", "dt"),
    [
        ("u_t = laplace(u); v_t = laplace9(v) - u", 0.1),
        ("u_t = div((1 + K)*grad(u)) - upwind(K, -1, v); v_t = 0.1*d2_dy2(v) - v", 0.05),
        ("u_t = 0.1*laplace(u) - u*d_dx(u) - v*d_dy(u); v_t = 0.1*laplace(v) + K*u*v*(1 - u)", 0.05),
        ("u_t = laplace(u**3 - u - 0.5*laplace(u)); v_t = d_dx(u*v) - v", 0.005),
    ],
)
def test_golden_follows_the_unmerged_float64_scheme_at_every_boundary(text, dt, width, boundary):
    """Merging, sharing and boundaries agree: one step differs by rounding alone."""
    K = np.random.default_rng(1).uniform(0, 1, (12, 16))
    equation = make(text, dt=dt, width=width, boundary=boundary, maps={"K": K} if "K" in text else {}, force=True)
    start = equation.real(equation.quantise(np.random.default_rng(2).uniform(-0.9, 0.9, (3, 12, 16, 2))))
    end = equation.real(golden.run(equation.model, equation.quantise(start)).output)
    wanted = np.clip(
        equation.reference.step(start),
        equation.q.low * float(equation.q.step),
        equation.q.high * float(equation.q.step),
    )
    assert np.abs(end - wanted).max() < 2.0 * float(equation.q.step) + 2e-4


def test_wide_fields_take_more_multipliers_or_shifted_forms():
    assert [make("u_t = laplace(u)", width=width).multipliers for width in (16, 17, 18)] == [2, 3, 5]
    shifted = make("u_t = laplace(u)", width=18, shift_forms=True)
    assert shifted.multipliers == 2
    assert max(form.shift for form in shifted.evolve.body[0].forms) == 2


def test_operands_are_at_most_18_bits_and_18_bit_fields_do_not_drift():
    equation = make("u_t = laplace(u)", width=18, shape=(32, 32), dt=0.2)
    assert (
        max(
            q.width
            for update in equation.evolve.body
            for q in equation.evolve.value_formats(update, equation.model.program.input)
        )
        == 18
    )
    start = np.random.default_rng(3).uniform(-0.9, 0.9, (1, 32, 32, 1))
    end = equation.real(golden.run(with_times(equation.model, 500), equation.quantise(start)).output)
    assert abs(end.mean() - start.mean()) < 20 * float(equation.q.step)


def test_orders_are_those_of_the_least_accurate_operator_and_of_the_scheme():
    assert (make("u_t = laplace(u)").order_space, make("u_t = laplace(u)").order_time) == (2, 1)
    assert make("u_t = laplace(u) - upwind(1, 0, u)").order_space == 1
    assert make("u_t = -u").order_space is None
    waves = "a_t = -laplace(b); b_t = laplace(a)"
    assert make(waves, scheme="leapfrog").order_time == 2
    assert make("a_t = -laplace(b) + b*a**2; b_t = laplace(a)", scheme="leapfrog").order_time == 1


@pytest.mark.parametrize(
    ("text", "options", "limit"),
    [
        ("u_t = 3*laplace(u)", {"h": 0.5}, 0.25 * 0.25 / 3),
        ("u_t = laplace9(u)", {}, 0.375),
        ("u_t = laplace(u) - 2*u", {}, 2 / 10),
        ("u_t = -upwind(2, 0, u)", {"h": 0.5}, 0.25),
        ("u_t = laplace(u)", {"shape": (1, 16)}, 0.5),
        ("u_t = 0.1*d2_dx2(u) - advect(1, 0, u)", {"shape": (1, 400)}, 0.2),
        ("u_t = -laplace(laplace(u))", {}, 2 / 64),
        ("a_t = -0.5*laplace(b); b_t = 0.5*laplace(a)", {"scheme": "leapfrog"}, 0.5),
        ("u_t = w; w_t = laplace(u)", {"scheme": "leapfrog"}, 2 / 8**0.5),
    ],
)
def test_the_stability_limit_is_the_textbooks_and_a_step_beyond_it_blows_up(text, options, limit):
    equation = make(text, dt=limit * 0.99, **options)
    assert equation.limit.dt == pytest.approx(limit, rel=2e-4)
    with pytest.raises(ProgramError, match="the largest stable step is"):
        make(text, dt=limit * 1.01, **options)
    shape = options.get("shape", (12, 16))
    start = np.random.default_rng(4).uniform(-1, 1, (1, *shape, len(equation.fields)))
    start -= start.mean(axis=(1, 2), keepdims=True)  # a wave's mean moves on for ever
    steps = 2500
    assert np.abs(equation.reference.run(start, steps)).max() < 50
    if "advect" in text:
        return  # the longest wave grows first, too slowly to see
    beyond = make(text, dt=limit * 1.05, force=True, **options)
    with np.errstate(over="ignore", invalid="ignore"):
        assert not np.abs(beyond.reference.run(start, steps)).max() < 1e3


def test_the_named_largest_step_is_itself_accepted():
    with pytest.raises(ProgramError) as refused:
        make("u_t = 0.37*laplace(u)", dt=5)
    named = str(refused.value).split("stable step is ")[1].split(",")[0]
    make("u_t = 0.37*laplace(u)", dt=named)


def test_a_model_survives_its_file_and_another_number_of_steps(tmp_path):
    equation = make(GRAY_SCOTT, constants=CONSTANTS, dt=1)
    equation.model.save(tmp_path / "gs.npde")
    loaded = Model.load(tmp_path / "gs.npde")
    assert loaded.content_hash == equation.model.content_hash
    assert loaded.notes["fields"] == "u,v"
    start = equation.quantise(np.random.default_rng(0).uniform(0, 0.5, (1, 12, 16, 2)))
    twice = golden.run(equation.model, golden.run(equation.model, start).output).output
    assert (golden.run(with_times(loaded, 2), start).output == twice).all()


def test_planes_change_with_time_and_bound_the_number_of_steps():
    planes = np.arange(4.0).reshape(4, 1, 1) * np.ones((1, 1, 8)) / 8
    equation = discretise("u_t = V*u", shape=(1, 8), dt=1, maps={"V": planes}, planes=True, times=4, largest=4)
    end = equation.reference.run(np.ones((1, 1, 8, 1)), 4)
    assert end.ravel() == pytest.approx(1 * 1.125 * 1.25 * 1.375)
    assert equation.real(
        golden.run(equation.model, equation.quantise(np.ones((1, 1, 8, 1)))).output
    ).ravel() == pytest.approx(end.ravel(), abs=1e-3)
    with pytest.raises(ProgramError, match="maps for 4 time steps, not 5"):
        with_times(equation.model, 5)


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("u_t = w", {}, "there is no field, map or constant 'w'; there are u"),
        ("u_t = curl(u)", {}, "there is no operator 'curl'; there are laplace"),
        ("u_t = laplace(u, u)", {}, r"laplace takes 1 argument\(s\), not 2"),
        ("u_t = u**4", {}, "product of 4 fields; 3 is the highest degree"),
        ("u_t = u**2*laplace(u**2)", {}, "product of 4 fields"),
        ("u_t = u**0.5", {}, "a power is a whole number from 0 to 16"),
        ("u_t = u**-1", {}, "a power is a whole number"),
        ("u_t = 1/u", {}, "nothing divides by a field"),
        ("u_t = u/0", {}, "divides by zero"),
        ("u_t = u +", {}, "is no expression"),
        ("u_t = u if u else 0", {}, "is neither a number, a name"),
        ("u_t = open('x')", {}, "there is no operator 'open'"),
        ("u_t = u.real", {}, "is neither a number, a name"),
        ("u_t = 1e999*u", {}, "is a finite number"),
        ("u_t = " + "-" * 100 + "u", {}, "nested more than 60 deep"),
        ("u_t", {}, "an equation reads 'u_t = right-hand side'"),
        ("", {}, "there is no equation"),
        ("u_t = u; u_t = -u", {}, "field 'u' has two equations"),
        ("laplace_t = 1", {}, "'laplace' cannot name a field"),
        ("u_t = grad(u)", {}, "it stands in div"),
        ("u_t = div(u)", {}, r"div takes coefficient\*grad"),
        ("u_t = -upwind(u, 0, u)", {}, "upwind needs a speed of one sign everywhere"),
        ("u_t = d_dy(u)", {"shape": (1, 16)}, "d_dy differs along an axis of which the grid has one cell"),
        ("u_t = 1", {}, "the equations change nothing|a rate that is a constant alone"),
        ("u_t = 0", {}, "the equations change nothing"),
        ("u_t = laplace(u)", {"boundary": "robin"}, "a boundary is periodic, dirichlet or neumann, not 'robin'"),
        ("u_t = laplace(u)", {"scheme": "rk4"}, "a scheme is euler or leapfrog, not 'rk4'"),
        ("u_t = laplace(u)", {"scheme": "leapfrog"}, "a leapfrog staggers two fields or more"),
        ("u_t = v; v_t = -v", {"scheme": "leapfrog"}, "v_t has a term linear in v"),
        ("u_t = laplace(u)", {"dt": 0}, "dt is positive, not 0"),
        ("u_t = laplace(u)", {"dt": float("nan")}, "dt is a finite number"),
        ("u_t = laplace(u)", {"h": -1}, "the grid spacing h is positive"),
        ("u_t = laplace(u)", {"width": 20}, "a field is 2 to 18 bits wide, not 20"),
        ("u_t = laplace(u)", {"shape": (1, 1)}, "a grid's shape is"),
        ("u_t = laplace(u)", {"dt": 0.3}, "dt = 0.3 is unstable: the largest stable step is 0.25"),
        ("u_t = -advect(1, 0, u)", {}, "no step is stable with scheme euler"),
        ("u_t = laplace(u)", {"fields": ["v"]}, "the equations are for u, but the fields are v"),
        ("u_t = laplace(u)", {"constants": {"u": 1}}, "u names more than one"),
        ("u_t = K*u", {"maps": {"K": np.ones((3, 3))}}, r"map K has shape \(3, 3\), not \(12, 16\)"),
        ("u_t = K*u", {"maps": {"K": np.full((12, 16), np.nan)}}, "map K has values that are NaN"),
        ("u_t = laplace(u)", {"planes": True}, "planes need at least one map"),
        ("u_t = laplace(u)", {"largest": {"v": 1}}, "the largest magnitude of field 'u' is missing"),
        ("u_t = laplace(u) + 1e-9*u**2", {}, "nothing in the coefficients'"),
        ("u_t = 1e7*u", {}, "too great for 18 bits"),
        ("u_t = laplace(u)", {"about": [{"w": 1}]}, "values of u, not of w"),
    ],
)  # fmt: skip
def test_everything_wrong_has_one_sentence(text, options, sentence):
    with pytest.raises(ProgramError, match=sentence) as refused:
        make(text, **options)
    assert "\n" not in str(refused.value)


def test_callables_that_do_not_fit_are_refused():
    with pytest.raises(ProgramError, match="gives 1 rate"):
        make(lambda u, v: u)
    with pytest.raises(ProgramError, match="takes w, which names no field"):
        make(lambda w: w, fields=["u"])
    with pytest.raises(ProgramError, match="text or a sympy expression, not object"):
        make({"u": object()})
    u = sympy.Symbol("u")
    with pytest.raises(ProgramError, match="no polynomial in fields"):
        make({"u": sympy.sin(u)})


def test_sharing_squares_costs_one_product_each():
    update = make("a_t = b*(a**2 + b**2); b_t = -a*(a**2 + b**2)", fields=["a", "b"], dt=0.01).evolve.body[0]
    assert all(form.taps == (CENTRE,) for form in update.forms)
    assert len(update.products) <= 7
