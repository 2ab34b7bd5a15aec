"""Pseudoinverse learning: streamed sums are the whole matrix's least squares, layers what the papers say, bad input a sentence."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from npde import golden
from npde.data import Dataset, load_data
from npde.model import Model
from npde.program import CROSS, MOORE, Clip, Dense, Grid, Pool, Program, Q, Relu, Stencil
from npde.training.architecture import Architecture, Stage
from npde.training.errors import TrainingError
from npde.training.evolution import outputs
from npde.training.learn import golden_accuracy, golden_share, quantise
from npde.training.network import Perceptron, Recurrence
from npde.training.parameters import FloatModel, initialise, rounded
from npde.training.pseudoinverse import Search, Settings, learn, real, rows
from npde.training.pseudoinverse.autoencoder import encoder, width_of
from npde.training.pseudoinverse.gram import ROUNDING, Gram, one_hot
from npde.training.pseudoinverse.layer import input_sums, learn_layer
from npde.training.pseudoinverse.pil import choose_samples, pseudoinverse_directions
from npde.training.pseudoinverse.readout import solve
from npde.training.pseudoinverse.scale import saturation
from npde.training.recipe import RECIPES, Descent, Recipe
from npde.training.samples import held_out

ROUND_ONLY = Descent(epochs=0, rate=1e-3)
ONCE = Search(gains=(0.5,), thresholds=(0.3,), ridges=(1.0,))
F = Q(8, 7)


def recipe_of(architecture, **more) -> Recipe:
    return Recipe(name="solved", architecture=architecture, descent=ROUND_ONLY, finetune=ROUND_ONLY, **more)


SMALL_CNN = Architecture(stages=(Stage(channels=8), Stage(channels=16)), rectify=True, pool_size=2, pool_range=2)
EULER_STEPS = Architecture(stages=(Stage(channels=8, residual=1), Stage(channels=16, stride=2, residual=1)), pool_size=2, pool_range=2)
SMALL_MLP = Perceptron(hidden=(24,), field_range=2)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data("digits")


def summed(h, y=None, block=None) -> Gram:
    gram = Gram(h.shape[1], 0 if y is None else y.shape[1])
    for first in range(0, len(h), block or len(h)):
        gram.add(h[first : first + (block or len(h))], None if y is None else y[first : first + (block or len(h))])
    return gram


def test_the_streamed_solution_is_the_whole_matrix_least_squares():
    rng = np.random.default_rng(0)
    h, y = rng.normal(size=(300, 20)) + 3, rng.normal(size=(300, 4))
    weights, bias = summed(h, y, 37).solve()
    whole = np.linalg.lstsq(np.column_stack([h, np.ones(300)]), y, rcond=None)[0]
    assert np.allclose(np.vstack([weights, bias]), whole, atol=1e-9)
    residual = np.sum((h @ whole[:-1] + whole[-1] - y) ** 2)
    assert summed(h, y, 37).error(weights, bias) == pytest.approx(residual)


def test_without_full_rank_it_is_the_truncated_pseudoinverse_and_the_rank_is_told():
    rng = np.random.default_rng(1)
    h, y = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 15)), rng.normal(size=(200, 3))
    gram = summed(h, y, 64)
    assert gram.rank() == 6
    expected = np.linalg.pinv(h - h.mean(axis=0), rcond=1e-10) @ (y - y.mean(axis=0))
    assert np.allclose(gram.solve()[0], expected, atol=1e-8)


def test_a_ridge_adds_rows_to_the_whole_problem():
    rng = np.random.default_rng(2)
    h, y = rng.normal(size=(90, 12)), rng.normal(size=(90, 2))
    centred = h - h.mean(axis=0)
    kappa = 0.3 * np.sum(centred**2) / 12
    longer = np.vstack([centred, np.sqrt(kappa) * np.eye(12)])
    whole = np.linalg.lstsq(longer, np.vstack([y - y.mean(axis=0), np.zeros((12, 2))]), rcond=None)[0]
    assert np.allclose(summed(h, y).solve(0.3)[0], whole, atol=1e-10)


@pytest.mark.parametrize("width", [8, 16])
def test_integers_sum_exactly_whatever_the_blocks(width):
    q = Q(width, 0)
    h = np.random.default_rng(3).integers(q.low, q.high + 1, size=(5000, 9)).astype(np.int32)
    y = one_hot(np.arange(5000) % 3, 3)
    exact = h.astype(object)
    for block in (1, 999, 5000):
        gram = summed(h, y, block)
        assert (gram.square == (exact.T @ exact).astype(np.float64)).all()
        assert (gram.cross == (exact.T @ y.astype(object)).astype(np.float64)).all()


def test_noise_of_rounding_is_no_rank():
    rng = np.random.default_rng(4)
    h = np.rint(rng.normal(size=(3000, 5)) @ rng.normal(size=(5, 12)) * 30).astype(np.int64)
    gram = summed(h)
    assert gram.rank() == 12
    assert gram.rank(noise=ROUNDING) == 5


def test_as_many_hidden_units_as_samples_reproduce_every_target():
    """Guo and Lyu's theorem: W = X⁺, φ raises the rank to the number of samples, and H⁺Y has no error."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(40, 10)), rng.normal(size=(40, 3))
    before = x @ pseudoinverse_directions(x, 0.0).T
    assert np.linalg.matrix_rank(before) == 10
    assert summed(before, y).error(*summed(before, y).solve()) > 1
    h = np.tanh(3 * before)
    weights, bias = summed(h, y, 7).solve()
    assert np.allclose(h @ weights + bias, y, atol=1e-5)


