"""The family behind scikit-learn's interface: fit and predict on arrays, and the same predictions from a board."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from npde import golden
from npde.data import Dataset
from npde.link.board import Board
from npde.link.port import VIRTUAL
from npde.training import learn
from npde.training.recipe import Recipe, recipe


class NPDEClassifier(ClassifierMixin, BaseEstimator):
    """A neural PDE of the contract's integers that classifies; golden predicts, or a board does.

    Each feature is mapped from its range in the training samples onto [-1, 1); a feature that does not vary becomes 0,
    and what leaves the range saturates.

    Parameters
    ----------
    recipe : str
        A built-in recipe's architecture and descents (``npde train --recipe list``).
    grid : tuple[int, int] or tuple[int, int, int] or None
        ``(height, width[, channels])`` that a sample's features fill in raster order; by default one row of them.
    strategy : str or None
        ``"adam"`` or ``"lbfgs"``; by default the recipe's own.
    epochs, finetune_epochs : int or None
        Other numbers than the recipe's, in floating point and through the quantiser.
    random_state : int
        The seed.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    model_ : npde.model.Model
        What a board loads.
    n_features_in_ : int
        Features of a sample.

    Raises
    ------
    ValueError
        From :meth:`fit` and :meth:`predict`, for what scikit-learn refuses, one class alone, or features that do not fill ``grid``.
    """

    def __init__(
        self,
        recipe: str = "mlp",
        *,
        grid: tuple[int, ...] | None = None,
        strategy: str | None = None,
        epochs: int | None = None,
        finetune_epochs: int | None = None,
        random_state: int = 0,
    ):
        self.recipe = recipe
        self.grid = grid
        self.strategy = strategy
        self.epochs = epochs
        self.finetune_epochs = finetune_epochs
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> NPDEClassifier:
        """Train and quantise on samples X (n, features) with labels y (n,)."""
        features: NDArray[np.float64]
        features, named = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(named)
        self.classes_, labels = np.unique(named, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"NPDEClassifier tells classes apart, but y has one class alone: {self.classes_[0]}")
        low, high = features.min(axis=0), features.max(axis=0)
        span = np.where(high > low, high - low, 1.0)
        self._scale, self._offset = 2 / span, np.where(high > low, -1 - 2 * low / span, -low * 2 / span)
        samples = self._samples(features)
        # A data set has test samples; none is looked at here.
        data = Dataset("fitted", samples, labels, samples[:1], labels[:1], len(self.classes_), (-1.0, 1.0))
        trained = learn.train(self._recipe(len(samples)), data, test=False)
        self.model_ = learn.quantise(trained, data, test=False)
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Golden's outputs, reals of shape (n, n_classes), or (n,) of the second less the first where there are two."""
        outputs = self._golden(X).output
        scores = self.model_.program.output.q.real(outputs.reshape(len(outputs), -1))
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: ArrayLike) -> NDArray:
        """Labels (n,) by golden."""
        return self._named(self._golden(X).label)

    @contextmanager
    def to_board(self, port: str, *, baud: int | None = None) -> Iterator[OnBoard]:
        """Load the model onto the board at ``port``; within the context it predicts.

        ``virtual:BOARD`` starts a simulated one made for this model. Raises :class:`npde.errors.LinkError` as
        :meth:`npde.link.board.Board.open` and ``load`` do.
        """
        check_is_fitted(self)
        with tempfile.TemporaryDirectory() as folder:
            if port.startswith(VIRTUAL):
                saved = Path(folder) / "fitted.npde"
                self.model_.save(saved)
                port = f"{port}:{saved}" if ":" in port else f"{port}::{saved}"
            with Board.open(port, self.model_.program, baud=baud) as board:
                board.load(self.model_)
                yield OnBoard(self, board)

    def _golden(self, X: ArrayLike) -> golden.Answer:
        check_is_fitted(self)
        features: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        return golden.run(self.model_, self.model_.quantise_input(self._samples(features)))

    def _samples(self, features: NDArray[np.float64]) -> NDArray[np.float32]:
        """Features (n, features) in [-1, 1] on the grid, (n, height, width, channels)."""
        shape = (1, features.shape[1], 1) if self.grid is None else (*self.grid, 1)[:3]
        if len(shape) != 3 or np.prod(shape) != features.shape[1]:
            raise ValueError(f"{features.shape[1]} features do not fill a grid of {shape}")
        return np.clip(features * self._scale + self._offset, -1, 1).astype(np.float32).reshape(-1, *shape)

    def _named(self, label: NDArray[np.int64] | None) -> NDArray:
        assert label is not None  # every recipe's program has argmax
        return self.classes_[label]

    def _recipe(self, samples: int) -> Recipe:
        chosen = recipe(self.recipe)
        if self.strategy is not None:
            chosen = chosen.by(self.strategy)
        phases = {}
        for phase, epochs in (("descent", self.epochs), ("finetune", self.finetune_epochs)):
            descent = getattr(chosen, phase)
            phases[phase] = msgspec.structs.replace(
                descent, batch=min(descent.batch, samples), epochs=descent.epochs if epochs is None else epochs
            )
        return msgspec.structs.replace(chosen, seed=int(self.random_state), validation=0.0, **phases)


class OnBoard:
    """A fitted classifier whose model lies on a board; see :meth:`NPDEClassifier.to_board`."""

    def __init__(self, classifier: NPDEClassifier, board: Board):
        self.classifier, self.board = classifier, board

    def predict(self, X: ArrayLike) -> NDArray:
        """Labels (n,) over the link."""
        features: NDArray[np.float64] = validate_data(self.classifier, X, dtype=np.float64, reset=False)
        return self.classifier._named(self.board.infer(self.classifier._samples(features)).label)
