"""Every folding worth having on a board: frames a second against what they take."""

from __future__ import annotations

from npde.program import Program
from npde_hdl.board import Board
from npde_hdl.plan.fold import foldings
from npde_hdl.plan.plan import Plan


def frontier(program: Program, board: Board, *, clock: int | None = None, baud: int | None = None) -> list[Plan]:
    """Plans from the fastest to the slowest, each the one with the fewest multipliers, then the least logic, at its interval.

    None takes as much of every resource as another that is as fast: what is listed is all there is to choose from when
    both speed and room count. Exact over the same foldings as :func:`npde_hdl.plan.plan_for`. Raises :class:`npde.errors.FitError` as that does.
    """
    kept: list[Plan] = []
    for plan in foldings(program, board, clock=clock, baud=baud):
        taken = plan.cost.as_dict().values()
        if not any(all(a <= b for a, b in zip(other.cost.as_dict().values(), taken, strict=True)) for other in kept):
            kept.append(plan)
    return kept
