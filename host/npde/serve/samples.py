"""Samples out of a request's JSON and answers into a reply's: every shape, type and range is judged here."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from npde.golden import Answer
from npde.model import Model
from npde.serve.refusal import Refusal


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """What ``POST /infer`` and ``/steps`` take."""

    samples: list[Any]


def raw_range(model: Model) -> tuple[float, float]:
    """The raw values, ends included, that the model's input format spans: 0 and 16 for scikit-learn's digits.

    The upper end is the real number one unit beyond the format's greatest, which saturates to it, as in training.
    """
    q, preprocess = model.program.input.q, model.preprocess
    if preprocess.scale == 0:
        return -math.inf, math.inf
    ends = ((end * float(q.step) - preprocess.offset) / preprocess.scale for end in (q.low, q.high + 1))
    low, high = sorted(ends)
    return low, high


def samples(model: Model, body: bytes) -> NDArray[np.float64]:
    """The samples (batch, height, width, channels) in a body of JSON.

    Each is a list of its rows, or flat; a row's cells are numbers, or lists of them where there are several channels.
    Raises :class:`Refusal` with status 400 for anything else.
    """
    try:
        given = msgspec.json.decode(body, type=Body).samples
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise _bad(f'the body is not {{"samples": [[…], …]}}: {error}') from error
    grid = model.program.input
    if not given:
        raise _bad("samples is an empty list; give one sample or more")
    kind = _kind(given[0])
    try:
        values = msgspec.convert(given, list[kind])  # type: ignore[valid-type]
        found = np.array(values, np.float64)
    except msgspec.ValidationError as error:
        raise _bad(f"samples: {error}") from error
    except (ValueError, OverflowError) as error:
        raise _bad(
            f"the lists of samples differ in length or hold numbers no float64 holds; {_right(model)}"
        ) from error
    if found.shape[1:] not in (grid.shape, grid.shape[: 3 if grid.channels > 1 else 2], (grid.size,)):
        raise _bad(f"samples have shape {found.shape}, the first number being how many; {_right(model)}")
    low, high = raw_range(model)
    outside = ~((found >= low) & (found <= high))
    if outside.any():
        place = tuple(int(index) for index in np.argwhere(outside)[0])
        raise _bad(f"samples{list(place)} is {found[place]:g} and lies outside the model's range, {low:g} to {high:g}")
    return found.reshape(len(found), *grid.shape)


def reply(model: Model, answer: Answer) -> dict[str, Any]:
    """``labels``, null without an argmax, and ``outputs``, the board's integers.

    Those of one cell are a flat list for each sample; those of a field are nested like it.
    """
    output = answer.output
    if model.program.output.shape[:2] == (1, 1):
        output = output.reshape(len(output), -1)
    return {"labels": None if answer.label is None else answer.label.tolist(), "outputs": output.tolist()}


def _kind(first: Any) -> Any:
    """The type of one sample, by how deep the first one is nested."""
    depth = 0
    while isinstance(first, list) and first and depth < 3:
        first, depth = first[0], depth + 1
    kind: Any = float
    for _ in range(min(max(depth, 1), 3)):
        kind = list[kind]
    return kind


def _right(model: Model) -> str:
    grid = model.program.input
    cell = f" of {grid.channels} channels" if grid.channels > 1 else ""
    return f"a sample is {grid.height} rows of {grid.width} cells{cell}, or its {grid.size} numbers in one list"


def _bad(sentence: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, sentence)
