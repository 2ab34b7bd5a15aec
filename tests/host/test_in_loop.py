"""Training with a board in the loop: what the model of it does not know is trained around, and the best model is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from npde import golden
from npde.data import load_data
from npde.model import Model
from npde.models import load_model
from npde.training.errors import TrainingError
from npde.training.in_loop import fine_tune
from npde.training.parameters import reals, rounded


class Wrong:
    """Stands for a board: golden, but for some of the second step's products, which are always zero."""

    def __init__(self, lane: int | None):
        self.lane, self.model, self.loads = lane, None, 0

    def load(self, model):
        weights = dict(model.weights)
        if self.lane is not None:
            kernel = weights[1].kernel.copy()
            kernel[self.lane :: 2] = 0
            weights[1] = replace(weights[1], kernel=kernel)
        self.model = Model(model.program, weights, model.preprocess, model.notes, force=True)
        self.loads += 1

    def infer(self, raw):
        return golden.run(self.model, self.model.quantise_input(raw))


@pytest.fixture(scope="module")
def digits():
    return load_data("digits")


def accuracy(board, model, data):
    board.load(model)
    return float(np.mean(board.infer(data.test_x).label == data.test_y))


def test_a_dead_lane_is_trained_around(digits):
    model, board = load_model("digits"), Wrong(lane=0)
    before = accuracy(board, model, digits)
    losses = []
    tuned = fine_tune(board, model, digits, steps=60, batch=64, progress=lambda step, loss: losses.append(loss))
    assert before < 0.9, "the lane matters"
    assert accuracy(board, tuned, digits) > before + 0.05
    assert len(losses) == 60
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) / 2
    assert tuned.program == model.program


def test_the_same_seed_gives_the_same_weights_and_no_steps_the_same_model(digits):
    model = load_model("digits")
    runs = [fine_tune(Wrong(lane=1), model, digits, steps=5, batch=16, seed=3).content_hash for _ in range(2)]
    assert runs[0] == runs[1]
    assert fine_tune(Wrong(lane=None), model, digits, steps=0, batch=16).content_hash == model.content_hash


def test_frozen_tensors_stay(digits):
    model = load_model("digits")
    frozen = [name for name in reals(model) if not name.startswith("0.")]
    tuned = fine_tune(Wrong(lane=1), model, digits, steps=6, batch=32, rate=2e-2, frozen=frozen)
    assert all(np.array_equal(tuned.weights[index].kernel, model.weights[index].kernel) for index in model.weights if index)


def test_a_models_reals_round_to_its_integers():
    model = load_model("digits")
    again = rounded(model.program, reals(model))
    assert all(np.array_equal(again[index].kernel, weights.kernel) for index, weights in model.weights.items())
    assert all(np.array_equal(again[index].bias, weights.bias) for index, weights in model.weights.items())


def test_data_of_another_shape_or_too_little_of_it_is_refused(digits):
    with pytest.raises(TrainingError, match=r"takes at least 256 of \(28, 28, 1\)"):
        fine_tune(Wrong(None), load_model("fashion"), digits, steps=1)
    with pytest.raises(TrainingError, match=r"has 1352 training samples .* takes at least 4000"):
        fine_tune(Wrong(None), load_model("digits"), digits, steps=1, batch=1000)
