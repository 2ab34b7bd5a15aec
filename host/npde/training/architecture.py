"""From a recipe's stages to a stencil-update program: shapes and formats, decided before any weight exists."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from npde.fixed import Q
from npde.program import MOORE, Boundary, Clip, Dense, Grid, Pool, Program, Stencil, Step
from npde.training.errors import TrainingError
from npde.training.formats import ANSWER_BITS, INPUT_BITS, biased, ranged


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One resolution: a stencil that coarsens by ``stride`` to ``channels`` fields, then ``residual`` Euler steps."""

    channels: int
    stride: int = 1
    residual: int = 0


class Architecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="reaction-diffusion"):
    """A reaction-diffusion net: stages of 3×3 stencil steps, sums over tiles of the last grid, a dense answer.

    ``weight_bits`` and ``field_bits`` are one width for all weighted steps (the dense one included;
    fields: all stencil steps and the pool) or one a step. A stencil's weight of w bits spans
    ±2**``weight_range`` (one for all stencil steps, or one a step), a field [-1, 1), so the
    program, and with it the bitstream, follows from the recipe alone and survives a retraining.
    ``pool_range`` and ``answer_range`` do the same for the pooled sums and the answers.
    ``pool_size`` is the side of the tiles summed before the answer, the whole grid by default.
    ``rectify`` clips fields to [0, 1) in place of (-1, 1). Stages without residual steps are a CNN with strides.
    """

    stages: tuple[Stage, ...]
    weight_bits: int | tuple[int, ...] = 8
    field_bits: int | tuple[int, ...] = 8
    weight_range: int | tuple[int, ...] = 0
    dense_range: int = 1
    pool_range: int = 5
    bias_range: int = 3
    answer_range: int = 6
    pool_size: int | None = None
    rectify: bool = False
    boundary: Boundary = "neumann"

    def program(self, shape: tuple[int, int, int], classes: int, name: str) -> Program:
        """:func:`build_program` for this architecture."""
        return build_program(self, shape, classes, name)

    def start(self, program: Program, seed: int) -> Mapping[str, NDArray[np.float32]]:
        """Nothing but the common start."""
        return {}

    def frozen(self) -> frozenset[str]:
        """Nothing."""
        return frozenset()


def build_program(architecture: Architecture, shape: tuple[int, int, int], classes: int, name: str) -> Program:
    """The program of ``architecture`` for inputs of ``shape`` (height, width, channels) in Q(8,7).

    All ``*_range`` fields are powers of two: a format of w bits with range r is Q(w, w-1-r). Raises
    :class:`TrainingError` for a list of widths of the wrong length, and
    :class:`npde.errors.ProgramError` where the steps do not fit the grid.
    """
    layout = [
        (stage.channels, 1 if k else stage.stride, k > 0)
        for stage in architecture.stages
        for k in range(1 + stage.residual)
    ]
    weight_bits = _spread("weight_bits", architecture.weight_bits, len(layout) + 1)
    weight_range = _spread("weight_range", architecture.weight_range, len(layout))
    field_bits = _spread("field_bits", architecture.field_bits, len(layout) + 1)
    grid = Grid(*shape, Q(INPUT_BITS, INPUT_BITS - 1))
    steps: list[Step] = []
    start = grid
    for (channels, stride, skip), width, reach, bits in zip(layout, weight_bits, weight_range, field_bits, strict=False):
        out, weight = ranged(bits, 0), ranged(width, reach)
        step = Stencil(
            out_channels=channels,
            taps=MOORE,
            weight=weight,
            bias=biased(architecture.bias_range, weight.frac + grid.q.frac),
            out=out,
            phi=Clip(0 if architecture.rectify else -out.high, out.high),
            boundary=architecture.boundary,
            stride=stride,
            skip=skip,
        )
        grid = step.grid_after(grid, f"step {len(steps)}")
        steps.append(step)
    pooled = ranged(field_bits[-1], architecture.pool_range)
    pooled = Q(pooled.width, min(pooled.frac, grid.q.frac))  # sums are no finer than what is summed
    steps.append(Pool(kind="sum", size=architecture.pool_size or max(grid.height, grid.width), out=pooled))
    dense = ranged(weight_bits[-1], architecture.dense_range)
    finest = dense.frac + pooled.frac
    answer = ranged(ANSWER_BITS, architecture.answer_range)
    steps.append(
        Dense(
            out_channels=classes,
            weight=dense,
            bias=biased(architecture.answer_range, finest),
            out=Q(ANSWER_BITS, min(answer.frac, finest)),
        )
    )
    return Program(name=name, input=start, steps=tuple(steps), argmax=True)


def _spread(what: str, bits: int | tuple[int, ...], steps: int) -> tuple[int, ...]:
    if isinstance(bits, int):
        return (bits,) * steps
    if len(bits) != steps:
        raise TrainingError(f"{what} lists {len(bits)}; the architecture has {steps} steps that take one")
    return bits
