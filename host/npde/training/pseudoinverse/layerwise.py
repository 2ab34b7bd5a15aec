"""From a data set and a recipe to a float model without a descent: layer by layer, each one a least-squares problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from npde.data import Dataset
from npde.model import Weights
from npde.program import Dense, Program
from npde.training.architecture import Architecture
from npde.training.errors import TrainingError
from npde.training.network import Perceptron
from npde.training.parameters import FloatModel
from npde.training.pseudoinverse import real
from npde.training.pseudoinverse.gram import Gram, one_hot
from npde.training.pseudoinverse.layer import Settings, Strategy, check_rank, learn_layer, output_rank
from npde.training.pseudoinverse.readout import FEW_OVERSHOOTS, FEW_RIDGES, Readout, solve
from npde.training.pseudoinverse.rows import Integers, blocks, hidden
from npde.training.pseudoinverse.width import sized
from npde.training.recipe import Recipe
from npde.training.samples import fields_of, held_out, unit_range

Progress = Callable[[float, float], None]
"""Told the share of the work done (0 to 1) and the validation error of the network just solved."""

VALIDATION = 0.1


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings tried, one after another for one at a time, those of too little rank passed over.

    Each is solved on ``samples`` of the training samples and judged by ``held`` of those held out.
    """

    gains: tuple[float, ...] = (0.5, 0.25, 1.0)
    thresholds: tuple[float, ...] = (0.3, 1.0)
    ridges: tuple[float, ...] = (1.0, 10.0, 0.1, 0.01)
    samples: int = 6000
    held: int = 3000

    def __post_init__(self) -> None:
        for name, least in (("gains", "above 0"), ("thresholds", "0 or more"), ("ridges", "0 or more")):
            tried = getattr(self, name)
            if not tried or not all(np.isfinite(v) and v >= 0 and (v > 0 or name != "gains") for v in tried):
                raise TrainingError(f"a search tries at least one of its {name}, each {least} and finite, not {tried}")
        if self.samples < 2 or self.held < 1:
            raise TrainingError(f"a search needs at least 2 samples and 1 held out, not {self.samples} and {self.held}")

    def start(self) -> Settings:
        """The first of everything."""
        return Settings(gain=self.gains[0], thresholds=self.thresholds[0], ridge=self.ridges[0])

    def variants(self, strategy: Strategy) -> Iterator[tuple[str, float]]:
        """``(field of Settings, value)`` for all others."""
        yield from (("gain", value) for value in self.gains[1:])
        yield from (("thresholds", value) for value in self.thresholds[1:])
        if strategy != "random":
            yield from (("ridge", value) for value in self.ridges[1:])


@dataclass(frozen=True)
class _Samples:
    """Input integers and labels, those solved for and those held out."""

    shown: Integers
    labels: NDArray[np.int64]
    held: Integers
    held_labels: NDArray[np.int64]
    classes: int

    def for_rank(self, program: Program, index: int, search: Search) -> Integers:
        """Inputs enough to tell the rank of step ``index``: several times its width."""
        return self.fewer(max(search.samples, 4 * program.kernel_shapes()[index][0]), 1).shown

    def fewer(self, shown: int, held: int) -> _Samples:
        """At most that many of each, evenly spread."""
        s, h = (np.linspace(0, len(y) - 1, min(len(y), most)).astype(int) for y, most in ((self.labels, shown), (self.held_labels, held)))
        return _Samples(self.shown[s], self.labels[s], self.held[h], self.held_labels[h], self.classes)


