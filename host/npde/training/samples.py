"""A data set's samples as training takes them: which validate, how raw values become a field, and its integers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npde.data import Dataset
from npde.model import Preprocess
from npde.program import Program


def held_out(labels: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """Which samples validate: ``share`` of each class, evenly over its samples, the same ones whatever the seed."""
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        held[own] = np.diff(np.floor(np.arange(len(own) + 1) * share + 1e-9)) > 0
    return held


def unit_range(data: Dataset) -> Preprocess:
    """The affine map that takes the data's raw range onto [-1, 1)."""
    low, high = data.raw_range
    return Preprocess(scale=2 / (high - low), offset=-1 - 2 * low / (high - low))


def fields_of(program: Program, preprocess: Preprocess, raw: NDArray) -> NDArray[np.int16]:
    """Raw samples as integers of the input format, (n, height, width, channels)."""
    grid = program.input
    # A chunk at a time: sixty thousand images as float64 would be hundreds of megabytes.
    samples = raw.reshape(len(raw), *grid.shape)
    chunks = [preprocess.quantise(samples[i : i + 4096], grid.q).astype(np.int16) for i in range(0, len(samples), 4096)]
    return np.concatenate(chunks)
