"""The same network at other widths: what changes is the formats, and ranges follow the kernels."""

from __future__ import annotations

import numpy as np
import pytest

from npde.model import Preprocess
from npde.program import Pool, Stencil
from npde.report.bits import draw, markdown
from npde.training.errors import TrainingError
from npde.training.narrow import narrowed
from npde.training.parameters import FloatModel, initialise, rounded
from npde.training.recipe import RECIPES


def start(name: str) -> FloatModel:
    recipe = RECIPES[name]
    program = recipe.program((8, 8, 1), 10)
    return FloatModel(program, initialise(program, seed=0), Preprocess(scale=0.125, offset=-1), recipe)


@pytest.mark.parametrize("bits", [2, 4, 16])
def test_every_stencil_step_gets_the_width_and_nothing_else_changes(bits):
    wide = start("digits")
    narrow = narrowed(wide, bits)
    for before, after in zip(wide.program.steps, narrow.program.steps, strict=True):
        if isinstance(after, Stencil):
            assert (after.weight.width, after.out.width) == (bits, bits)
            assert (after.out_channels, after.stride, after.skip) == (before.out_channels, before.stride, before.skip)
        elif isinstance(after, Pool):
            assert (after.out.width, after.out.frac) == (8, min(before.out.frac, bits - 1))
        else:
            assert (after.weight, after.out.width) == (before.weight, before.out.width)
    assert narrow.tensors == wide.tensors
    assert FloatModel(narrow.program, narrow.tensors, narrow.preprocess, narrow.recipe).program == narrow.recipe.program((8, 8, 1), 10)


def test_no_other_range_rounds_a_kernel_better():
    wide = start("digits")
    narrow = narrowed(wide, 3)
    for index, step in enumerate(narrow.program.steps):
        if isinstance(step, Stencil):
            kernel = wide.tensors[f"{index}.kernel"]
            held = step.weight.real(rounded(narrow.program, wide.tensors)[index].kernel)
            for frac in range(step.weight.frac - 2, step.weight.frac + 3):
                other = type(step.weight)(3, frac)
                assert np.sum((held - kernel) ** 2) <= np.sum((other.real(other.quantise(kernel)) - kernel) ** 2) + 1e-9


def test_what_has_no_stencil_steps_is_refused():
    with pytest.raises(TrainingError, match="has no stencil steps"):
        narrowed(start("mlp"), 4)


def test_the_table_says_mean_and_spread_and_the_plot_is_drawn(tmp_path):
    studies = {"one": ([0.9], {2: [0.5], 8: [0.875]}), "three": ([0.9, 0.91], {8: [0.8, 0.9]})}
    lines = markdown(studies).splitlines()
    assert lines[0] == "| model | float | 2 bit | 8 bit |"
    assert lines[2] == "| one | 90.00 | 50.00 | 87.50 |"
    assert lines[3] == "| three | 90.50 (90.00 to 91.00) | – | 85.00 (80.00 to 90.00) |"
    draw(studies, tmp_path / "bits.png")
    assert (tmp_path / "bits.png").stat().st_size > 5000
