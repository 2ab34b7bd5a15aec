"""Every folding worth having on a board: frames a second against what they take."""

from __future__ import annotations

from npde.errors import FitError
from npde.program import Program
from npde_hdl.board import Board
from npde_hdl.plan.fold import foldings, plan_for
from npde_hdl.plan.plan import Plan


def frontier(program: Program, board: Board, *, clock: int | None = None, baud: int | None = None) -> list[Plan]:
    """Plans from the fastest to the slowest, each the one with the fewest multipliers, then the least logic, at its interval.

    None takes as much of every resource as another that is as fast: what is listed is all there is to choose from when
    both speed and room count. Exact over the same foldings as :func:`plan_for`. Raises :class:`FitError` as that does.
    """
    kept: list[Plan] = []
    for plan in foldings(program, board, clock=clock, baud=baud):
        taken = plan.cost.as_dict().values()
        if not any(all(a <= b for a, b in zip(other.cost.as_dict().values(), taken, strict=True)) for other in kept):
            kept.append(plan)
    if not kept:
        plan_for(program, board)  # says what is missing
        raise FitError(f"program {program.name!r} does not fit {board.name}")
    return kept
