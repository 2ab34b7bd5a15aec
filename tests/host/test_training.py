"""Training: the quantised graph is the golden model, descents learn and resume, bad runs say why."""

from __future__ import annotations

import itertools
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from npde import golden
from npde.data import Dataset
from npde.errors import ProgramError
from npde.model import Model
from npde.program import CROSS, MOORE, Clip, Dense, Grid, Pool, Program, Q, Relu, Stencil, Table
from npde.training import gradient
from npde.training.architecture import Architecture, Stage, build_program
from npde.training.errors import TrainingError
from npde.training.evolution import evolve, precision
from npde.training.gradient import descend
from npde.training.learn import quantise, train
from npde.training.parameters import FloatModel, initialise, rounded
from npde.training.recipe import RECIPES, Augmentation, Descent, Recipe, recipe

F = Q(8, 7)
SHORT = Descent(epochs=4, rate=5e-3, batch=16, augmentation=Augmentation(shift=1))


def small_recipe(**more) -> Recipe:
    return Recipe(name="small", architecture=Architecture(stages=(Stage(channels=4, residual=1),)), descent=SHORT, finetune=SHORT, **more)


@pytest.fixture(scope="module")
def bars() -> Dataset:
    """Horizontal against vertical bars: two classes that a stencil tells apart."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 60, size=(320, 6, 6)).astype(np.uint8)
    y = rng.integers(0, 2, size=320)
    for image, label, at in zip(x, y, rng.integers(1, 5, size=320), strict=True):
        (image if label else image.T)[at] += 180
    return Dataset("bars", x[:256], y[:256], x[256:], y[256:], 2, (0.0, 256.0))


def entries(q: Q) -> tuple[int, ...]:
    return tuple(int(v) for v in F.quantise(np.sin(q.real(np.arange(q.low, q.high + 1)))))


def common(**more) -> Stencil:
    return Stencil(**{"out_channels": 3, "taps": MOORE, "weight": Q(5, 3), "bias": Q(12, 9), "out": F, "phi": Clip(-127, 127), **more})


@pytest.mark.parametrize("step", [
    common(), common(stride=2), common(boundary="periodic", taps=CROSS), common(boundary="dirichlet", phi=Relu()),
    common(skip=True, repeat=3), common(phi=Table(Q(6, 3), entries(Q(6, 3)))),
])  # fmt: skip
def test_the_quantised_graph_gives_the_golden_integers(step):
    program = Program(name="one", input=Grid(5, 6, 3, F), argmax=True, steps=(
        step, Pool(kind="max", size=2, out=Q(7, 6)),
        Dense(out_channels=4, weight=Q(6, 4), bias=Q(12, 8), out=Q(14, 8)),
    ))  # fmt: skip
    rng = np.random.default_rng(1)
    tensors = {k: rng.normal(size=v.shape).astype(np.float32) * 0.7 for k, v in initialise(program, seed=0).items()}
    x = rng.integers(F.low, F.high + 1, size=(9, 5, 6, 3))
    got = evolve(program, tensors, x.transpose(3, 1, 2, 0).astype(precision(program)), quantised=True)
    wanted = golden.run(Model(program, rounded(program, tensors)), x).output
    assert np.array_equal(np.asarray(got).transpose(3, 1, 2, 0), wanted)


def test_training_learns_and_the_model_of_integers_keeps_it(bars, tmp_path):
    trained = train(small_recipe(), bars)
    assert float(trained.notes["float accuracy"]) > 0.9
    model = quantise(trained, bars)
    assert float(model.notes["quantised accuracy"]) > 0.9
    trained.save(tmp_path / "bars.float")
    again = quantise(FloatModel.load(tmp_path / "bars.float"), bars)
    assert again.content_hash == model.content_hash


def test_a_resumed_descent_ends_where_an_uninterrupted_one_does(bars, tmp_path):
    whole = train(small_recipe(), bars)

    def interrupt(epochs, loss):
        if epochs > 2.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small_recipe(), bars, checkpoint_path=tmp_path / "c.npz", progress=interrupt)
    epochs = []
    resumed = train(small_recipe(), bars, checkpoint_path=tmp_path / "c.npz", progress=lambda e, _: epochs.append(e))
    assert min(epochs) > 2
    assert all(np.array_equal(whole.tensors[k], resumed.tensors[k]) for k in whole.tensors)


def test_a_checkpoint_of_another_run_or_no_checkpoint_at_all_is_refused(bars, tmp_path):
    path = tmp_path / "c.npz"
    train(small_recipe(), bars, checkpoint_path=path)
    with pytest.raises(TrainingError, match="another run"):
        train(small_recipe(seed=1), bars, checkpoint_path=path)
    path.write_bytes(b"not a zip")
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        train(small_recipe(), bars, checkpoint_path=path)


def test_divergence_and_nan_are_named(bars):
    program = small_recipe().program(bars.sample_shape, 2)
    start = initialise(program, seed=0)
    start["0.bias"] = np.full_like(start["0.bias"], np.nan)
    fields = np.zeros((32, 6, 6, 1), np.int16)
    with pytest.raises(TrainingError, match="diverged in epoch 1"):
        descend(program, start, SHORT, fields, np.zeros(32, np.int64), quantised=False, background=0, seed=0)
    with pytest.raises(ProgramError, match="NaN or infinite"):
        rounded(program, start)
    with pytest.raises(TrainingError, match="do not fill one batch"):
        descend(program, start, SHORT, fields[:3], np.zeros(3, np.int64), quantised=False, background=0, seed=0)


def test_a_divergence_keeps_the_last_good_checkpoint_and_names_it(bars, tmp_path, monkeypatch):
    """From the third epoch on nothing is a number: what is kept is the second's."""
    path = tmp_path / "c.npz"
    epochs = itertools.count(1)

    batches = gradient.batches

    def spoilt(*given, **more):
        broken = next(epochs) > 2
        for x, y in batches(*given, **more):
            yield (np.full(x.shape, np.nan) if broken else x), y

    monkeypatch.setattr(gradient, "batches", spoilt)
    with pytest.raises(TrainingError, match=r"diverged in epoch 3: the loss is nan; lower the rate 0.005; .*c.npz holds the 2 epoch"):
        train(small_recipe(), bars, checkpoint_path=path)
    with np.load(path) as kept:
        assert int(kept["epoch"]) == 2
        assert all(np.isfinite(kept[name]).all() for name in kept.files if name.startswith("leaf"))


