"""Random weights, fields and foldings: what a bench needs to build a pipeline the planner might not have chosen."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from npde.fixed import Q
from npde.link.packing import Fold, Packing
from npde.model import Model, Weights
from npde.program import Dense, Grid, Pool, Program, Recurrent, Stencil
from npde_hdl.board.family import Cost
from npde_hdl.plan import Plan
from npde_hdl.plan.plan import FedBackStep, PooledStep, WeightedStep
from npde_hdl.primitive.product import STEADY
from npde_hdl.stencil.reach import Reach
from npde_hdl.stencil.recurrent import CELLS

MOST_LANES = 64


def integers(rng: np.random.Generator, q: Q, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Integers over the whole range of ``q``, one in eight of them an extreme."""
    values = rng.integers(q.low, q.high + 1, size=shape)
    extremes = rng.choice([q.low, q.high], size=shape)
    return np.where(rng.random(shape) < 0.125, extremes, values)


def model(program: Program, rng: np.random.Generator) -> Model:
    """Random weights for every step; stable or not, the arithmetic must agree."""
    weights = {}
    shapes = program.kernel_shapes()
    for index, step, _ in program.weighted():
        weights[index] = Weights(
            integers(rng, step.weight, shapes[index]), integers(rng, step.bias, shapes[index][:1])
        )
    for index, _, _ in program.evolutions():
        parts = program.tensors()[index].items()
        weights[index] = Weights(**{part: integers(rng, q, shape) for part, (shape, q) in parts})
    return Model(program, weights, force=True)


def fields(program: Program, rng: np.random.Generator, frames: int) -> NDArray[np.int64]:
    """Random input frames."""
    return integers(rng, program.input.q, (frames, *program.input.shape))


def folds(stencil: Stencil, grid: Grid) -> list[Fold]:
    """Every folding the gateware can build."""
    return [
        Fold(pe, simd)
        for pe in _divisors(stencil.out_channels)
        for simd in _divisors(grid.channels)
        if (not stencil.skip or _skippable(pe, simd)) and Packing(stencil, grid, Fold(pe, simd)).width <= 512
    ]


def plan(program: Program, dice: random.Random) -> Plan:
    """A legal plan at random: foldings, and line buffers anywhere between blocked and smooth."""
    steps: list[WeightedStep | PooledStep] = []
    for index, (step, grid) in enumerate(zip(program.steps, program.grids(), strict=False)):
        match step:
            case Pool():
                steps.append(PooledStep(index, step, grid, dice.choice(_divisors(grid.channels)), Cost()))
            case Dense():
                steps.append(_weighted(index, 0, step.as_stencil(), Dense.flatten(grid), dice))
            case Recurrent():
                steps.append(_fed_back(index, step, grid, dice))
            case Stencil():
                steps.extend(_weighted(index, copy, step, grid, dice) for copy in range(step.repeat))
    return Plan(program, "icebreaker", 24_000_000, 3_000_000, tuple(steps), Cost())


def _weighted(index: int, copy: int, stencil: Stencil, grid: Grid, dice: random.Random) -> WeightedStep:
    packing = Packing(stencil, grid, dice.choice(folds(stencil, grid)))
    reach = Reach(grid, packing.beat_taps, stencil.boundary, stencil.stride)
    cells = dice.randint(reach.least_cells, max(reach.least_cells, reach.smooth_cells))
    multiplier = dice.choice(tuple(STEADY))
    return WeightedStep(index, copy, packing, cells, multiplier, "generic", Cost())


def _fed_back(index: int, step: Recurrent, grid: Grid, dice: random.Random) -> FedBackStep:
    stencil, cell = step.as_stencil(), step.cell(grid)
    fold = dice.choice([fold for fold in folds(stencil, cell) if step.out_channels % fold.simd == 0])
    multiplier = dice.choice(tuple(STEADY))
    return FedBackStep(index, 0, Packing(stencil, cell, fold), CELLS, multiplier, "generic", Cost(), grid.height)


def _divisors(number: int) -> list[int]:
    return [d for d in range(1, min(number, MOST_LANES) + 1) if number % d == 0]


def _skippable(pe: int, simd: int) -> bool:
    ratio, rest = divmod(max(pe, simd), min(pe, simd))
    return rest == 0 and ratio & (ratio - 1) == 0
