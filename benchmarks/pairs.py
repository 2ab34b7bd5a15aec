"""Which shipped model is measured on which board: the first two on all, the rest of the family on one ECP5."""

from __future__ import annotations

from collections.abc import Iterator

from npde.models import NAMES
from npde_hdl.board import BOARDS, Board

EVERYWHERE = ("digits", "fashion", "best")
ONE = "ulx3s-25f"


def pairs() -> Iterator[tuple[str, Board]]:
    """Model name and board."""
    for model in NAMES:
        for board in BOARDS.values():
            if model in EVERYWHERE or board.name == ONE:
                yield model, board
