"""A system, or a linear one in its place, on test images: anomalies by their scores, noise taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npde.data import Dataset
from npde.training.samples import unit_range
from npde.training.synergetic import score
from npde.training.synergetic.anomaly import Trial, noisy
from npde.training.synergetic.baseline import Components, LinearDenoiser
from npde.training.synergetic.system import Answers, Real, System

NOISE = 0.4
"""The standard deviation of the noise to take away: a fifth of the images' range, of length 2."""
NOISE_SEED = 1
"""The same noise for whoever is measured."""
MOST = 20_000
"""Training images that the linear denoiser is fitted to: many times the values of one."""


@dataclass(frozen=True)
class Measured:
    """``scores``, by name, of a trial's images: greater is stranger. ``psnr`` of the denoised test images, in decibels.

    ``accuracy`` is the share of right labels among the images that are not strange, where there are labels to tell.
    """

    strange: NDArray[np.bool_]
    scores: Mapping[str, Real]
    psnr: float
    accuracy: float | None = None

    @property
    def areas(self) -> dict[str, float]:
        """The area under each score's ROC curve."""
        from sklearn.metrics import roc_auc_score

        return {name: float(roc_auc_score(self.strange, values)) for name, values in self.scores.items()}


def measure(system: System, trial: Trial) -> Measured:
    """``system``, by golden's integers alone, on a trial whose training samples it has learned."""
    answers, data = system.answer(trial.images), trial.learned
    scores = {"reconstruction error": score.reconstruction_error(answers), "free energy": score.free_energy(system, answers)}
    clean = system.answer(data.test_x)
    cleaned = score.peak_signal_to_noise(denoised(system, data).generated, clean.images)
    return Measured(trial.strange, scores, cleaned, score.accuracy(clean, data.test_y))


def measure_components(size: int, trial: Trial) -> Measured:
    """As many principal components of the same training samples as a code has values, and, for the noise, the best linear pair; in float64."""
    data = trial.learned
    components = Components(as_units(data, data.train_x), size)
    images = as_units(data, trial.images)
    scores = {"reconstruction error": components.reconstruction_error(images), "minus log likelihood": components.surprise(images)}
    train = data.train_x[:MOST]
    drawn = noisy(train, NOISE, data.raw_range, NOISE_SEED + 1)
    cleaned = LinearDenoiser(as_units(data, drawn), as_units(data, train), size).generated(as_units(data, _with_noise(data)))
    return Measured(trial.strange, scores, score.peak_signal_to_noise(cleaned, as_units(data, data.test_x)))


def denoised(system: System, data: Dataset) -> Answers:
    """What the system makes of ``data``'s test images with noise."""
    return system.answer(_with_noise(data))


def psnr_of_noise(data: Dataset) -> float:
    """Of the noisy test images themselves, in decibels."""
    return score.peak_signal_to_noise(as_units(data, _with_noise(data)), as_units(data, data.test_x))


def as_units(data: Dataset, raw: NDArray) -> Real:
    """``raw`` images of ``data`` as (n, height, width, channels) in [-1, 1]."""
    preprocess = unit_range(data)
    return np.asarray(raw, np.float64).reshape(len(raw), *data.sample_shape) * preprocess.scale + preprocess.offset


def _with_noise(data: Dataset) -> Real:
    return noisy(data.test_x, NOISE, data.raw_range, NOISE_SEED)
