"""Linear pairs with as many values as the code: what a pair of models has to beat."""

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

    def reconstruction_error(self, images: NDArray) -> Real:
        """(n,): the mean square of image minus generated image."""
        return ((images - self.generated(images)) ** 2).mean(axis=(1, 2, 3))

    def surprise(self, images: NDArray) -> Real:
        """(n,): minus the log likelihood of the probabilistic model of these components (Tipping and Bishop 1999), in nats."""
        return -self.fitted.score_samples(images.reshape(len(images), -1))


class LinearDenoiser:
    """The affine map of rank ``size`` that takes ``noisy`` images to ``clean`` ones, both (n, height, width, channels), with the least square error.

    Reduced-rank regression (Izenman 1975): least squares, then the ``size`` principal directions of what it gives. No
    linear B and A do better on these images.
    """

    def __init__(self, noisy: NDArray, clean: NDArray, size: int):
        x, y = (images.reshape(len(images), -1) for images in (noisy, clean))
        self._from, self._to = x.mean(axis=0), y.mean(axis=0)
        gram = (x - self._from).T @ (x - self._from)
        gram[np.diag_indices_from(gram)] += 1e-9 * np.trace(gram)  # pixels that never change
        whole = np.linalg.solve(gram, (x - self._from).T @ (y - self._to))
        _, directions = np.linalg.eigh(whole.T @ gram @ whole)
        kept = directions[:, -size:]
        self._map = whole @ kept @ kept.T

    def generated(self, images: NDArray) -> Real:
        """``images`` without their noise, in the same shape, held to [-1, 1]."""
        flat = images.reshape(len(images), -1)
        return np.clip((flat - self._from) @ self._map + self._to, -1, 1).reshape(images.shape)
