"""A program's steps as stages: what each holds of the grid before it, rows that pass or a frame worked on in place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from npde.program import Dense, Evolve, Form, Grid, Pool, Program, Recurrent, Stencil
from npde.program.program import Step
from npde.program.step import Tap

DENSE_VALUES = 128
"""Values that a dense step takes at once, if they are whole rows."""


@dataclass(frozen=True)
class Stage:
    """One step, or one of its repeats, between ``before`` and ``after``.

    ``rows`` of the grid before it are held. A frame in place has beside it ``old`` rows above the one under way and the
    ``first`` rows of the frame, as they were.
    """

    index: int
    step: Step
    before: Grid
    after: Grid
    rows: int
    in_frame: bool = False
    old: int = 0
    first: int = 0

    @property
    def row_values(self) -> int:
        """Values in one row of the grid before it."""
        return self.before.width * self.before.channels


def rows_spanned(stencil: Stencil) -> tuple[int, int]:
    """The first and the last row, counted from the cell's own, that a stencil reads."""
    rows = [dy for dy, _ in stencil.taps] + [0] * stencil.skip
    return min(rows), max(rows)


def wraps(stencil: Stencil) -> bool:
    """Whether its first row needs its last."""
    return stencil.boundary == "periodic" and rows_spanned(stencil) != (0, 0)


def runs_of(taps: Iterable[Tap]) -> list[tuple[int, int, int]]:
    """``(dy, dx, taps)``: the taps in their order, those that lie one beside the other together."""
    runs: list[tuple[int, int, int]] = []
    for dy, dx in taps:
        if runs and runs[-1][0] == dy and runs[-1][1] + runs[-1][2] == dx:
            runs[-1] = (*runs[-1][:2], runs[-1][2] + 1)
        else:
            runs.append((dy, dx, 1))
    return runs


def is_short(stencil: Stencil, cell: Grid) -> bool:
    """Whether the runtime takes its short way: weights of at most 8 bits, fields of at most 16, accumulators of 32."""
    return stencil.weight.width <= 8 and cell.q.width <= 16 and stencil.accumulator_width(cell) <= 32


def stages(program: Program) -> list[Stage]:
    """The stages in their order."""
    return [stage for index, step in enumerate(program.steps) for stage in _of(index, step, *program.grids()[index : index + 2])]


def _of(index: int, step: Step, before: Grid, after: Grid) -> Iterator[Stage]:
    match step:
        case Stencil():
            yield from _stencil(index, step, before, after)
        case Evolve():
            reach = max(rows_reached(update.forms) for update in step.body)
            first = max((rows_reached(u.forms) for u in step.body if u.boundary == "periodic"), default=0)
            yield Stage(index, step, before, after, before.height, True, reach, first)
        case Dense():
            yield Stage(index, step, before, after, _rows_at_once(before))
        case Pool() | Recurrent():
            yield Stage(index, step, before, after, 1)


def _stencil(index: int, step: Stencil, before: Grid, after: Grid) -> Iterator[Stage]:
    first, last = rows_spanned(step)
    window = before.height if wraps(step) else min(last - first + 1, before.height)
    above, below = max(0, -first), max(0, last) if step.boundary == "periodic" else 0
    in_place = before.height + above + below + 1
    if step.repeat > 1 and step.repeat * window > in_place:
        yield Stage(index, step, before, after, before.height, True, above, below)
    else:
        for _ in range(step.repeat):
            yield Stage(index, step, before, after, window)


def _rows_at_once(grid: Grid) -> int:
    """The most rows that divide the frame and have at most :data:`DENSE_VALUES` values; one, if none do."""
    most = DENSE_VALUES // (grid.width * grid.channels)
    return next((rows for rows in range(most, 1, -1) if grid.height % rows == 0), 1)


def rows_reached(forms: Iterable[Form]) -> int:
    """The farthest row that any of an update's forms reads."""
    return max(abs(dy) for form in forms for dy, _ in form.taps)

