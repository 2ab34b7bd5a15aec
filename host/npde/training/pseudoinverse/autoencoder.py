"""PILAE, the pseudoinverse learning autoencoder: right singular vectors in, a ridge decoder out, tied weights.

Wang, Guo, Xin and others 2017: of a layer's input X = UΣVᵀ the encoder takes the truncated pseudoinverse's
V_p, the hidden width p from the spectrum; the decoder (HᵀH + κ1)⁻¹HᵀX rebuilds X from H = φ(encoded X), and its
transpose is the encoder that stays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npde.training.errors import TrainingError
from npde.training.pseudoinverse.gram import ROUNDING, Gram

Real = NDArray[np.float64]


def width_of(gram: Gram, energy: float) -> int:
    """How many singular directions hold the share ``energy`` of the samples' spread, never more than their rank.

    Raises :class:`TrainingError` for an energy outside (0, 1].
    """
    if not 0 < energy <= 1:
        raise TrainingError(f"a share of the spectrum's energy is above 0 and at most 1, not {energy:g}")
    values = gram.spectrum()[0]
    if not values.sum() > 0:
        raise TrainingError("all samples are equal: there is no spectrum to choose a width from")
    within = int(np.searchsorted(np.cumsum(values) / values.sum(), energy - 1e-12)) + 1
    return max(1, min(within, gram.rank(noise=ROUNDING)))


def encoder(gram: Gram, width: int, where: str, *, paired: bool = False) -> Real:
    """The first right singular vectors of the centred samples, as rows (width, values).

    ``paired`` gives each direction two units, of either sign: a φ that is 0 on one side loses that half otherwise.
    Raises :class:`TrainingError` when the samples' rank is less than the directions asked for.
    """
    vectors = gram.spectrum()[1]
    rank, directions = gram.rank(noise=ROUNDING), -(-width // 2) if paired else width
    if rank < directions:
        most = 2 * rank if paired else rank
        raise TrainingError(f"{where}: {width} hidden values asked for, but its inputs have rank {rank}; ask for at most {most}")
    first = vectors[:, :directions].T
    # An eigenvector's sign is arbitrary; fixed here, or the same data would give other weights on another machine.
    first = first * np.sign(first[np.arange(directions), np.abs(first).argmax(axis=1)])[:, None]
    return np.concatenate([first, -first])[:width] if paired else first


def decoder(gram: Gram, ridge: float) -> Real:
    """The decoder (width, values) from sums of hidden rows with the layer's input as targets; the tied encoder is the same."""
    return gram.solve(ridge)[0]
