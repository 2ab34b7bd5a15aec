"""What training with the board in the loop regains on boards that are wrong on purpose.

``python benchmarks/in_loop.py [STEPS] [SEEDS]`` prints, for each defect of a virtual iCEBreaker with the shipped digits model, the test
accuracy over the wire before, after as many steps on the host alone (golden in the board's place, which knows of no
defect), and after training in the loop: mean and spread over the seeds.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from npde import golden
from npde.data import Dataset, load_data
from npde.golden import Answer
from npde.link.board import Board
from npde.model import Model
from npde.models import load_model
from npde.training.in_loop import fine_tune
from npde_hdl.stencil.defect import DeadLane, Defect, StuckBit
from npde_sim.virtual import VirtualBoard

DEFECTS: tuple[tuple[str, Sequence[Defect]], ...] = (
    ("weight wire stuck at 1", (StuckBit(2, 5, True),)),
    ("a multiplier dead", (DeadLane(2, 1),)),
)
BATCH = 32


class Host:
    """Golden in a board's place."""

    def load(self, model: Model) -> None:
        """From now on its answers."""
        self.model = model

    def infer(self, raw: ArrayLike) -> Answer:
        """As a board's."""
        return golden.run(self.model, self.model.quantise_input(raw))


def main(steps: str = "60", seeds: str = "3") -> None:
    """One row a defect."""
    model, data = load_model("digits"), load_data("digits")
    print("| defect | board, before | after the host alone | after training in the loop |")
    print("| --- " * 4 + "|")
    for name, defects in DEFECTS:
        with VirtualBoard(model.program, "icebreaker", defects=defects) as virtual, Board.open(virtual.port) as board:
            before = _accuracy(board, model, data)
            alone, looped = [], []
            for seed in range(int(seeds)):
                tuned = fine_tune(Host(), model, data, steps=int(steps), batch=BATCH, seed=seed)
                alone.append(_accuracy(board, tuned, data))
                tuned = fine_tune(board, model, data, steps=int(steps), batch=BATCH, seed=seed)
                looped.append(_accuracy(board, tuned, data))
                print(f"{name}, seed {seed}: {before:.2%}, {alone[-1]:.2%}, {looped[-1]:.2%}", file=sys.stderr, flush=True)
        print(f"| {name} | {before:.2%} | {_spread(alone)} | {_spread(looped)} |", flush=True)


def _accuracy(board: Board, model: Model, data: Dataset) -> float:
    board.load(model)
    return float(np.mean(board.infer(data.test_x).label == data.test_y))


def _spread(shares: Sequence[float]) -> str:
    return f"{np.mean(shares):.2%} ({min(shares):.2%} to {max(shares):.2%})"


if __name__ == "__main__":
    main(*sys.argv[1:])
