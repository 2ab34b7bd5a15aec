"""Which shipped model is measured on which board: the first three on one board of each device, the rest of the family on one ECP5."""

from __future__ import annotations

from collections.abc import Iterator

from npde.models import NAMES
from npde_hdl.board import BOARDS, Board

DEVICES = ("icebreaker", "hx8k", "ulx3s-25f", "ulx3s-85f")
ON_DEVICES = ("digits", "fashion", "best")
EVERYWHERE = "digits"
ONE = "ulx3s-25f"


def pairs(*, boards_alike: bool = False) -> Iterator[tuple[str, Board]]:
    """Model name and board; with ``boards_alike`` the first model on every board, whatever device it shares with another."""
    for model in NAMES:
        for board in BOARDS.values():
            if board.name == ONE or (model in ON_DEVICES and board.name in DEVICES) or (boards_alike and model == EVERYWHERE):
                yield model, board
