"""From a data set and a recipe to a float model, and from a float model to the contract's integers."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from npde import golden
from npde.data import Dataset
from npde.model import Model, Preprocess
from npde.program import Program
from npde.training import normalised
from npde.training.errors import TrainingError
from npde.training.gradient import Progress, accuracy, descend
from npde.training.mirror import alike_mirrored
from npde.training.parameters import FloatModel, initialise, rounded
from npde.training.recipe import Descent, Recipe
from npde.training.samples import fields_of, held_out, unit_range


def train(
    recipe: Recipe,
    data: Dataset,
    *,
    test: bool = True,
    checkpoint_path: Path | None = None,
    progress: Progress | None = None,
) -> FloatModel:
    """A float model by ``recipe.descent``.

    Its notes say the accuracy on the validation samples, where the recipe holds some out, and on the test samples,
    which are looked at once, at the end, and not without ``test``.
    """
    program = recipe.program(data.sample_shape, data.classes)
    preprocess = unit_range(data)
    shown = ~held_out(data.train_y, recipe.validation)
    x = fields_of(program, preprocess, data.train_x)
    start = {
        **initialise(program, seed=recipe.seed, diffusion=recipe.diffusion),
        **recipe.architecture.start(program, recipe.seed),
    }
    descent = _settled(recipe.descent, data.train_x[shown], data.train_y[shown])
    if descent.normalise:
        start |= normalised.gains(program)
    tensors = descend(
        program, start, descent, x[shown], data.train_y[shown],
        quantised=False, background=_background(program, preprocess, data), seed=recipe.seed,
        frozen=recipe.architecture.frozen(), checkpoint_path=checkpoint_path, progress=progress,
    )  # fmt: skip
    if descent.normalise:
        tensors = normalised.folded(program, tensors, x[shown])
    notes = {"data": data.name, "seed": str(recipe.seed)}
    if not shown.all():
        share = accuracy(program, tensors, x[~shown], data.train_y[~shown], quantised=False)
        notes["float validation accuracy"] = f"{share:.4f}"
    if test:
        fields = fields_of(program, preprocess, data.test_x)
        notes["float accuracy"] = f"{accuracy(program, tensors, fields, data.test_y, quantised=False):.4f}"
    return FloatModel(program, tensors, preprocess, recipe, notes)


def quantise(
    trained: FloatModel,
    data: Dataset | None,
    *,
    test: bool = True,
    checkpoint_path: Path | None = None,
    progress: Progress | None = None,
) -> Model:
    """The model of integers: ``recipe.finetune`` through the quantiser, then rounding.

    Its notes say golden's accuracies, as :func:`train` does. Without ``data`` the trained parameters are rounded as
    they are. Raises :class:`TrainingError` when the data has another shape than the program.
    """
    program, tensors, notes, recipe = trained.program, trained.tensors, dict(trained.notes), trained.recipe
    shown = np.empty(0, bool)
    if data is not None:
        if data.sample_shape != program.input.shape or data.classes > program.output.size:
            raise TrainingError(
                f"{data.name} has samples of shape {data.sample_shape} and {data.classes} classes; "
                f"model {program.name!r} takes {program.input.shape} and has {program.output.size}"
            )
        shown = ~held_out(data.train_y, recipe.validation)
        tensors = descend(
            program, tensors, _settled(recipe.finetune, data.train_x[shown], data.train_y[shown]),
            fields_of(program, trained.preprocess, data.train_x[shown]), data.train_y[shown], quantised=True, background=_background(program, trained.preprocess, data),
            seed=recipe.seed, frozen=recipe.architecture.frozen(), checkpoint_path=checkpoint_path, progress=progress,
        )  # fmt: skip
    model = Model(program, rounded(program, tensors), trained.preprocess, notes)
    if data is not None:
        if not shown.all():
            notes["quantised validation accuracy"] = f"{golden_share(model, data.train_x[~shown], data.train_y[~shown]):.4f}"
        if test:
            notes["quantised accuracy"] = f"{golden_accuracy(model, data):.4f}"
        model = Model(program, model.weights, trained.preprocess, notes)
    return model


def golden_accuracy(model: Model, data: Dataset) -> float:
    """The golden model's share of right labels on the test samples."""
    return golden_share(model, data.test_x, data.test_y)


def golden_share(model: Model, raw: NDArray, labels: NDArray[np.int64]) -> float:
    """The golden model's share of right labels on ``raw`` samples; raises :class:`TrainingError` without argmax."""
    label = golden.run(model, model.quantise_input(raw)).label
    if label is None:
        raise TrainingError(f"model {model.program.name!r} answers with fields, not with a label")
    return float(np.mean(label == labels))


def _settled(descent: Descent, images: NDArray, labels: NDArray[np.int64]) -> Descent:
    """With a flip or without one, where the samples decide."""
    if descent.augmentation.flip != "alike":
        return descent
    flip = alike_mirrored(images, labels)
    return msgspec.structs.replace(descent, augmentation=msgspec.structs.replace(descent.augmentation, flip=flip))


def _background(program: Program, preprocess: Preprocess, data: Dataset) -> int:
    return int(preprocess.quantise(data.raw_range[0], program.input.q))
