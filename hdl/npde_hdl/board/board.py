"""One row a board."""

from __future__ import annotations

from dataclasses import dataclass

from npde.errors import FitError
from npde_hdl.board.family import Cost


@dataclass(frozen=True)
class Board:
    """``clock`` in hertz is what the pipeline runs at, made from the ``oscillator``; ``baud`` the default bit rate.

    ``platform`` is the amaranth-boards class that knows the pins, ``pll`` whether an iCE40's PLL sits
    on the clock's ``pad`` or in the ``core``, ``high`` the platform's pins to hold high, ``loader``
    openFPGALoader's name for the board, ``synthesis`` Yosys options, ``budget`` everything on the device,
    ``blocks_only`` whether products are left to its multiplier blocks: as many more in logic did not
    route at the clock.
    """

    name: str
    title: str
    family: str
    platform: str
    pll: str
    loader: str
    synthesis: str
    oscillator: int
    clock: int
    baud: int
    budget: Cost
    blocks_only: bool = False
    high: tuple[str, ...] = ()


BOARDS = {
    board.name: board
    for board in (
        Board(
            "icebreaker", "iCEBreaker (iCE40 UP5K)", "ice40",
            "amaranth_boards.icebreaker:ICEBreakerPlatform", "pad", "ice40_generic", "-device u",
            12_000_000, 24_000_000, 3_000_000, Cost(5280, 8, 30, 4),
        ),
        Board(
            "hx8k", "iCE40-HX8K breakout", "ice40",
            "amaranth_boards.ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform", "core", "ice40_generic", "-device hx",
            12_000_000, 48_000_000, 3_000_000, Cost(7680, 0, 32, 0),
        ),
        Board(
            "ulx3s-25f", "ULX3S (ECP5 LFE5U-25F)", "ecp5",
            "amaranth_boards.ulx3s:ULX3S_25F_Platform", "core", "ulx3s", "-nodsp -nowidelut",
            25_000_000, 80_000_000, 3_000_000, Cost(24288, 28, 56, 0),
        ),
        Board(
            "ulx3s-85f", "ULX3S (ECP5 LFE5U-85F)", "ecp5",
            "amaranth_boards.ulx3s:ULX3S_85F_Platform", "core", "ulx3s", "-nodsp -nowidelut",
            25_000_000, 80_000_000, 3_000_000, Cost(83640, 156, 208, 0), blocks_only=True,
        ),
    )
}  # fmt: skip


def get(name: str) -> Board:
    """The board of that name; raises :class:`FitError` listing the known ones."""
    if name not in BOARDS:
        raise FitError(f"unknown board {name!r}; known are {', '.join(BOARDS)}")
    return BOARDS[name]
