"""Scores from answers: by hand, and for what a system has never seen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from npde.training.synergetic import score
from npde.training.synergetic.anomaly import noisy
from npde.training.synergetic.system import Answers


def test_the_free_energy_by_hand(system):
    images = np.zeros((1, 8, 8, 1))
    generated = np.full((1, 8, 8, 1), 0.5)
    code = np.full((1, 10), 0.25)
    logits = np.zeros((1, 10))
    answers = Answers(images, code, generated, logits)
    assert score.reconstruction_error(answers) == pytest.approx([0.25])
    wanted = 64 * 0.25 / (2 * system.sigma**2) + math.log(10) + 10 / 2
    assert score.free_energy(system, answers) == pytest.approx([wanted])


def test_pure_noise_is_stranger_than_every_digit_but_few(system, digits):
    rng = np.random.default_rng(0)
    ordinary = score.free_energy(system, system.answer(digits.test_x))
    strange = score.free_energy(system, system.answer(rng.integers(0, 17, size=(50, 8, 8))))
    assert strange.min() > np.quantile(ordinary, 0.95)


def test_psnr_of_known_noise():
    images = np.zeros((400, 8, 8))
    assert score.peak_signal_to_noise(images + 0.2, images) == pytest.approx(20)
    drawn = noisy(images, 0.1, (-1.0, 1.0), seed=3)
    assert score.peak_signal_to_noise(drawn, images) == pytest.approx(20 * math.log10(2 / 0.1), abs=0.1)


def test_accuracy_counts_the_greatest_logit():
    logits = np.array([[0, 1.0], [2, 1.0], [0, 3.0], [5, 1.0]])
    blank = np.zeros((4, 1, 1, 1))
    assert score.accuracy(Answers(blank, blank[:, 0, 0], blank, logits), np.array([1, 0, 0, 0])) == 0.75
