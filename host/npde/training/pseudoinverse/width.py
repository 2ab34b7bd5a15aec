"""Hidden widths from the data: as many directions as hold a share of the spectrum of what a layer sees."""

from __future__ import annotations

import msgspec
import numpy as np

from npde.data import Dataset
from npde.model import Weights
from npde.training.architecture import Architecture
from npde.training.errors import TrainingError
from npde.training.network import Perceptron
from npde.training.pseudoinverse.autoencoder import width_of
from npde.training.pseudoinverse.layer import Settings, Strategy, input_sums, learn_layer
from npde.training.pseudoinverse.rows import Integers
from npde.training.pseudoinverse.scale import one_sided
from npde.training.recipe import Recipe


def sized(
    recipe: Recipe, data: Dataset, fields: Integers, strategy: Strategy, settings: Settings, energy: float
) -> Recipe:
    """``recipe`` with each hidden width, or each stage's channels, chosen by ``energy``, the first layer first.

    A φ that is 0 on one side takes two units for each direction. Raises :class:`TrainingError` for an energy outside (0, 1].
    """
    architecture = recipe.architecture
    match architecture:
        case Perceptron(hidden=widths):
            layers = [[index] for index in range(len(widths))]
        case Architecture(stages=stages):
            ends = np.cumsum([1 + stage.residual for stage in stages])
            layers = [list(range(end - 1 - stage.residual, end)) for end, stage in zip(ends.tolist(), stages, strict=True)]
        case _:
            raise TrainingError(f"recipe {recipe.name!r} has no hidden widths to choose")
    rng = np.random.default_rng(recipe.seed)
    weights: dict[int, Weights] = {}
    for place, steps in enumerate(layers):
        program = recipe.program(data.sample_shape, data.classes)
        width = width_of(input_sums(program, steps[0], weights, fields), energy)
        step = program.steps[steps[0]]
        recipe = _replaced(recipe, place, 2 * width if one_sided(step) else width)  # type: ignore[arg-type]
        program = recipe.program(data.sample_shape, data.classes)
        for index in steps:
            weights[index] = learn_layer(strategy, program, index, weights, fields, settings, rng)
    return recipe


def _replaced(recipe: Recipe, place: int, width: int) -> Recipe:
    architecture = recipe.architecture
    if isinstance(architecture, Perceptron):
        hidden = (*architecture.hidden[:place], width, *architecture.hidden[place + 1 :])
        return msgspec.structs.replace(recipe, architecture=msgspec.structs.replace(architecture, hidden=hidden))
    assert isinstance(architecture, Architecture)
    stage = msgspec.structs.replace(architecture.stages[place], channels=width)
    stages = (*architecture.stages[:place], stage, *architecture.stages[place + 1 :])
    return msgspec.structs.replace(recipe, architecture=msgspec.structs.replace(architecture, stages=stages))
