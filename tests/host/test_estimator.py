"""The classifier behind scikit-learn's interface: its own checks, and golden's labels from a board."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from npde.errors import LinkError
from npde.training.errors import TrainingError
from npde.training.estimator import NPDEClassifier


@pytest.mark.slow
@parametrize_with_checks([NPDEClassifier(epochs=60, finetune_epochs=5)])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    names = np.array([f"digit {k}" for k in range(10)])
    return train_test_split(x, names[y], test_size=400, random_state=0, stratify=y)


@pytest.fixture(scope="module")
def fitted(digits):
    train_x, _, train_y, _ = digits
    return NPDEClassifier("cnn", grid=(8, 8), epochs=12, finetune_epochs=2).fit(train_x, train_y)


def test_it_learns_and_names_the_labels_it_was_given(digits, fitted):
    _, test_x, _, test_y = digits
    assert fitted.score(test_x, test_y) > 0.95
    assert set(fitted.predict(test_x)) <= set(test_y)
    assert fitted.decision_function(test_x).argmax(axis=1).tolist() == [int(name[-1]) for name in fitted.predict(test_x)]


def test_a_board_predicts_as_golden_does(digits, fitted):
    _, test_x, _, _ = digits
    with fitted.to_board("virtual:ulx3s-25f") as on_board:
        assert on_board.board.held == fitted.model_.content_hash
        assert on_board.predict(test_x[:40]).tolist() == fitted.predict(test_x[:40]).tolist()


def test_it_stands_in_a_pipeline_and_in_cross_validation():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(centre, 0.4, size=(60, 3)) for centre in (-1, 1)])
    y = np.repeat(["low", "high"], 60)
    chain = make_pipeline(StandardScaler(), NPDEClassifier(epochs=20, finetune_epochs=1))
    assert cross_val_score(chain, x, y, cv=2).min() > 0.9


def test_a_feature_that_never_varies_changes_nothing():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(80, 4))
    x[:, 2] = 7.5
    y = (x[:, 0] > 0).astype(int)
    fitted = NPDEClassifier(epochs=15, finetune_epochs=1).fit(x, y)
    assert not fitted.model_.quantise_input(fitted._samples(x))[:, 0, 2].any()
    assert fitted.score(x, y) > 0.9


@pytest.mark.parametrize(("parameters", "x", "error", "says"), [
    ({"grid": (3, 3)}, np.eye(8), ValueError, r"8 features do not fill a grid of \(3, 3, 1\)"),
    ({"recipe": "resnet"}, np.eye(8), TrainingError, "no recipe 'resnet'; there are digits"),
    ({"strategy": "sgd"}, np.eye(8), TrainingError, "no strategy 'sgd'"),
    ({}, np.full((8, 2), np.nan), ValueError, "contains NaN"),
])  # fmt: skip
def test_what_cannot_be_fitted_is_refused_in_a_sentence(parameters, x, error, says):
    with pytest.raises(error, match=says):
        NPDEClassifier(**parameters).fit(x, np.arange(8) % 2)


def test_one_class_alone_and_an_absent_port_are_refused(fitted):
    with pytest.raises(ValueError, match="one class alone: 3"):
        NPDEClassifier().fit(np.eye(4), np.full(4, 3))
    with pytest.raises(LinkError), fitted.to_board("/dev/ttyNOTHERE"):
        pass
