"""Principal components with as many values as the code: what a pair of models has to beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npde.training.synergetic.system import Real


class Components:
    """scikit-learn's PCA in float64, of ``size`` components, fitted to images (n, height, width, channels)."""

    def __init__(self, images: NDArray, size: int):
        from sklearn.decomposition import PCA

        self.fitted: Any = PCA(n_components=size, svd_solver="full").fit(images.reshape(len(images), -1))

    def generated(self, images: NDArray) -> Real:
        """``images`` from their components alone, in the same shape, held to [-1, 1]."""
        flat = images.reshape(len(images), -1)
        return np.clip(self.fitted.inverse_transform(self.fitted.transform(flat)), -1, 1).reshape(images.shape)

    def denoised(self, images: NDArray, deviation: float) -> Real:
        """``images`` with normal noise of ``deviation``, of which each component keeps the share λ/(λ + deviation²): Wiener's filter in these components."""
        flat = images.reshape(len(images), -1)
        kept = self.fitted.explained_variance_ / (self.fitted.explained_variance_ + deviation**2)
        return np.clip(self.fitted.inverse_transform(kept * self.fitted.transform(flat)), -1, 1).reshape(images.shape)

    def reconstruction_error(self, images: NDArray) -> Real:
        """(n,): the mean square of image minus generated image."""
        return ((images - self.generated(images)) ** 2).mean(axis=(1, 2, 3))

    def surprise(self, images: NDArray) -> Real:
        """(n,): minus the log likelihood of the probabilistic model of these components (Tipping and Bishop 1999), in nats."""
        return -self.fitted.score_samples(images.reshape(len(images), -1))
