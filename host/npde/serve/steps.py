"""One sample's way through the model, for the page: golden's field of every step, and whether the board agrees."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npde import golden
from npde.golden import Answer
from npde.model import Model
from npde.report.panel import panels
from npde.serve.samples import reply

MOST = 256
"""Fields shown; of longer runs of time steps some are chosen, evenly."""


def steps(model: Model, raw: NDArray[np.float64], board: Answer) -> dict[str, Any]:
    """The board's reply to one sample (1, height, width, channels), golden's, ``equal``, and golden's ``fields``.

    The fields are in order. Their ``values`` are rows of numbers in units of the greatest magnitude, null where a
    folded row is filled up; ``density`` says they are never negative. Titles, channels and what a wave shows are those of
    :func:`npde.report.panel.panels`.
    """
    frames = golden.trace(model, model.quantise_input(raw))
    output = frames[-1]
    label = output.reshape(len(output), -1).argmax(axis=1) if model.program.argmax else None
    wanted = Answer(output, label)
    fields = [
        {
            "title": panel.title,
            "density": panel.density,
            "sequence": panel.sequence,
            "values": panel.values[0].round(3).tolist(),
        }
        for panel in panels(model, frames, most=MOST)
    ]
    return {**reply(model, board), "golden": reply(model, wanted), "equal": _equal(board, wanted), "fields": fields}


def _equal(board: Answer, wanted: Answer) -> bool:
    if (board.label is None) != (wanted.label is None) or not np.array_equal(board.output, wanted.output):
        return False
    return board.label is None or wanted.label is None or np.array_equal(board.label, wanted.label)
