"""How strange an image is to a system, and how well it is cleaned: from golden's integers, in plain numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from npde.training.synergetic.system import Answers, Real, System


def reconstruction_error(answers: Answers) -> Real:
    """(n,): the mean square of image minus generated image."""
    return ((answers.images - answers.generated) ** 2).mean(axis=(1, 2, 3))


def free_energy(system: System, answers: Answers) -> Real:
    """(n,): the free energy of each image with its likeliest label, in nats, less what is the same for all images.

    ``‖x - A(z)‖²/2σ² - max_y log p(y|z) + ‖z‖²/2τ²`` at z = B(x), each part as often as in learning: the objective of
    :mod:`npde.training.synergetic.objective` with the code at its mean and nobody to tell the label.
    """
    terms, size = system.synergy.terms, system.b.program.input.size
    parts = (
        terms.reconstruction * size * reconstruction_error(answers) / (2 * system.sigma**2),
        terms.label * -log_softmax(answers.logits, axis=1).max(axis=1),
        terms.complexity * (answers.code**2).sum(axis=1) / (2 * system.synergy.prior**2),
    )
    return np.sum(parts, axis=0)


def accuracy(answers: Answers, labels: NDArray[np.int64]) -> float:
    """The share of images whose greatest logit is the right label's."""
    return float(np.mean(answers.logits.argmax(axis=1) == labels))


def peak_signal_to_noise(images: NDArray, wanted: NDArray) -> float:
    """10·log10(peak² / mean square error) in decibels, for images that span [-1, 1): the peak is 2."""
    return float(10 * np.log10(4 / np.mean((np.asarray(images, np.float64) - wanted) ** 2)))
