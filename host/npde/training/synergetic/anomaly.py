"""What is anomalous and what is noisy, made of a data set's own images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from npde.data import Dataset
from npde.errors import DataError


@dataclass(frozen=True)
class Trial:
    """What is learned from, and test ``images`` (n, height, width[, channels]), raw, of which some are ``strange`` (n,)."""

    name: str
    learned: Dataset
    images: NDArray
    strange: NDArray[np.bool_]


def trial(data: Dataset, label: int | None = None, *, seed: int = 0) -> Trial:
    """Class ``label`` unseen while learning and strange among all test images; or, without one, each test image beside itself :func:`patched`."""
    if label is not None:
        return Trial(f"class {label}", without(data, label), data.test_x, data.test_y == label)
    images = np.concatenate([data.test_x, patched(data.test_x, seed)])
    return Trial("patched", data, images, np.arange(len(images)) >= len(data.test_x))


def without(data: Dataset, label: int) -> Dataset:
    """``data`` whose training and test samples have no class ``label``, the later ones moving up; raises :class:`DataError` for no such class."""
    if not 0 <= label < data.classes or data.classes < 3:
        raise DataError(f"{data.name} has the classes 0 to {data.classes - 1}, at least two of which must stay: {label} cannot be the anomaly")
    kept = {part: getattr(data, f"{part}_y") != label for part in ("train", "test")}
    moved = {f"{part}_y": getattr(data, f"{part}_y")[keep] - (getattr(data, f"{part}_y")[keep] > label) for part, keep in kept.items()}
    samples = {f"{part}_x": getattr(data, f"{part}_x")[keep] for part, keep in kept.items()}
    return replace(data, name=f"{data.name} without {label}", classes=data.classes - 1, **samples, **moved)


def patched(raw: NDArray, seed: int) -> NDArray:
    """``raw`` images (n, height, width[, channels]), in each a square from somewhere in another of them.

    The square's side is three eighths of the image's shorter one; what it shows is real, only not there (as CutPaste has it
    within one image: Li, Sohn, Yoon and Pfister 2021).
    """
    rng = np.random.default_rng(seed)
    n, height, width = raw.shape[:3]
    side = max(1, 3 * min(height, width) // 8)
    other = (np.arange(n) + rng.integers(1, n, size=n)) % n if n > 1 else np.zeros(n, int)
    places = rng.integers(0, (height - side + 1, width - side + 1) * 2, size=(n, 4))
    changed = raw.copy()
    for image, source, (y, x, from_y, from_x) in zip(changed, raw[other], places, strict=True):
        image[y : y + side, x : x + side] = source[from_y : from_y + side, from_x : from_x + side]
    return changed


def noisy(raw: NDArray, deviation: float, raw_range: tuple[float, float], seed: int) -> NDArray[np.float64]:
    """``raw`` with normal noise of ``deviation``, in units in which the raw range spans [-1, 1), held to that range."""
    low, high = raw_range
    drawn = np.random.default_rng(seed).normal(size=raw.shape)
    return np.clip(raw + drawn * deviation * (high - low) / 2, low, high)
