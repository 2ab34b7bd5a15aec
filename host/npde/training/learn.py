"""From a data set and a recipe to a float model, and from a float model to the contract's integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npde import golden
from npde.data import Dataset
from npde.model import Model, Preprocess, Weights
from npde.program import Program
from npde.training.errors import TrainingError
from npde.training.gradient import Progress, accuracy, descend
from npde.training.parameters import FloatModel, Tensors, initialise
from npde.training.recipe import Recipe


def train(
    recipe: Recipe, data: Dataset, *, checkpoint_path: Path | None = None, progress: Progress | None = None
) -> FloatModel:
    """A float model by ``recipe.descent``; its notes say the float accuracy on the test samples, looked at once."""
    program = recipe.program(data.sample_shape, data.classes)
    preprocess = unit_range(data)
    x = fields_of(program, preprocess, data.train_x)
    start = initialise(program, seed=recipe.seed, diffusion=recipe.diffusion)
    tensors = descend(
        program, start, recipe.descent, x, data.train_y,
        quantised=False, background=_background(program, preprocess, data), seed=recipe.seed,
        checkpoint_path=checkpoint_path, progress=progress,
    )  # fmt: skip
    test = fields_of(program, preprocess, data.test_x)
    notes = {
        "data": data.name,
        "seed": str(recipe.seed),
        "float accuracy": f"{accuracy(program, tensors, test, data.test_y, quantised=False):.4f}",
    }
    return FloatModel(program, tensors, preprocess, recipe, notes)


def quantise(
    trained: FloatModel, data: Dataset | None, *, checkpoint_path: Path | None = None, progress: Progress | None = None
) -> Model:
    """The model of integers: ``recipe.finetune`` through the quantiser, then rounding.

    Without ``data`` the trained parameters are rounded as they are. Raises :class:`TrainingError`
    when the data has another shape than the program.
    """
    program, tensors, notes = trained.program, trained.tensors, dict(trained.notes)
    if data is not None:
        if data.sample_shape != program.input.shape or data.classes > program.output.size:
            raise TrainingError(
                f"{data.name} has samples of shape {data.sample_shape} and {data.classes} classes; "
                f"model {program.name!r} takes {program.input.shape} and has {program.output.size}"
            )
        tensors = descend(
            program, tensors, trained.recipe.finetune, fields_of(program, trained.preprocess, data.train_x), data.train_y,
            quantised=True, background=_background(program, trained.preprocess, data), seed=trained.recipe.seed,
            checkpoint_path=checkpoint_path, progress=progress,
        )  # fmt: skip
    model = Model(program, rounded(program, tensors), trained.preprocess, notes)
    if data is not None:
        notes["quantised accuracy"] = f"{golden_accuracy(model, data):.4f}"
        model = Model(program, model.weights, trained.preprocess, notes)
    return model


def rounded(program: Program, tensors: Tensors) -> dict[int, Weights]:
    """Real parameters as integers of their formats; raises :class:`npde.errors.ProgramError` for NaN."""
    return {
        index: Weights(**{part: q.quantise(tensors[f"{index}.{part}"]) for part, (_, q) in parts.items()})
        for index, parts in program.tensors().items()
    }


def golden_accuracy(model: Model, data: Dataset) -> float:
    """The golden model's share of right labels on the test samples."""
    label = golden.run(model, model.quantise_input(data.test_x)).label
    if label is None:
        raise TrainingError(f"model {model.program.name!r} answers with fields, not with a label")
    return float(np.mean(label == data.test_y))


def unit_range(data: Dataset) -> Preprocess:
    """The affine map that takes the data's raw range onto [-1, 1)."""
    low, high = data.raw_range
    return Preprocess(scale=2 / (high - low), offset=-1 - 2 * low / (high - low))


def fields_of(program: Program, preprocess: Preprocess, raw: NDArray) -> NDArray[np.int16]:
    """Raw samples as integers of the input format, (n, height, width, channels)."""
    grid = program.input
    # A chunk at a time: sixty thousand images as float64 would be hundreds of megabytes.
    samples = raw.reshape(len(raw), *grid.shape)
    chunks = [
        grid.q.quantise(samples[i : i + 4096] * preprocess.scale + preprocess.offset).astype(np.int16)
        for i in range(0, len(samples), 4096)
    ]
    return np.concatenate(chunks)


def _background(program: Program, preprocess: Preprocess, data: Dataset) -> int:
    return int(program.input.q.quantise(data.raw_range[0] * preprocess.scale + preprocess.offset))
