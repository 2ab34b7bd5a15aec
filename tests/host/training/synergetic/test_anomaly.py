"""What is made strange, what is left out, and the components beside."""

from __future__ import annotations

import numpy as np
import pytest

from npde.errors import DataError
from npde.training.synergetic.anomaly import noisy, patched, trial, without
from npde.training.synergetic.baseline import Components, LinearDenoiser
from npde.training.synergetic.measure import as_units, measure_components


def test_a_class_left_out_is_nowhere_to_be_learned_and_the_rest_keep_their_images(digits):
    rest = without(digits, 4)
    assert (rest.classes, sorted(np.unique(rest.train_y))) == (9, list(range(9)))
    assert len(rest.train_x) == np.count_nonzero(digits.train_y != 4)
    moved = np.where(digits.train_y > 4, digits.train_y - 1, digits.train_y)[digits.train_y != 4]
    assert np.array_equal(rest.train_y, moved)
    assert np.array_equal(rest.test_x, digits.test_x[digits.test_y != 4])


def test_a_trial_marks_what_is_strange(digits):
    held = trial(digits, 7)
    assert np.array_equal(held.strange, digits.test_y == 7)
    assert held.learned.classes == 9
    whole = trial(digits)
    assert whole.learned is digits
    assert np.array_equal(whole.images[~whole.strange], digits.test_x)
    assert whole.strange.sum() == len(digits.test_x)


@pytest.mark.parametrize("label", [-1, 10])
def test_no_such_class_is_a_sentence(digits, label):
    with pytest.raises(DataError, match=f"classes 0 to 9, at least two of which must stay: {label} cannot be the anomaly"):
        trial(digits, label)


def test_a_patch_is_a_square_of_another_image():
    raw = np.arange(6)[:, None, None] * np.ones((6, 16, 24), int)
    for image, before in zip(patched(raw, seed=2), raw, strict=True):
        rows, cols = np.nonzero(image != before)
        assert (np.ptp(rows) + 1, np.ptp(cols) + 1, len(rows)) == (6, 6, 36)
        assert len(np.unique(image)) == 2
    assert np.array_equal(patched(raw, seed=2), patched(raw, seed=2))
    assert not np.array_equal(patched(raw, seed=2), patched(raw, seed=3))


def test_noise_stays_in_the_raw_range(digits):
    drawn = noisy(digits.test_x, 0.4, digits.raw_range, seed=0)
    assert drawn.min() == 0
    assert drawn.max() == 16
    inside = (drawn > 0) & (drawn < 16) & (digits.test_x == 8)
    assert (drawn - digits.test_x)[inside].std() == pytest.approx(0.4 * 8, rel=0.15)


def test_components_are_the_best_linear_code(digits):
    train, test = as_units(digits, digits.train_x), as_units(digits, digits.test_x)
    errors = [Components(train, size).reconstruction_error(test).mean() for size in (4, 16, 64)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] == pytest.approx(0, abs=1e-20)
    found = measure_components(16, trial(digits))
    assert 0.7 < found.areas["reconstruction error"] < 1
    assert found.accuracy is None


def test_the_linear_denoiser_beats_components_and_is_of_the_rank_it_says(digits):
    train, test = as_units(digits, digits.train_x), as_units(digits, digits.test_x)
    drawn, held = (as_units(digits, noisy(raw, 0.4, digits.raw_range, seed=4)) for raw in (digits.train_x, digits.test_x))
    wrong = {size: ((LinearDenoiser(drawn, train, size).generated(held) - test) ** 2).mean() for size in (4, 16, 64)}
    assert wrong[64] < wrong[16] < wrong[4]
    assert wrong[16] < ((Components(train, 16).generated(held) - test) ** 2).mean()
    moved = LinearDenoiser(drawn * 0.01, train * 0.01, 5).generated(held * 0.01).reshape(len(held), -1)
    assert np.linalg.matrix_rank(moved - moved[0]) == 5
