"""What share of the wire's byte rate `infer` sustains, in the board's own cycles: pin by pin, at several rates and delays.

``python benchmarks/throughput.py [MODEL…]`` prints a Markdown table. *wire* is sample bytes a second over baud / 10; *frame
limit* what frames of the longest payload would leave of that; *pipeline* what the plan's initiation interval allows.
"""

from __future__ import annotations

import sys

import numpy as np

from npde import golden
from npde.link.board import Board
from npde.link.protocol import FRAME_BYTES
from npde.models import load_model
from npde_sim.virtual import VirtualBoard

BITS_PER_BYTE = 10
LINE_BYTES = 6000
"""Sample bytes sent for each row, at the least."""


def main(*names: str) -> None:
    """One row for each model, board, rate and delay."""
    print("| model | board | baud | USB delay | samples | wire, pushed | of the wire's bytes | frame limit | pipeline allows | mismatches |")
    print("| --- " * 10 + "|")
    for name in names or ("digits", "mlp"):
        for board in ("icebreaker", "ulx3s-25f"):
            if name != "digits" and board == "icebreaker":
                continue
            for baud in (1_000_000, 3_000_000):
                for delay in (0.0, 0.5e-3, 1e-3):
                    print(f"| {name} | {board} | {baud:,} | {delay * 1e3:g} ms | {_row(name, board, baud, delay)} |", flush=True)


def _row(name: str, board_name: str, baud: int, delay: float) -> str:
    model = load_model(name)
    grid = model.program.input
    with VirtualBoard(model.program, board_name, baud=baud, delay=delay) as virtual:
        plan = virtual.plan
        few = max(4, LINE_BYTES // plan.sample_bytes)
        count = 3 * few
        integers = np.random.default_rng(0).integers(grid.q.low, grid.q.high + 1, size=(count, *grid.shape))
        raw = (grid.q.real(integers) - model.preprocess.offset) / model.preprocess.scale
        with Board.open(virtual.port, baud=baud) as board:
            board.load(model)
            board.infer(raw[:few])
            cycles = board.status().cycles
            answer = board.infer(raw)
            cycles = board.status().cycles - cycles
    wrong = int((answer.output != golden.run(model, model.quantise_input(raw)).output).any(axis=(1, 2, 3)).sum())
    # The counter starts when the first frame is there and stops with the last answer: the difference of two runs has neither end.
    share = (count - few) * plan.sample_bytes * BITS_PER_BYTE * plan.divisor / cycles
    pipeline = plan.sample_bytes * BITS_PER_BYTE * plan.divisor / plan.initiation_interval
    payload = FRAME_BYTES - 6 - 2
    return (
        f"{count} | {count * plan.sample_bytes:,} bytes | {share:.1%} | {payload / (FRAME_BYTES + 4):.1%} "
        f"| {min(1.0, pipeline):.1%} | {wrong}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
