"""One row a board."""

from __future__ import annotations

from dataclasses import dataclass

from npde.errors import FitError
from npde_hdl.board.family import Cost


@dataclass(frozen=True)
class Board:
    """``clock`` in hertz is what the pipeline runs at, made from the ``oscillator``; ``baud`` the default bit rate.

    ``device`` and ``package`` are what place-and-route is told; ``rx``, ``tx`` and ``clk`` are its
    names for the pins. ``budget`` is everything on the device.
    """

    name: str
    title: str
    family: str
    device: str
    package: str
    oscillator: int
    clock: int
    baud: int
    clk: str
    rx: str
    tx: str
    budget: Cost


BOARDS = {
    board.name: board
    for board in (
        Board(
            "icebreaker", "iCEBreaker (iCE40 UP5K)", "ice40", "up5k", "sg48",
            12_000_000, 24_000_000, 3_000_000, "35", "6", "9", Cost(5280, 8, 30, 4),
        ),
        Board(
            "hx8k", "iCE40-HX8K breakout", "ice40", "hx8k", "ct256",
            12_000_000, 48_000_000, 3_000_000, "J3", "B10", "B12", Cost(7680, 0, 32, 0),
        ),
        Board(
            "ulx3s-25f", "ULX3S (ECP5 LFE5U-25F)", "ecp5", "25k", "CABGA381",
            25_000_000, 75_000_000, 3_000_000, "G2", "M1", "L4", Cost(24288, 28, 56, 0),
        ),
        Board(
            "ulx3s-85f", "ULX3S (ECP5 LFE5U-85F)", "ecp5", "85k", "CABGA381",
            25_000_000, 75_000_000, 3_000_000, "G2", "M1", "L4", Cost(83640, 156, 208, 0),
        ),
    )
}  # fmt: skip


def get(name: str) -> Board:
    """The board of that name; raises :class:`FitError` listing the known ones."""
    if name not in BOARDS:
        raise FitError(f"unknown board {name!r}; known are {', '.join(BOARDS)}")
    return BOARDS[name]
