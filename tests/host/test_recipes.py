"""Recipes: every one makes a program that runs; waves keep to physics; validation samples are fixed and unseen."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from npde import golden
from npde.data import load_data
from npde.equation.waves import schroedinger
from npde.errors import DataError
from npde.model import Model
from npde.oscillations import CONDITIONS
from npde.program import Dense, Evolve, Grid, Program, Recurrent, Stencil, Table
from npde.training.errors import TrainingError
from npde.training.evolution import outputs
from npde.training.learn import quantise, train
from npde.training.network import Perceptron, Recurrence
from npde.training.parameters import FloatModel, initialise, rounded, tensor_shapes
from npde.training.recipe import FOLDER, RECIPES
from npde.training.samples import held_out
from npde.training.wave import Wave

SHAPES = {"digits": ((8, 8, 1), 10), "digits@16x16": ((16, 16, 1), 10), "digits@24x24": ((24, 24, 1), 10),
          "oscillations": ((12, 4, 3), 4), FOLDER: ((28, 28, 1), 10)}  # fmt: skip


def started(name: str) -> tuple[Program, dict[str, np.ndarray]]:
    chosen = RECIPES[name]
    program = chosen.program(*SHAPES[chosen.data])
    return program, {**initialise(program, seed=0, diffusion=chosen.diffusion), **chosen.architecture.start(program, 0)}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_starts_as_a_model_that_survives_its_json(name):
    program, start = started(name)
    assert RECIPES[name].name == name
    assert {k: v.shape for k, v in start.items()} == tensor_shapes(program)
    assert RECIPES[name].architecture.frozen() <= set(start)
    assert msgspec.json.decode(msgspec.json.encode(RECIPES[name]), type=type(RECIPES[name])) == RECIPES[name]
    model = Model(program, rounded(program, start))
    x = np.random.default_rng(0).integers(-128, 128, (2, *program.input.shape))
    assert golden.run(model, x).label.shape == (2,)


@pytest.mark.parametrize("name", ["digits@16x16", "oscillations"])
def test_data_sets_made_here_are_the_same_every_time(name):
    one, two = load_data(name), load_data(name)
    assert one.sample_shape == SHAPES[name][0]
    assert np.array_equal(one.train_x, two.train_x)
    assert one.train_x.min() >= one.raw_range[0]
    assert one.test_x.max() < one.raw_range[1]


def test_digits_are_interpolated_on_the_line_between_cells_and_nonsense_is_refused():
    raw, finer, same = load_data("digits"), load_data("digits@16x16"), load_data("digits@8x8")
    assert np.array_equal(same.train_x, np.rint(raw.train_x * (255 / 16)).astype(np.uint8))
    assert np.array_equal(finer.train_y, raw.train_y)
    row = finer.test_x[0].astype(float)
    assert row.mean() == pytest.approx(same.test_x[0].mean(), rel=0.05)
    with pytest.raises(DataError, match="interpolated to 1 to 256 cells a side, not 0×8"):
        load_data("digits@0x8")


def test_oscillations_hold_their_conditions_in_equal_parts_and_bursts_are_sharper():
    data = load_data("oscillations")
    assert np.bincount(data.train_y).tolist() == [1000] * len(CONDITIONS)
    change = np.abs(np.diff(data.train_x.reshape(-1, 48, 3), axis=1)).mean(axis=(1, 2))
    assert change[data.train_y == 3].mean() > 1.2 * change[data.train_y == 0].mean()


@pytest.mark.parametrize("planes", [True, False])
def test_a_wave_s_media_are_schroedinger_s_equation_by_leapfrog(planes):
    """Against the float64 reference of npde.equation, plane by plane."""
    wave = Wave(times=6, planes=planes, diffraction=0.125)
    whole = wave.program((8, 8, 1), 10, "w")
    media, field = whole.steps[1], whole.grids()[1]
    assert isinstance(media, Evolve)
    program = Program(name="media", input=field, steps=(media,))
    maps = np.random.default_rng(0).uniform(-0.4, 0.4, (6 if planes else 1, 8, 8, 1))
    start = {"0.kernel": wave.start(whole, 0)["1.kernel"], "0.bias": np.zeros(0, np.float32), "0.maps": maps.astype(np.float32)}
    x = np.random.default_rng(1).integers(-4096, 4096, (3, 8, 8, 2))
    got = field.q.real(outputs(program, start, x, quantised=False))
    state = field.q.real(x)
    for plane in maps if planes else np.repeat(maps, 6, axis=0):
        equation = schroedinger((8, 8), V=plane[..., 0] / 0.25, dt=0.25, boundary="dirichlet", laplacian="laplace")
        state = equation.reference.run(state, 1)
    assert got == pytest.approx(state, abs=2e-4)
    close = field.q.real(outputs(program, start, x, quantised=True))
    assert close == pytest.approx(state, abs=6 * 8 * 2.0**-field.q.frac)


def test_trained_maps_of_any_values_keep_a_wave_bounded():
    wave = Wave(times=200, planes=False, diffraction=0.125)
    whole = wave.program((8, 8, 1), 10, "w")
    program = Program(name="media", input=whole.grids()[1], steps=(whole.steps[1],))
    maps = np.where(np.random.default_rng(0).random((1, 8, 8, 1)) < 0.5, -0.5, 0.4998)
    start = {"0.kernel": wave.start(whole, 0)["1.kernel"], "0.bias": np.zeros(0, np.float32), "0.maps": maps.astype(np.float32)}
    x = np.zeros((1, 8, 8, 2), np.int64)
    x[0, 4, 4, 0] = 4096
    after = outputs(program, start, x, quantised=True) / 4096
    assert 0.3 < (after**2).sum() < 3


def test_what_no_wave_or_network_can_be_is_refused():
    with pytest.raises(TrainingError, match=r"unstable: 8·diffraction \+ map may reach 2, not 2\.5"):
        Wave(times=4, planes=True, diffraction=0.25)
    with pytest.raises(TrainingError, match="10 detectors for 10 classes, but 3×3 regions on a 16×16 grid make 9"):
        Wave(times=4, planes=True, regions=3).program((16, 16, 1), 10, "w")
    with pytest.raises(TrainingError, match="20 detectors for 10 classes"):
        Wave(times=4, planes=True, differential=True).program((16, 16, 1), 10, "w")
    with pytest.raises(TrainingError, match="one image of at least 2×2 cells, not 8×8×3"):
        Wave(times=4, planes=True).program((8, 8, 3), 10, "w")
    with pytest.raises(TrainingError, match="the input's 8 bits, not 6"):
        Recurrence(hidden=4, field_bits=6)
    with pytest.raises(TrainingError, match=r"validation takes 0 to 0\.5 of the training samples, not 0\.7"):
        msgspec.structs.replace(RECIPES["mlp"], validation=0.7)


def test_the_paper_s_networks_are_the_steps_it_says():
    mlp = Perceptron(hidden=(6, 5), phi="tanh").program((4, 4, 1), 3, "m")
    assert [type(step) for step in mlp.steps] == [Dense, Dense, Dense]
    assert isinstance(mlp.steps[0].phi, Table)
    rnn = Recurrence(hidden=6).program((4, 4, 1), 3, "r")
    assert isinstance(rnn.steps[0], Recurrent)
    assert rnn.grids()[1] == Grid(1, 1, 6, rnn.input.q)
    cnn, _ = started("cnn")
    layers = [step for step in cnn.steps if isinstance(step, Stencil)]
    assert not any(step.skip for step in layers)
    assert max(step.stride for step in layers) == 2


def test_validation_samples_are_a_fixed_equal_share_of_each_class():
    labels = np.random.default_rng(0).integers(0, 3, 300)
    held = held_out(labels, 0.2)
    for label in range(3):
        assert held[labels == label].mean() == pytest.approx(0.2, abs=0.01)
    assert np.array_equal(held, held_out(labels, 0.2))
    assert not held_out(labels, 0).any()


def test_no_descent_sees_validation_samples_and_the_test_is_not_looked_at_unasked(tmp_path):
    data = load_data("digits")
    chosen = RECIPES["mlp"]
    short = msgspec.structs.replace(chosen.descent, epochs=4)
    chosen = msgspec.structs.replace(chosen, descent=short, finetune=msgspec.structs.replace(short, epochs=1, rate=1e-4))
    trained = train(chosen, data, test=False)
    assert set(trained.notes) == {"data", "seed", "float validation accuracy"}
    held = held_out(data.train_y, chosen.validation)
    spoilt = data.train_x.copy()
    spoilt[held] = 0
    blind = train(chosen, type(data)("digits", spoilt, data.train_y, data.test_x, data.test_y, 10, data.raw_range), test=False)
    assert all(np.array_equal(trained.tensors[name], blind.tensors[name]) for name in trained.tensors)
    trained.save(tmp_path / "m.float")
    model = quantise(FloatModel.load(tmp_path / "m.float"), data)
    assert float(model.notes["quantised validation accuracy"]) > 0.5
    assert float(model.notes["quantised accuracy"]) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("name", "floor"), [("helmholtz", 0.9), ("schroedinger", 0.85), ("mlp", 0.9), ("cnn", 0.95), ("rnn", 0.85), ("rnn-oscillations", 0.85)])
def test_recipes_reach_their_accuracy(name, floor):
    chosen = RECIPES[name]
    data = load_data(chosen.data)
    assert float(quantise(train(chosen, data), data).notes["quantised accuracy"]) >= floor
