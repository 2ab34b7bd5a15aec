"""The answers: H⁺Y on the hardware's own integers, its ridge and its scale chosen on samples it was not solved for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from npde.golden import accumulate, react
from npde.model import Weights
from npde.program import Dense, Grid
from npde.training.errors import TrainingError
from npde.training.pseudoinverse.gram import Gram, Real
from npde.training.pseudoinverse.scale import largest

FEW_RIDGES = (1e-4, 3e-3, 1e-1)
FEW_OVERSHOOTS = (1.5,)
RIDGES = (1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
OVERSHOOTS = (1.0, 1.5, 2.5, 4.0)
ANSWER_ROOM = 1.25


@dataclass(frozen=True)
class Readout:
    """Real ``kernel`` (classes, values, 1) and ``bias`` (classes,), float32, within their formats, and how they were chosen.

    ``accuracy`` is golden's on the validation samples.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    ridge: float
    accuracy: float


def solve(
    gram: Gram, step: Dense, grid: Grid, fields: NDArray[np.integer], labels: NDArray[np.int64],
    *, ridges: Sequence[float] = RIDGES, overshoots: Sequence[float] = OVERSHOOTS,
) -> Readout:  # fmt: skip
    """The readout of ``step`` on ``grid`` from sums over training samples, chosen by ``fields`` and ``labels`` held out.

    ``gram`` sums integers of the grid's format against one-hot targets; ``fields`` are such integers, (n, height,
    width, channels). The class of the greatest answer does not change when all answers are scaled alike, so each
    ridge's solution is scaled to fill the weights' format, the biases' and the answers' permitting; the largest few
    weights may saturate where that rounds the others better. The first of equals wins. Raises :class:`TrainingError`
    when no ridge gives a solution.
    """
    flat = fields.reshape(len(fields), -1)
    candidates: list[tuple[Real, Real, float]] = []
    problem: TrainingError | None = None
    for ridge in ridges:
        try:
            weights, bias = gram.solve(ridge)
        except TrainingError as error:
            problem = error
            continue
        weights, bias = weights.T / float(grid.q.step), bias
        # The mean of all answers is one number for every class: without it weights and answers are smaller.
        weights, bias = weights - weights.mean(axis=0), bias - bias.mean()
        answers = (flat * float(grid.q.step)) @ weights.T + bias
        for overshoot in overshoots:
            scale = min(
                overshoot * largest(step.weight) / np.abs(weights).max(),
                largest(step.bias) / max(np.abs(bias).max(), 1e-12),
                largest(step.out) / (ANSWER_ROOM * np.abs(answers).max()),
            )
            candidates.append((np.clip(weights * scale, -largest(step.weight), largest(step.weight)), bias * scale, ridge))
    if not candidates:
        raise problem or TrainingError("a readout needs at least one ridge to try")
    shares = _accuracies(candidates, step, grid, flat, labels)
    best = int(np.argmax(shares))
    kernel, bias, ridge = candidates[best]
    return Readout(kernel[:, :, None].astype(np.float32), bias.astype(np.float32), ridge, shares[best])


def _accuracies(
    candidates: list[tuple[Real, Real, float]], step: Dense, grid: Grid, flat: NDArray[np.integer], labels: NDArray[np.int64]
) -> list[float]:
    """Golden's accuracy of each candidate, all computed as one dense step."""
    together = msgspec.structs.replace(step, out_channels=len(candidates) * step.out_channels).as_stencil()
    kernel = np.concatenate([step.weight.quantise(kernel.astype(np.float32)) for kernel, _, _ in candidates])[:, :, None]
    weights = Weights(kernel, np.concatenate([step.bias.quantise(bias.astype(np.float32)) for _, bias, _ in candidates]))
    cell, right = Dense.flatten(grid), np.zeros(len(candidates))
    for first in range(0, len(flat), 1024):
        u = flat[first : first + 1024].reshape(-1, 1, 1, grid.size).astype(np.int64)
        answers = react(together, cell, accumulate(together, cell, weights, u)).reshape(len(u), len(candidates), -1)
        right += (answers.argmax(axis=2) == labels[first : first + 1024, None]).sum(axis=0)
    return [float(share) for share in right / len(flat)]
