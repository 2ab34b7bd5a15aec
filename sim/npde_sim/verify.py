"""The whole SoC against the golden model, over its serial pins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npde import golden
from npde.data import load_data
from npde.link.board import Board
from npde.model import Model
from npde_sim.virtual import VirtualBoard


@dataclass(frozen=True)
class Outcome:
    """``values`` output integers of ``frames`` frames were compared; ``first`` names the first that differs, in ``frame``."""

    frames: int
    values: int
    mismatches: int
    first: str
    frame: int | None

    def as_dict(self) -> dict[str, object]:
        """The counts for a report."""
        return {"frames": self.frames, "output integers compared": self.values, "mismatches": self.mismatches}


def samples_for(model: Model, data: str | None, count: int, seed: int) -> NDArray:
    """Raw samples: the first ``count`` test samples of ``data``, or random ones over the whole input range."""
    if data is not None:
        return load_data(data).test_x[:count]
    grid, preprocess = model.program.input, model.preprocess
    integers = np.random.default_rng(seed).integers(grid.q.low, grid.q.high + 1, size=(count, *grid.shape))
    return (grid.q.real(integers) - preprocess.offset) / preprocess.scale


def compare(
    port: str,
    baud: int,
    model: Model,
    samples: NDArray,
    progress: Callable[[int], object] = lambda _: None,
    *,
    loaded: Callable[[], object] = lambda: None,
) -> Outcome:
    """Infer ``samples`` on the board at ``port`` and compare every output integer and label with golden.

    ``loaded`` is called once the weights are on the board.
    """
    with Board.open(port, baud=baud) as board:
        board.load(model)
        loaded()
        answer = board.infer(samples, progress=progress)
    return differences(answer, golden.run(model, model.quantise_input(samples)))


def trace(model: Model, board: str, sample: NDArray, waveform: Path) -> Outcome:
    """Infer one frame again on a board that writes every signal's changes to ``waveform``, and compare again."""
    with VirtualBoard(model.program, board, waveform=waveform) as virtual:
        outcome = compare(virtual.port, virtual.plan.baud, model, sample, loaded=virtual.trace)
        virtual.stop()
    return outcome


def differences(answer: golden.Answer, wanted: golden.Answer) -> Outcome:
    """Where two answers differ, cell by cell, the first one spelt out."""
    differing = np.argwhere(answer.output != wanted.output)
    labels = [] if wanted.label is None else np.flatnonzero(answer.label != wanted.label)
    first, frame = "", None
    if len(differing):
        frame, y, x, channel = (int(v) for v in differing[0])
        where = (frame, y, x, channel)
        first = (
            f"frame {frame}, cell ({y}, {x}), channel {channel}: golden gives {wanted.output[where]}, "
            f"the board {answer.output[where]}"
        )
    elif len(labels):
        frame = int(labels[0])
        first = f"frame {frame}: golden gives label {wanted.label[frame]}, the board {answer.label[frame]}"
    return Outcome(len(wanted.output), wanted.output.size, len(differing) + len(labels), first, frame)
