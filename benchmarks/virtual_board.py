"""Every shipped model on a virtual board, pin by pin: mismatches against golden, accuracy, simulation speed.

``python benchmarks/virtual_board.py [FOLDER]`` prints a Markdown table. FOLDER holds Fashion-MNIST's IDX files; the
models that need them are left out without.
"""

from __future__ import annotations

import sys

import numpy as np

from npde import golden
from npde.data import load_data
from npde.link.board import Board
from npde.models import NAMES, load_model
from npde_sim.virtual import VirtualBoard

BOARDS = {"digits": "icebreaker", "fashion": "icebreaker", "best": "icebreaker"}
"""Where not on the ulx3s-25f."""
COUNTS = {"digits": 445}
"""How many test samples where not 200."""


def main(folder: str | None = None) -> None:
    """One row a model."""
    print("| model | board | samples | mismatches | board accuracy | golden accuracy, all | cycles/frame, plan | simulation |")
    print("| --- " * 8 + "|")
    for name in NAMES:
        source = load_model(name).notes["data"]
        if source == "fashion-mnist":
            if folder is None:
                continue
            source = folder
        print(f"| {name} | {_row(name, source, COUNTS.get(name, 200))} |", flush=True)


def _row(name: str, source: str, count: int) -> str:
    """The first ``count`` test samples over the wire, every output integer compared."""
    model, board_name = load_model(name), BOARDS.get(name, "ulx3s-25f")
    data = load_data(source)
    samples, labels = data.test_x[:count], data.test_y[:count]
    with VirtualBoard(model.program, board_name) as virtual:
        with Board.open(virtual.port) as board:
            board.load(model)
            answer = board.infer(samples)
        speed = virtual.stop()
    wanted = golden.run(model, model.quantise_input(samples))
    wrong = (answer.output != wanted.output).any(axis=(1, 2, 3)) | (answer.label != wanted.label)
    whole = golden.run(model, model.quantise_input(data.test_x)).label
    return (
        f"{board_name} | {len(samples)} | {int(wrong.sum())} | {np.mean(answer.label == labels):.2%} "
        f"| {np.mean(whole == data.test_y):.2%} of {len(data.test_x):,} | {virtual.plan.initiation_interval:,} | {speed}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
