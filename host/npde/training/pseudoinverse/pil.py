"""Guo and Lyu's hidden weights: the pseudoinverse of samples themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npde.training.errors import TrainingError

Real = NDArray[np.float64]


def pseudoinverse_directions(samples: Real, ridge: float) -> Real:
    """The columns of X⁺, one hidden unit for each row of ``samples`` X (units, values), as rows (units, values).

    Unit j answers 1 to sample j and 0 to the others as far as their rank lets it (Guo and Lyu 2004, section 2: the
    weights W⁰ = X⁺). With a ``ridge`` X⁺ becomes Xᵀ(XXᵀ + κ1)⁻¹, κ the ridge times the samples' mean square norm:
    the units then tend to templates, which noise excites less. Raises :class:`TrainingError` for samples that are all 0.
    """
    gram = samples @ samples.T
    scale = np.trace(gram) / len(samples)
    if not scale > 0:
        raise TrainingError(f"the {len(samples)} samples to be inverted are all equal: a pseudoinverse needs samples that differ")
    if ridge:
        return np.linalg.solve(gram + ridge * scale * np.eye(len(samples)), samples)
    return np.asarray(np.linalg.pinv(samples).T, np.float64)


def choose_samples(candidates: Real, units: int, rng: np.random.Generator, where: str) -> Real:
    """``units`` rows of centred ``candidates``, drawn without repetition with chances as their square norms.

    Length-squared sampling keeps the row space (Frieze, Kannan and Vempala 2004), and it passes by empty patches.
    Raises :class:`TrainingError` when fewer rows than ``units`` differ from the mean.
    """
    length = np.einsum("ij,ij->i", candidates, candidates)
    usable = int(np.count_nonzero(length > 0))
    if usable < units:
        raise TrainingError(
            f"{where}: {units} hidden values need as many samples that differ from the mean, but there are {usable}; "
            f"ask for at most {usable}"
        )
    return candidates[rng.choice(len(candidates), units, replace=False, p=length / length.sum())]
