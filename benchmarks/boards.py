"""Bitstreams of the shipped models: fmax, resources against the prediction, time.

``python benchmarks/boards.py [FOLDER]`` prints a Markdown table; FOLDER (``build/boards``) keeps everything made.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pairs import pairs

from npde.errors import BuildError, FitError
from npde.models import load_model
from npde_hdl.board import Board
from npde_hdl.board.family import KINDS
from npde_hdl.build import build
from npde_hdl.plan import plan_for


def main(folder: str = "build/boards") -> None:
    """One row a model and board."""
    print("| model | board | clock | fmax | " + " | ".join(KINDS) + " | logic predicted | frames/s | multipliers busy | build |")
    print("| --- " * (len(KINDS) + 8) + "|")
    for model, board in pairs(boards_alike=True):
        print(f"| {model} | {board.name} | {_row(model, board, Path(folder) / f'{model}-{board.name}')} |", flush=True)


def _row(model: str, board: Board, where: Path) -> str:
    try:
        plan = plan_for(load_model(model).program, board)
        report = build(plan, where)
    except (FitError, BuildError) as error:
        return str(error)
    used = [report.resources.get(kind) for kind in KINDS]
    counts = [f"{u.used:,} of {u.available:,}" if u and u.available else "–" for u in used]
    logic, told = used[0].used, report.predicted[KINDS[0]]
    return " | ".join(
        [f"{report.clock / 1e6:g} MHz", f"{report.fmax / 1e6:.1f} MHz", *counts, f"{told:,} ({told / logic - 1:+.0%})",
         f"{plan.frames_per_second:,.0f}", f"{plan.utilisation:.1%}", f"{sum(report.seconds.values()):.0f} s"]
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
