"""A shipped model on the virtual board, pin by pin: accuracy, mismatches against golden, simulation speed.

``python benchmarks/virtual_board.py digits digits 445`` or
``python benchmarks/virtual_board.py fashion FOLDER_OF_IDX_FILES 200``
"""

from __future__ import annotations

import sys

import numpy as np

from npde import golden
from npde.data import load_data
from npde.link.board import Board
from npde.models import load_model
from npde_sim.virtual import VirtualBoard


def main(name: str, source: str, count: str) -> None:
    """Infer the first ``count`` test samples over the wire and compare every output integer."""
    model = load_model(name)
    data = load_data(source)
    samples, labels = data.test_x[: int(count)], data.test_y[: int(count)]
    with VirtualBoard(model.program, "icebreaker") as virtual:
        plan = virtual.plan
        board = Board.open(virtual.port)
        board.load(model)
        answer = board.infer(samples)
        wanted = golden.run(model, model.quantise_input(samples))
        wrong = (answer.output != wanted.output).any(axis=(1, 2, 3)) | (answer.label != wanted.label)
        whole = golden.run(model, model.quantise_input(data.test_x)).label
        print(f"interval {plan.initiation_interval:,} cycles, utilisation {plan.utilisation:.3f}")
        print(f"mismatches {int(wrong.sum())} of {len(samples)}, board accuracy {np.mean(answer.label == labels):.4f}")
        print(f"golden accuracy on all {len(data.test_x):,}: {np.mean(whole == data.test_y):.4f}")
        print(virtual.stop())


if __name__ == "__main__":
    main(*sys.argv[1:])