def test_the_pseudoinverse_layer_answers_one_to_its_own_sample():
    x = np.random.default_rng(6).normal(size=(9, 25))
    assert np.allclose(x @ pseudoinverse_directions(x, 0.0).T, np.eye(9), atol=1e-10)
    regularised = pseudoinverse_directions(x, 0.1)
    kappa = 0.1 * np.mean(np.sum(x**2, axis=1))
    assert np.allclose(regularised.T, np.linalg.solve(x.T @ x + kappa * np.eye(25), x.T))


def test_samples_are_drawn_once_and_never_from_nothing():
    rng = np.random.default_rng(7)
    x = np.vstack([np.zeros((50, 4)), rng.normal(size=(10, 4))])
    drawn = choose_samples(x, 10, rng, "here")
    assert {tuple(row) for row in drawn} == {tuple(row) for row in x[50:]}
    with pytest.raises(TrainingError, match=r"here: 11 hidden values need as many samples .* there are 10; ask for at most 10"):
        choose_samples(x, 11, rng, "here")


def test_the_autoencoder_rebuilds_as_well_as_any_of_its_rank():
    """Before φ the encoder and the solved decoder leave the truncated SVD's error, which is the least (Eckart and Young)."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(400, 12)) * np.geomspace(9, 0.5, 12) @ np.linalg.qr(rng.normal(size=(12, 12)))[0] + 2
    singular = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    for width in (1, 5, 11):
        code = x @ encoder(summed(x * 64), width, "here").T
        sums = summed(code, x, 50)
        assert sums.error(*sums.solve()) == pytest.approx(np.sum(singular[width:] ** 2), rel=1e-6)


def test_the_width_is_the_energy_it_is_asked_for():
    rng = np.random.default_rng(9)
    x = np.rint(rng.normal(size=(500, 10)) * np.array([90, 60, 40, 20, 10, 5, 0, 0, 0, 0])).astype(np.int64)
    values = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    for energy in (0.5, 0.9, 0.99):
        kept = values[: width_of(summed(x), energy)].sum() / values.sum()
        assert kept >= energy > values[: width_of(summed(x), energy) - 1].sum() / values.sum()
    assert width_of(summed(x), 1.0) == 6
    with pytest.raises(TrainingError, match=r"above 0 and at most 1, not 1\.5"):
        width_of(summed(x), 1.5)


@pytest.mark.parametrize("step", [
    Stencil(out_channels=4, taps=MOORE, weight=Q(8, 7), bias=Q(16, 12), out=F, phi=Clip(0, 127), stride=2),
    Stencil(out_channels=4, taps=CROSS, weight=Q(8, 7), bias=Q(16, 12), out=F, phi=Relu(), boundary="dirichlet"),
    Dense(out_channels=4, weight=Q(8, 7), bias=Q(16, 12), out=Q(8, 5), phi=Relu()),
])  # fmt: skip
def test_a_layer_swings_and_lies_where_it_is_told(step):
    """Units by the golden model have the mean and the deviation asked for, before φ bends them."""
    rng = np.random.default_rng(10)
    grid = Grid(6, 7, 2, F)
    fields = np.clip(rng.normal(20, 30, size=(300, 6, 7, 2)), -128, 127).astype(np.int16)
    # The same step with fields so wide that nothing saturates, and no φ, shows what φ gets.
    bare = msgspec.structs.replace(step, out=Q(18, 12), phi=Clip(Q(18, 12).low, Q(18, 12).high))
    program = Program(name="p", input=grid, steps=(step, Dense(out_channels=2, weight=F, bias=Q(8, 7), out=Q(16, 10))))
    for strategy in ("pil", "random"):
        weights = learn_layer(strategy, program, 0, {}, fields, Settings(gain=0.2, thresholds=1.0), np.random.default_rng(0))
        one = Program(name="b", input=grid, steps=(bare,))
        seen = rows.hidden(Program(name="b", input=grid, steps=(bare, *program.steps[1:])), 1, {0: weights}, fields)
        values = bare.out.real(seen.reshape(-1, 4))
        assert one.output.channels == 4
        # Rounded weights and a bounded format move the deviation a little, never the threshold.
        assert np.all(values.std(axis=0) < 0.2 * saturation(step) * 1.15)
        assert np.all(np.abs(values.mean(axis=0)) < values.std(axis=0) * 1.05)
        assert np.ptp(values.mean(axis=0) / values.std(axis=0)) > 0.2


def test_the_real_program_is_the_ideal_graph():
    program = Program(name="one", input=Grid(5, 6, 3, F), argmax=True, steps=(
        Stencil(out_channels=3, taps=MOORE, weight=Q(5, 3), bias=Q(12, 9), out=F, phi=Clip(-127, 127), skip=True, repeat=2),
        Stencil(out_channels=4, taps=CROSS, weight=Q(5, 3), bias=Q(12, 9), out=F, phi=Relu(), stride=2, boundary="periodic"),
        Pool(kind="sum", size=2, out=Q(7, 6)),
        Dense(out_channels=4, weight=Q(6, 4), bias=Q(12, 8), out=Q(14, 8)),
    ))  # fmt: skip
    rng = np.random.default_rng(11)
    tensors = {k: rng.normal(size=v.shape).astype(np.float32) * 0.3 for k, v in initialise(program, seed=0).items()}
    x = rng.integers(F.low, F.high + 1, size=(30, 5, 6, 3))
    ideal = outputs(program, tensors, x, quantised=False) * float(program.output.q.step)
    assert np.allclose(real.answers(program, tensors, x), ideal, atol=1e-4)


def test_a_readout_fills_its_formats_and_leaves_none():
    rng = np.random.default_rng(12)
    h = rng.integers(-128, 128, size=(500, 1, 1, 6))
    labels = (h[:, 0, 0, :3] * [1, 3, -2]).argmax(axis=1)
    step, grid = Dense(out_channels=3, weight=Q(6, 5), bias=Q(10, 4), out=Q(12, 6)), Grid(1, 1, 6, F)
    readout = solve(summed(h.reshape(500, 6), one_hot(labels, 3)), step, grid, h, labels)
    weights = step.weight.quantise(readout.kernel)
    assert np.abs(weights).max() == step.weight.high
    assert np.abs(readout.kernel).max() <= step.weight.high * float(step.weight.step) + 1e-6
    model = Model(
        Program(name="r", input=grid, steps=(step,), argmax=True),
        rounded(Program(name="r", input=grid, steps=(step,)), {"0.kernel": readout.kernel, "0.bias": readout.bias}),
    )
    assert golden_share(model, h / 128, labels) == readout.accuracy > 0.8


def test_answers_that_their_format_bounds_do_not_saturate():
    rng = np.random.default_rng(15)
    h = rng.integers(-128, 128, size=(500, 1, 1, 40))
    labels = h[:, 0, 0, :3].argmax(axis=1)
    step, grid = Dense(out_channels=3, weight=Q(8, 5), bias=Q(16, 12), out=Q(10, 9)), Grid(1, 1, 40, F)
    program = Program(name="r", input=grid, steps=(step,), argmax=True)
    readout = solve(summed(h.reshape(500, 40), one_hot(labels, 3)), step, grid, h, labels)
    model = Model(program, rounded(program, {"0.kernel": readout.kernel, "0.bias": readout.bias}))
    answers = golden.run(model, h).output
    assert step.out.low < answers.min() < answers.max() < step.out.high
    assert answers.max() > step.out.high / 2
    assert readout.accuracy > 0.8


@pytest.mark.parametrize(("strategy", "architecture", "least"), [
    ("pil", SMALL_CNN, 0.95), ("pilae", SMALL_CNN, 0.95), ("random", SMALL_CNN, 0.95), ("pilae", SMALL_MLP, 0.85),
    ("pil", EULER_STEPS, 0.9),
])  # fmt: skip
def test_digits_are_learned_and_rounding_loses_nothing(digits, strategy, architecture, least, tmp_path):
    told = []
    solved = learn(recipe_of(architecture), digits, strategy, search=ONCE, progress=lambda done, error: told.append((done, error)))
    solved.save(tmp_path / "solved.float")
    model = quantise(FloatModel.load(tmp_path / "solved.float"), digits)
    assert golden_accuracy(model, digits) >= least
    assert float(model.notes["quantised validation accuracy"]) >= float(solved.notes["float validation accuracy"]) - 0.02
    assert told[-1][0] == 1
    assert told[-1][1] == pytest.approx(1 - float(model.notes["quantised validation accuracy"]), abs=1e-4)
    for index in solved.program.tensors():
        if index != len(solved.program.steps) - 1:
            q = solved.program.tensors()[index]["kernel"][1]
            assert (q.real(q.quantise(solved.tensors[f"{index}.kernel"])) == solved.tensors[f"{index}.kernel"]).all()


def test_a_descent_through_the_quantiser_goes_on_from_there(digits):
    gentle = Descent(epochs=15, rate=1e-3, batch=32)
    recipe = msgspec.structs.replace(recipe_of(SMALL_MLP), finetune=gentle)
    solved = learn(recipe, digits, "pilae", search=ONCE, test=False)
    model = quantise(solved, digits, test=False)
    held = held_out(digits.train_y, 0.1)
    only_rounded = Model(solved.program, rounded(solved.program, solved.tensors), solved.preprocess)
    before = golden_share(only_rounded, digits.train_x[held], digits.train_y[held])
    assert model.content_hash != only_rounded.content_hash
    assert float(model.notes["quantised validation accuracy"]) > before


def test_no_layer_sees_the_samples_held_out_nor_the_test_samples(digits):
    held = held_out(digits.train_y, 0.1)
    other = digits.train_x.copy()
    rng = np.random.default_rng(13)
    # Choosing among one candidate chooses nothing, so the hidden layer must stay to the bit.
    other[held] = rng.integers(0, 17, size=other[held].shape)
    changed = Dataset("changed", other, digits.train_y, digits.test_x[::-1].copy(), digits.test_y, 10, digits.raw_range)
    one, two = (learn(recipe_of(SMALL_MLP), data, "pilae", search=ONCE) for data in (digits, changed))
    assert (one.tensors["0.kernel"] == two.tensors["0.kernel"]).all()
    assert (one.tensors["0.bias"] == two.tensors["0.bias"]).all()
    assert "float accuracy" not in learn(recipe_of(SMALL_MLP), digits, "pilae", search=ONCE, test=False).notes


def test_the_search_takes_what_validates_better(digits):
    shares = []
    solved = learn(
        recipe_of(SMALL_MLP), digits, "pilae", test=False,
        search=Search(gains=(0.02, 0.5), thresholds=(0.3,), ridges=(1.0,)), progress=lambda _, error: shares.append(1 - error),
    )  # fmt: skip
    assert len(shares) == 3
    assert shares[1] > shares[0]
    assert "gain 0.5" in solved.notes["settings"]


def test_energy_chooses_the_widths(digits):
    narrow, wide = (learn(recipe_of(SMALL_MLP), digits, "pilae", search=ONCE, energy=e, test=False) for e in (0.5, 0.9))
    for solved, energy in ((narrow, 0.5), (wide, 0.9)):
        fields = np.rint(digits.train_x[~held_out(digits.train_y, 0.1)] * 16.0 - 128).reshape(-1, 64)
        values = np.linalg.svd(fields - fields.mean(axis=0), compute_uv=False) ** 2
        directions = int(np.searchsorted(np.cumsum(values) / values.sum(), energy)) + 1
        assert solved.recipe.architecture.hidden == (2 * directions,)  # relu: two signs each
        assert solved.program.kernel_shapes()[0][0] == 2 * directions
    # A stage's channels come from the patches its stencil sees: 3×3 pixels with the edge repeated.
    frames = np.pad(digits.train_x[~held_out(digits.train_y, 0.1)] * 16.0 - 128, ((0, 0), (1, 1), (1, 1)), mode="edge")
    patches = np.stack([frames[:, a : a + 8, b : b + 8].ravel() for a in range(3) for b in range(3)], axis=1)
    values = np.linalg.svd(patches - patches.mean(axis=0), compute_uv=False, full_matrices=False) ** 2
    for energy in (0.7, 0.95):
        solved = learn(recipe_of(SMALL_CNN), digits, "pilae", search=ONCE, energy=energy, test=False)
        directions = int(np.searchsorted(np.cumsum(values) / values.sum(), energy)) + 1
        assert solved.program.kernel_shapes()[0][0] == 2 * directions


def altered(data: Dataset, part: str, index, value) -> Dataset:
    """A data set whose arrays were written to after it had checked itself."""
    arrays = {name: np.array(getattr(data, name)) for name in ("train_x", "train_y", "test_x", "test_y")}
    arrays["train_x"], arrays["test_x"] = arrays["train_x"].astype(np.float32), arrays["test_x"].astype(np.float32)
    made = Dataset("altered", *arrays.values(), data.classes, data.raw_range)
    getattr(made, part)[index] = value
    return made


def test_bad_input_is_named(digits):
    small = recipe_of(SMALL_MLP)
    with pytest.raises(TrainingError, match="altered: training sample 17 holds NaN or infinite values"):
        learn(small, altered(digits, "train_x", (17, 3, 3), np.nan))
    with pytest.raises(TrainingError, match="altered: test sample 2 holds NaN or infinite values"):
        learn(small, altered(digits, "test_x", (2, 0, 0), np.inf))
    with pytest.raises(TrainingError, match="training sample 5 has label 10; labels go from 0 to 9"):
        learn(small, altered(digits, "train_y", 5, 10))
    with pytest.raises(TrainingError, match="training sample 6 has label -1; labels go from 0 to 9"):
        learn(small, altered(digits, "train_y", 6, -1))
    with pytest.raises(TrainingError, match="all 1352 training samples are the same"):
        learn(small, altered(digits, "train_x", slice(None), 3))
    with pytest.raises(TrainingError, match=r"no strategy 'adam'; there are pil, pilae, random"):
        learn(small, digits, "adam")
    with pytest.raises(TrainingError, match="'rnn' is a recurrence: pseudoinverses learn perceptrons and stencil"):
        learn(RECIPES["rnn"], digits)
    assert isinstance(RECIPES["rnn"].architecture, Recurrence)


def test_more_hidden_values_than_the_rank_supports_are_refused(digits):
    shown = digits.train_x[~held_out(digits.train_y, 0.1)].reshape(-1, 64).astype(float)
    rank = int(np.linalg.matrix_rank(shown - shown.mean(axis=0)))
    wide = recipe_of(Perceptron(hidden=(2 * rank + 1,), field_range=2))
    with pytest.raises(TrainingError, match=rf"{2 * rank + 1} hidden values asked for, but its inputs have rank \d+; ask for at most"):
        learn(wide, digits, "pilae", search=ONCE)
    with pytest.raises(TrainingError, match=r"step 0 \(dense\) of 'solved': 1500 hidden values .* ask for at most"):
        learn(recipe_of(Perceptron(hidden=(1500,))), digits, "pil", search=ONCE)
    # Seventy linear units on what spans at most 64 dimensions: clip at a swing too small to saturate.
    linear = recipe_of(Perceptron(hidden=(70,), phi="clip", field_bits=12))
    with pytest.raises(TrainingError, match=r"70 hidden values asked for, but on the training samples their outputs have rank \d\d "):
        learn(linear, digits, "random", search=Search(gains=(0.1,), thresholds=(0.1,), ridges=(1.0,)))
    # Where one swing saturates, φ bends and the rank rises: that setting is taken, the linear one passed over.
    bent = learn(linear, digits, "random", search=Search(gains=(0.1, 2.0), thresholds=(0.1,)), test=False)
    assert "gain 2" in bent.notes["settings"]
    assert bent.notes["ranks"] == "70 of 70"


def test_wrong_numbers_are_named():
    with pytest.raises(TrainingError, match="samples hold NaN or infinite values, first in row 4"):
        summed(np.array([[1.0], [2], [3], [4], [np.nan]]))
    with pytest.raises(TrainingError, match="sample 1 has label 3: labels go from 0 to 2"):
        one_hot(np.array([0, 3]), 3)
    with pytest.raises(TrainingError, match="a ridge is 0 or more, not -1"):
        summed(np.eye(3), np.eye(3)).solve(-1)
    with pytest.raises(TrainingError, match="are all equal: a readout needs samples that differ"):
        summed(np.ones((5, 2)), np.eye(5)).solve()
    with pytest.raises(TrainingError, match="do not fit sums over 2 values"):
        Gram(2).add(np.ones((5, 3)))
    with pytest.raises(TrainingError, match="are all equal: a pseudoinverse needs"):
        pseudoinverse_directions(np.zeros((3, 4)), 0.1)
    for wrong, sentence in ((dict(gains=()), "gains"), (dict(ridges=(-1.0,)), "ridges"), (dict(gains=(0.0,)), "gains"), (dict(samples=1), "2 samples")):
        with pytest.raises(TrainingError, match=sentence):
            Search(**wrong)


def test_sums_over_what_a_stencil_sees_are_those_of_its_patches():
    grid = Grid(5, 6, 2, F)
    step = Stencil(out_channels=3, taps=CROSS, weight=F, bias=Q(8, 7), out=F, stride=2, boundary="dirichlet")
    fields = np.random.default_rng(14).integers(-128, 128, size=(7, 5, 6, 2))
    program = Program(name="p", input=grid, steps=(step,))
    patches = []
    for frame in fields:
        for y in range(0, 5, 2):
            for x in range(0, 6, 2):
                inside = [(y + dy, x + dx) for dy, dx in CROSS]
                patches.append([frame[a, b, c] if 0 <= a < 5 and 0 <= b < 6 else 0 for a, b in inside for c in range(2)])
    assert (rows.rows(step, grid, fields) == np.array(patches)).all()
    assert np.allclose(input_sums(program, 0, {}, fields).covariance, np.cov(np.array(patches).T, bias=True))
