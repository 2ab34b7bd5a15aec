"""One sentence for a program that does not fit: which resource, by how much, and which boards have room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from npde.errors import ProgramError
from npde.program import Program
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


def elsewhere(program: Program, board: Board, fits: Callable[[Program, Board], bool]) -> str:
    """The other boards that ``program`` does fit."""
    roomy = [other.name for other in BOARDS.values() if other.name != board.name and fits(program, other)]
    if not roomy:
        return "it fits no board npde knows"
    return "it fits " + (" and ".join((", ".join(roomy[:-1]), roomy[-1])) if len(roomy) > 1 else roomy[0])