def learn(
    recipe: Recipe,
    data: Dataset,
    strategy: Strategy = "pil",
    *,
    search: Search | None = None,
    energy: float | None = None,
    test: bool = True,
    progress: Progress | None = None,
) -> FloatModel:
    """A float model of ``recipe``'s program by pseudoinverses, not by its descent (Guo and Lyu 2004).

    ``strategy`` says where hidden weights come from: ``"pil"``, the pseudoinverse of samples or patches (Guo and Lyu);
    ``"pilae"``, stacked pseudoinverse autoencoders (Wang, Guo, Xin and others 2017); ``"random"``. Each hidden layer is
    rounded before the next is solved, so hidden tensors are exact in their formats, and the readout is H⁺Y on the
    integers the hardware gives. With ``energy`` the hidden widths are not the recipe's but those that hold this share
    of the spectrum of what each layer sees; the model's recipe has them.

    The ``search``'s settings and the readout's ridge are chosen by ``recipe.validation`` of the training samples, a
    tenth where the recipe says none; no layer is solved on those. The test samples are looked at once, at the end, and not
    without ``test``. Raises :class:`TrainingError` for architectures, samples and labels it cannot learn from,
    hidden values that the inputs' rank does not support, and a strategy there is not.
    """
    search = search or Search()
    recipe = _with_validation(recipe)
    _check(recipe, data, strategy)
    preprocess = unit_range(data)
    held = held_out(data.train_y, recipe.validation)
    if not held.any() or held.all():
        raise TrainingError(
            f"{data.name}: {recipe.validation:g} of each class's training samples hold out {held.sum()} of {len(held)}; "
            "choosing needs at least one held out and one left"
        )
    program = recipe.program(data.sample_shape, data.classes)
    x = fields_of(program, preprocess, data.train_x)
    samples = _Samples(x[~held], data.train_y[~held], x[held], data.train_y[held], data.classes)
    few = samples.fewer(search.samples, search.held)
    if energy is not None:
        recipe = sized(recipe, data, few.shown, strategy, search.start(), energy)
        program = recipe.program(data.sample_shape, data.classes)

    variants = [("gain", search.gains[0]), *search.variants(strategy)]
    settings, best, refusal = search.start(), -1.0, None
    for tried, (name, value) in enumerate(variants, 1):
        other = msgspec.structs.replace(settings, **{name: value})
        try:
            weights, readout = _network(program, strategy, few, other, recipe.seed, quick=True)
            for index in weights:
                check_rank(program, index, weights, samples.for_rank(program, index, search))
        except TrainingError as error:  # too little rank with these settings; others may have more
            refusal = refusal or error
            continue
        if progress is not None:
            progress(tried / (len(variants) + 1), 1 - readout.accuracy)
        if readout.accuracy > best:
            settings, best = other, readout.accuracy
    if best < 0 and refusal is not None:
        raise refusal
    weights, readout = _network(program, strategy, samples, settings, recipe.seed)
    if progress is not None:
        progress(1.0, 1 - readout.accuracy)
    ranks = [output_rank(program, index, weights, samples.for_rank(program, index, search)) for index in weights]

    tensors = {}
    for index, parts in program.tensors().items():
        if index in weights:
            for part, integers in weights[index].parts().items():
                tensors[f"{index}.{part}"] = parts[part][1].real(integers).astype(np.float32)
        else:
            tensors[f"{index}.kernel"], tensors[f"{index}.bias"] = readout.kernel, readout.bias
    ridge = "" if strategy == "random" else f", ridge {settings.ridge:g}"
    notes = {
        "data": data.name,
        "seed": str(recipe.seed),
        "learned by": f"pseudoinverse, {strategy}",
        "settings": f"gain {settings.gain:g}, thresholds {settings.thresholds:g}{ridge}, readout ridge {readout.ridge:g}",
        "ranks": ", ".join(f"{rank} of {program.kernel_shapes()[index][0]}" for index, rank in zip(weights, ranks, strict=True)) or "no hidden layer",
        "float validation accuracy": f"{real.accuracy(program, tensors, samples.held, samples.held_labels):.4f}",
    }
    if test:
        fields = fields_of(program, preprocess, data.test_x)
        notes["float accuracy"] = f"{real.accuracy(program, tensors, fields, data.test_y):.4f}"
    return FloatModel(program, tensors, preprocess, recipe, notes)


def _network(
    program: Program, strategy: Strategy, samples: _Samples, settings: Settings, seed: int, *, quick: bool = False
) -> tuple[dict[int, Weights], Readout]:
    """Hidden layers' integers and the readout for ``settings``."""
    last = len(program.steps) - 1
    step, grid = program.steps[last], program.grids()[last]
    if not isinstance(step, Dense):
        raise TrainingError(f"program {program.name!r} does not end in a dense step: a pseudoinverse solves for no other")
    rng = np.random.default_rng(seed)
    weights: dict[int, Weights] = {}
    for index in program.tensors():
        if index != last:
            weights[index] = learn_layer(strategy, program, index, weights, samples.shown, settings, rng)
    gram, done = Gram(grid.size, samples.classes), 0
    for block in blocks(samples.shown):
        features = hidden(program, last, weights, block).reshape(len(block), -1)
        gram.add(features, one_hot(samples.labels[done : done + len(block)], samples.classes))
        done += len(block)
    seen = np.concatenate([hidden(program, last, weights, block).astype(np.int32) for block in blocks(samples.held)])
    tries = {"ridges": FEW_RIDGES, "overshoots": FEW_OVERSHOOTS} if quick else {}
    return weights, solve(gram, step, grid, seen, samples.held_labels, **tries)


def _with_validation(recipe: Recipe) -> Recipe:
    if not isinstance(recipe.architecture, Perceptron | Architecture):
        raise TrainingError(
            f"recipe {recipe.name!r} is a {type(recipe.architecture).__name__.lower()}: pseudoinverses learn perceptrons "
            "and stencil architectures; train this one by descent"
        )
    return recipe if recipe.validation else msgspec.structs.replace(recipe, validation=VALIDATION)


def _check(recipe: Recipe, data: Dataset, strategy: str) -> None:
    """A :class:`Dataset` checks itself when it is made, but its arrays can be written to afterwards."""
    if strategy not in get_args(Strategy):
        raise TrainingError(f"no strategy {strategy!r}; there are {', '.join(get_args(Strategy))}")
    for part, x, y in (("training", data.train_x, data.train_y), ("test", data.test_x, data.test_y)):
        if not np.isfinite(x).all():
            at = int(np.flatnonzero(~np.isfinite(x).reshape(len(x), -1).all(axis=1))[0])
            raise TrainingError(f"{data.name}: {part} sample {at} holds NaN or infinite values; raw values must be finite")
        if y.min() < 0 or y.max() >= data.classes:
            at = int(np.flatnonzero((y < 0) | (y >= data.classes))[0])
            raise TrainingError(f"{data.name}: {part} sample {at} has label {y[at]}; labels go from 0 to {data.classes - 1}")
    if (data.train_x == data.train_x[:1]).all():
        raise TrainingError(f"{data.name}: all {len(data.train_x)} training samples are the same; training needs samples that differ")
