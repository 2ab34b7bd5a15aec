"""One hidden layer: from what its units see to its integers, by one of the strategies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from npde import golden
from npde.model import Model, Weights
from npde.program import Dense, Grid, Program, Stencil
from npde.training.errors import TrainingError
from npde.training.pseudoinverse import autoencoder, pil
from npde.training.pseudoinverse.features import random_directions
from npde.training.pseudoinverse.gram import ROUNDING, Gram
from npde.training.pseudoinverse.rows import Integers, blocks, hidden, rows, spread
from npde.training.pseudoinverse.scale import fit, one_sided

Strategy = Literal["pil", "pilae", "random"]

CANDIDATES = 8192
"""Rows that "pil" draws its samples from."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is chosen by validation: ``gain`` and ``thresholds`` of :func:`npde.training.pseudoinverse.scale.fit`
    (the latter drawn evenly from ±``thresholds``) and the ``ridge`` of the strategy's own inverse."""

    gain: float = 0.5
    thresholds: float = 0.3
    ridge: float = 1.0


def learn_layer(
    strategy: Strategy, program: Program, index: int, before: Mapping[int, Weights], fields: Integers,
    settings: Settings, rng: np.random.Generator,
) -> Weights:  # fmt: skip
    """Integers of step ``index``, from the program's input integers ``fields`` and the layers ``before``.

    Raises :class:`TrainingError` when the layer's inputs do not carry as many hidden values as it has.
    """
    step, grid, where = _weighted(program, index)
    seen = spread(fields, _cells(step, grid))
    gram = input_sums(program, index, before, seen)
    width = step.out_channels
    if not np.trace(gram.covariance) > 0:
        raise TrainingError(f"{where}: its inputs are the same for all {len(seen)} samples: training needs samples that differ")
    match strategy:
        case "random":
            directions = random_directions(width, gram.width, rng)
        case "pil":
            candidates = _candidates(program, index, before, seen) - gram.mean
            directions = pil.pseudoinverse_directions(pil.choose_samples(candidates, width, rng, where), settings.ridge)
        case "pilae":
            directions = autoencoder.encoder(gram, width, where, paired=one_sided(step))
    thresholds = rng.uniform(-settings.thresholds, settings.thresholds, width)
    weights = fit(directions, gram, step, grid, gain=settings.gain, thresholds=thresholds)
    if strategy == "pilae":
        sums = _output_sums(program, index, before, weights, seen, rebuild=True)
        tied = autoencoder.decoder(sums, settings.ridge)
        weights = fit(tied, gram, step, grid, gain=settings.gain, thresholds=thresholds)
    return weights


def output_rank(program: Program, index: int, weights: Mapping[int, Weights], fields: Integers) -> int:
    """The rank of step ``index``'s outputs on ``fields``, over rounding."""
    step, grid, _ = _weighted(program, index)
    return _output_sums(program, index, weights, weights[index], spread(fields, _cells(step, grid))).rank(noise=ROUNDING)


def check_rank(program: Program, index: int, weights: Mapping[int, Weights], fields: Integers) -> None:
    """Raises :class:`TrainingError` when some hidden values of step ``index`` say nothing that others do not.

    Guo and Lyu's own criterion, H⁺H = 1: a lower rank means hidden values that cost weights and tell nothing.
    """
    step, _, where = _weighted(program, index)
    rank = output_rank(program, index, weights, fields)
    if rank < step.out_channels:
        raise TrainingError(
            f"{where}: {step.out_channels} hidden values asked for, but on the training samples their outputs have "
            f"rank {rank} in {step.out}; ask for at most {rank}, or for finer weights and fields"
        )


def input_sums(program: Program, index: int, before: Mapping[int, Weights], fields: Integers) -> Gram:
    """Sums over what the units of step ``index`` see of ``fields``."""
    step, grid, _ = _weighted(program, index)
    gram = Gram(grid.size if isinstance(step, Dense) else len(step.taps) * grid.channels)
    for block in blocks(fields):
        gram.add(rows(step, grid, hidden(program, index, before, block)))
    return gram


def _output_sums(
    program: Program, index: int, before: Mapping[int, Weights], weights: Weights, fields: Integers, *, rebuild: bool = False
) -> Gram:
    """Sums over the outputs of step ``index``, with what it sees as targets if ``rebuild``."""
    step, grid, _ = _weighted(program, index)
    alone = Model(Program(name=program.name, input=grid, steps=(step,)), {0: weights})
    gram: Gram | None = None
    for block in blocks(fields):
        u = hidden(program, index, before, block)
        outputs = golden.run(alone, u).output.reshape(-1, step.out_channels)
        targets = rows(step, grid, u) if rebuild else None
        gram = gram or Gram(step.out_channels, 0 if targets is None else targets.shape[1])
        gram.add(outputs, targets)
    if gram is None:
        raise TrainingError(f"step {index} sees no samples")
    return gram


def _candidates(program: Program, index: int, before: Mapping[int, Weights], fields: Integers) -> NDArray[np.float64]:
    step, grid, _ = _weighted(program, index)
    every = -(-len(fields) * _cells(step, grid) // CANDIDATES) | 1  # odd, or even rows of cells would be met at the same columns
    taken, first = [], 0
    for block in blocks(fields):
        own = rows(step, grid, hidden(program, index, before, block))
        taken.append(own[-first % every :: every])
        first += len(own)
    return np.concatenate(taken).astype(np.float64)


def _weighted(program: Program, index: int) -> tuple[Stencil | Dense, Grid, str]:
    step = program.steps[index]
    if not isinstance(step, Stencil | Dense):
        raise TrainingError(f"step {index} of {program.name!r} is no layer that a pseudoinverse is learned for")
    kind = "dense" if isinstance(step, Dense) else "stencil"
    return step, program.grids()[index], f"step {index} ({kind}) of {program.name!r}"


def _cells(step: Stencil | Dense, grid: Grid) -> int:
    after = step.grid_after(grid, "step")
    return after.height * after.width