def test_lbfgs_on_all_samples_lowers_the_loss_step_by_step_and_learns(bars):
    """Every step but those that a clipped parameter or the quantiser spoils is a descent: the line search sees to it."""
    losses: list[float] = []
    by = small_recipe().by("lbfgs")
    trained = train(by, bars, progress=lambda done, loss: losses.append(loss))
    assert len(losses) == by.descent.epochs * by.descent.iterations
    assert sum(after <= before + 1e-6 for before, after in pairwise(losses)) > 0.95 * len(losses)
    assert losses[-1] < losses[0] / 3
    assert float(trained.notes["float accuracy"]) > 0.9
    assert float(quantise(trained, bars).notes["quantised accuracy"]) > 0.9


def test_lbfgs_in_chunks_takes_the_gradient_of_all_samples(bars, monkeypatch):
    """The mean over chunks is the mean over all; what does not fill a chunk is left out."""
    start = initialise(small_recipe().program((6, 6, 1), 2), seed=0)
    fields = np.repeat(bars.train_x[..., None].astype(np.int16) // 2 - 64, 2, axis=0)
    labels = np.repeat(bars.train_y, 2)
    given = dict(quantised=False, background=0, seed=0)
    once = Descent(epochs=1, rate=1, batch=0, iterations=1, strategy="lbfgs")
    whole = descend(small_recipe().program((6, 6, 1), 2), start, once, fields, labels, **given)
    monkeypatch.setattr("npde.training.objective.CHUNK", 64)
    monkeypatch.setattr("npde.training.gradient.CHUNK", 64)
    chunked = descend(small_recipe().program((6, 6, 1), 2), start, once, fields, labels, **given)
    for name, tensor in whole.items():
        assert chunked[name] == pytest.approx(tensor, rel=1e-3, abs=1e-5)
        assert not np.array_equal(tensor, start[name]) or not tensor.any()


def test_a_strategy_there_is_not_lists_the_known():
    with pytest.raises(TrainingError, match="no strategy 'sgd'; there are adam, lbfgs"):
        small_recipe().by("sgd")


def test_recipes_give_per_step_widths_and_unknown_ones_list_the_known():
    wide = msgspec.structs.replace(RECIPES["digits"].architecture, weight_bits=(8, 6, 6, 8, 4, 8))
    program = msgspec.structs.replace(RECIPES["digits"], architecture=wide).program((8, 8, 1), 10)
    assert [s.weight.width for _, s, _ in program.weighted()] == [8, 6, 6, 8, 4, 8]
    wrong = msgspec.structs.replace(wide, weight_bits=(8, 8))
    with pytest.raises(TrainingError, match="lists 2; the architecture has 6"):
        build_program(wrong, (8, 8, 1), 10, "x")
    with pytest.raises(TrainingError, match="there are digits, fashion"):
        recipe("mnist")
