"""A trained network in narrower (or wider) formats, the start of a descent at that width."""

from __future__ import annotations

import msgspec
import numpy as np

from npde.program import Stencil
from npde.training.architecture import Architecture
from npde.training.errors import TrainingError
from npde.training.formats import ranged
from npde.training.parameters import FloatModel, Tensors

RANGES = range(-5, 3)


def narrowed(trained: FloatModel, bits: int) -> FloatModel:
    """``trained`` with weights and fields of ``bits`` in every stencil step; pooled sums and the answer's weights keep theirs.

    A step's weights span the power of two at which rounding its kernel costs the least squared error: at few bits most of a
    kernel is worth more than its largest weights. Raises :class:`TrainingError` for another architecture than stencils of one after another.
    """
    recipe, architecture = trained.recipe, trained.recipe.architecture
    if not isinstance(architecture, Architecture):
        raise TrainingError(f"model {trained.program.name!r} has no stencil steps whose widths could be chosen")
    stencils = [index for index, step in enumerate(trained.program.steps) if isinstance(step, Stencil)]
    last = [width if isinstance(width, int) else width[-1] for width in (architecture.weight_bits, architecture.field_bits)]
    chosen = msgspec.structs.replace(
        architecture,
        weight_bits=(*[bits] * len(stencils), last[0]),
        field_bits=(*[bits] * len(stencils), last[1]),
        weight_range=tuple(_closest(trained.tensors, index, bits) for index in stencils),
    )
    recipe = msgspec.structs.replace(recipe, architecture=chosen)
    grid = trained.program.input
    program = recipe.program(grid.shape, trained.program.output.size)
    return FloatModel(program, trained.tensors, trained.preprocess, recipe, trained.notes)


def _closest(tensors: Tensors, index: int, bits: int) -> int:
    kernel = tensors[f"{index}.kernel"]

    def cost(reach: int) -> float:
        q = ranged(bits, reach)
        return float(np.sum((q.real(q.quantise(kernel)) - kernel) ** 2))

    return min(RANGES, key=cost)
