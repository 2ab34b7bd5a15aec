"""One sentence for a program that does not fit: which resource, by how much, and which boards have room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from msgspec.structs import replace as replace_struct

from npde.errors import ProgramError
from npde.program import Evolve, Program
from npde_hdl.board import BOARDS, Board
from npde_hdl.board.family import KINDS, Cost
from npde_hdl.plan.logic import LINK_COST
from npde_hdl.plan.plan import EvolvedStep, PooledStep, WeightedStep

NAMES = dict(zip(("luts", "dsps", "brams", "sprams"), KINDS, strict=True))


def misfit(program: Program, board: Board, menus: Sequence[Sequence[WeightedStep | PooledStep | EvolvedStep]]) -> str:
    """What even the smallest of each step's choices in ``menus`` exceed ``board`` by."""
    least = LINK_COST[board.family]
    for menu in menus:
        if not menu:
            raise ProgramError(f"program {program.name!r} has a step that no folding builds on {board.name}")
        smallest = {f: min(getattr(c.cost, f) for c in menu) for f in NAMES}
        least += replace(Cost(), **smallest)
    budget = board.budget
    short = [
        f"{getattr(least, f):,} {NAMES[f]} where {getattr(budget, f):,} are free, "
        f"{getattr(least, f) - getattr(budget, f):,} too many"
        for f in NAMES
        if getattr(least, f) > getattr(budget, f)
    ]
    if not short:
        needs = " and ".join(NAMES[f] for f in NAMES if getattr(least, f))
        return (
            f"program {program.name!r} does not fit {board.name}: each of {needs} would suffice alone, "
            "but no folding satisfies all of them at once"
        )
    return f"program {program.name!r} does not fit {board.name}: even folded smallest it needs " + "; ".join(short)


def narrower(program: Program, board: Board, fits: Callable[[Program, Board], bool]) -> str:
    """The widest grid of the same height that would fit ``board``, if the program is one equation and any does."""
    if len(program.steps) != 1 or not isinstance(program.steps[0], Evolve):
        return ""
    grid = program.input

    def wide(width: int) -> bool:
        try:
            return fits(replace_struct(program, input=replace_struct(grid, width=width)), board)
        except ProgramError:  # a tap reaches across so narrow a grid
            return False

    least = next((width for width in (1, 2, 3, 4, 8) if width < grid.width and wide(width)), None)
    if least is None:
        return ""
    low, high = least, grid.width
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if wide(middle) else (low, middle)
    return f"; a grid of {grid.height}×{low} cells would fit {board.name}"


def elsewhere(program: Program, board: Board, fits: Callable[[Program, Board], bool]) -> str:
    """The other boards that ``program`` does fit."""
    devices = {other.device: other for other in BOARDS.values()}
    roomy_devices = {device for device, other in devices.items() if fits(program, other)}
    roomy = [other.name for other in BOARDS.values() if other.name != board.name and other.device in roomy_devices]
    if not roomy:
        return "it fits no board npde knows"
    return "it fits " + (" and ".join((", ".join(roomy[:-1]), roomy[-1])) if len(roomy) > 1 else roomy[0])
