"""Batch normalisation folds away, and the samples themselves say whether they may be mirrored."""

from __future__ import annotations

import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from npde.data import Dataset, load_data
from npde.program import MOORE, Clip, Dense, Grid, Pool, Program, Q, Stencil
from npde.training import normalised
from npde.training.architecture import Architecture, Stage
from npde.training.errors import TrainingError
from npde.training.evolution import outputs
from npde.training.learn import quantise, train
from npde.training.mirror import alike_mirrored
from npde.training.parameters import initialise
from npde.training.recipe import Augmentation, Descent, Recipe


def program(**more) -> Program:
    F = Q(8, 7)
    stencil = Stencil(out_channels=3, taps=MOORE, weight=Q(8, 7), bias=Q(16, 12), out=F, phi=Clip(0, 127))
    return Program(name="two", input=Grid(6, 6, 1, F), argmax=True, steps=(
        stencil, msgspec.structs.replace(stencil, skip=True, **more), Pool(kind="sum", size=6, out=Q(8, 2)),
        Dense(out_channels=2, weight=Q(8, 6), bias=Q(16, 8), out=Q(16, 8)),
    ))  # fmt: skip


def drawn(batch: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(3)
    tensors = {**initialise(program(), seed=2), **normalised.gains(program())}
    tensors = {name: (t + 0.2 * rng.normal(size=t.shape)).astype(np.float32) for name, t in tensors.items()}
    return tensors, rng.integers(-128, 128, size=(batch, 6, 6, 1))


def test_the_folded_network_gives_what_the_normalised_one_gave():
    tensors, x = drawn(200)
    real = {name: jnp.asarray(t) for name, t in tensors.items()}
    wanted, moments = normalised.evolve(program(), real, x.transpose(3, 1, 2, 0).astype(np.float32))
    folded = normalised.folded(program(), tensors, x)
    assert set(folded) == set(initialise(program(), seed=0))
    got = outputs(program(), folded, x, quantised=False)
    assert got == pytest.approx(np.asarray(wanted).transpose(3, 1, 2, 0), rel=1e-4, abs=1e-2)
    plain = {name: t for name, t in tensors.items() if name in folded}
    assert np.abs(outputs(program(), plain, x, quantised=False) - got).max() > 1
    assert set(moments) == {0, 1}


def test_normalising_makes_every_channel_alike_whatever_its_kernels_size():
    tensors, x = drawn(64)
    louder = {**tensors, "0.kernel": tensors["0.kernel"] * np.array([1, 5, 40], np.float32)[:, None, None]}
    given = [normalised.evolve(program(), {k: jnp.asarray(v) for k, v in t.items()}, x.transpose(3, 1, 2, 0).astype(np.float32))[0] for t in (tensors, louder)]
    assert np.asarray(given[0]) == pytest.approx(np.asarray(given[1]), rel=1e-2, abs=0.5)


def test_no_folded_kernel_leaves_its_format():
    """Gains a hundred times too large: what was learned with is what is folded, not something clipped afterwards."""
    tensors, x = drawn(200)
    tensors = {name: t * 100 if name.endswith("gain") else t for name, t in tensors.items()}
    wanted, _ = normalised.evolve(program(), {k: jnp.asarray(v) for k, v in tensors.items()}, x.transpose(3, 1, 2, 0).astype(np.float32))
    folded = normalised.folded(program(), tensors, x)
    assert np.abs(folded["0.kernel"]).max() == pytest.approx(127 / 128)
    assert outputs(program(), folded, x, quantised=False) == pytest.approx(np.asarray(wanted).transpose(3, 1, 2, 0), rel=1e-3, abs=0.5)


def test_moments_are_those_of_all_samples():
    """What does not fill a chunk of many is left out; fewer than a chunk are all taken."""
    tensors, x = drawn(3 * normalised.BATCH + 7)
    whole = normalised.folded(program(), tensors, x)
    filled = normalised.folded(program(), tensors, x[: 3 * normalised.BATCH])
    first = normalised.folded(program(), tensors, x[: normalised.BATCH])
    assert all(np.array_equal(whole[name], filled[name]) for name in whole)
    assert not np.array_equal(whole["0.kernel"], first["0.kernel"])


def test_a_step_repeated_is_not_normalised():
    with pytest.raises(TrainingError, match="step 1 runs 3 times"):
        normalised.gains(program(repeat=3))


def test_a_recipe_that_normalises_learns_and_its_integers_keep_it():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 60, size=(400, 6, 6)).astype(np.uint8), rng.integers(0, 2, size=400)
    for image, label, at in zip(x, y, rng.integers(1, 5, size=400), strict=True):
        (image if label else image.T)[at] += 180
    bars = Dataset("bars", x[:300], y[:300], x[300:], y[300:], 2, (0.0, 256.0))
    phase = Descent(epochs=4, rate=5e-3, batch=16, augmentation=Augmentation(shift=1, flip="alike"), normalise=True)
    chosen = Recipe(name="bars", architecture=Architecture(stages=(Stage(channels=4, residual=1),)), descent=phase, finetune=phase)
    trained = train(chosen, bars)
    assert not any(name.endswith(".gain") for name in trained.tensors)
    assert float(trained.notes["float accuracy"]) > 0.9
    assert float(quantise(trained, bars).notes["quantised accuracy"]) > 0.9


def test_digits_may_not_be_mirrored_and_what_is_symmetric_may():
    digits = load_data("digits")
    assert not alike_mirrored(digits.train_x, digits.train_y)
    both = np.concatenate([digits.train_x, digits.train_x[:, :, ::-1]])
    order = np.random.default_rng(1).permutation(len(both))
    assert alike_mirrored(both[order], np.tile(digits.train_y, 2)[order])
