"""From a data set to two models of integers that share one free energy."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from npde.data import Dataset
from npde.model import Model, Preprocess
from npde.training.parameters import Tensors, initialise, rounded
from npde.training.samples import fields_of, held_out, unit_range
from npde.training.synergetic.configuration import Synergy, Terms
from npde.training.synergetic.descent import Progress, Turns, descend
from npde.training.synergetic.objective import ERROR, SPREAD, of
from npde.training.synergetic.programs import CODE, Pair, programs
from npde.training.synergetic.system import System

START_SPREAD, START_ERROR = 0.2, 0.3
"""s in units of the prior, and σ, before anything is learned."""
BOTTLENECK = 0.01
"""What complexity counts where the label is all there is to tell: at 1, telling one of ten costs all that it saves (Alemi and others 2017)."""


def learn(synergy: Synergy, data: Dataset, *, progress: Progress | None = None) -> System:
    """The pair that ``synergy`` makes of ``data``'s training samples: first in real numbers, then through the quantiser, then rounded.

    ``progress`` counts the epochs of all phases (:func:`epochs`). The test samples are not looked at.
    """
    pair = programs(synergy, data.sample_shape, data.classes)
    preprocess = unit_range(data)
    shown = ~held_out(data.train_y, synergy.validation)
    fields, labels = fields_of(pair.b, preprocess, data.train_x[shown]), data.train_y[shown]
    background = int(preprocess.quantise(data.raw_range[0], pair.image.q))
    tensors: Tensors = start(synergy, pair)
    done = 0
    for descent, quantised in ((synergy.descent, False), (synergy.finetune, True)):
        for turns, terms in _phases(synergy):
            tensors = descend(
                pair, tensors, synergy, descent, fields, labels, turns=turns, terms=terms, quantised=quantised,
                background=background, progress=_later(progress, done),
            )  # fmt: skip
            done += descent.epochs
    return _integers(synergy, pair, tensors, preprocess, data.name)


def epochs(synergy: Synergy) -> int:
    """Of all phases together."""
    return (synergy.descent.epochs + synergy.finetune.epochs) * len(_phases(synergy))


def start(synergy: Synergy, pair: Pair) -> dict[str, NDArray[np.float32]]:
    """Both programs' usual start, one seed after the other, and a spread and an error to begin with."""
    sides = {"A": initialise(pair.a, seed=2 * synergy.seed), "B": initialise(pair.b, seed=2 * synergy.seed + 1)}
    tensors = {f"{side}.{name}": tensor for side, own in sides.items() for name, tensor in own.items()}
    tensors[SPREAD] = np.full(synergy.code, math.log(START_SPREAD * synergy.prior), np.float32)
    tensors[ERROR] = np.array(math.log(START_ERROR), np.float32)
    return tensors


def _phases(synergy: Synergy):
    """Who moves, and for which terms, one phase after the other."""
    whole: dict[str, Turns] = {"joint": ("AB",), "alternating": ("B", "A")}
    if synergy.schedule in whole:
        return [(whole[synergy.schedule], synergy.terms)]
    return [(("AB",), Terms(reconstruction=0.0, complexity=BOTTLENECK)), (("A",), synergy.terms)]


def _later(progress: Progress | None, done: int) -> Progress | None:
    return None if progress is None else lambda epoch, value: progress(done + epoch, value)


def _integers(synergy: Synergy, pair: Pair, tensors: Tensors, preprocess: Preprocess, data: str) -> System:
    notes = {"data": data, "seed": str(synergy.seed), "synergy": msgspec.json.encode(synergy).decode()}
    a = Model(
        pair.a, rounded(pair.a, of("A", tensors)), Preprocess(scale=float(CODE.step)),  # type: ignore[arg-type]
        {**notes, "sigma": f"{math.exp(float(tensors[ERROR])):.6g}"},
    )  # fmt: skip
    b = Model(
        pair.b, rounded(pair.b, of("B", tensors)), preprocess,  # type: ignore[arg-type]
        {**notes, "spread": " ".join(f"{s:.4g}" for s in np.exp(tensors[SPREAD]))},
    )  # fmt: skip
    return System(a, b, synergy)
