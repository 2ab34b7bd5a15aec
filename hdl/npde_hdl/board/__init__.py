"""The boards npde builds for: their device, clock, serial line and what the pipeline may use of them."""

from npde_hdl.board.board import BOARDS, Board, get
from npde_hdl.board.family import FAMILIES

__all__ = ["BOARDS", "FAMILIES", "Board", "get"]
