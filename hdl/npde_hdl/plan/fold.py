"""Choosing the folding: the least initiation interval that a board's multipliers, memories and logic allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from npde.errors import FitError
from npde.link.packing import Fold, Packing
from npde.program import Dense, Evolve, Grid, Pool, Program, Recurrent, Stencil
from npde_hdl.board import Board
from npde_hdl.board.family import FAMILIES, Cost, Family
from npde_hdl.plan.evolve_cost import evolved
from npde_hdl.plan.logic import LINK_COST, fed_back_cost, pool_luts, step_luts
from npde_hdl.plan.misfit import elsewhere, misfit, narrower
from npde_hdl.plan.plan import EvolvedStep, FedBackStep, Plan, PooledStep, WeightedStep, bytes_a_frame
from npde_hdl.primitive.product import KINDS, PAIRED, pairable
from npde_hdl.stencil.line_buffer import words_for
from npde_hdl.stencil.reach import Reach
from npde_hdl.stencil.recurrent import CELLS

Choice = WeightedStep | PooledStep | EvolvedStep

MOST_LANES = 64
PATIENCE = 1.125


def plan_for(program: Program, board: Board, *, clock: int | None = None, baud: int | None = None) -> Plan:
    """The best-used plan whose initiation interval is within :data:`PATIENCE` of the least that fits.

    The very least interval often takes half as many multipliers again for the last few cycles; the
    plan chosen has the highest utilisation (then the shortest interval, then the least logic) among
    those nearly as fast. Exact over all foldings whose lanes divide the channels, the multiplier kinds and the memory
    kinds the family has: for each candidate interval, the steps' non-dominated choices are combined
    and combinations dominated in every resource dropped, so none that could matter is lost.

    ``clock`` in hertz and ``baud`` default to the board's. Raises :class:`FitError`, naming the
    resource, by how much, and the boards it does fit, when not even the smallest folding fits.
    """
    budget = _room(board)
    menus = _menus(program, board, budget)
    intervals = sorted({choice.initiation_interval for menu in menus for choice in menu})

    # Feasibility is monotone in the interval, so bisect for the least feasible one.
    low, high = 0, len(intervals)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _combine(menus, intervals[middle], budget) else (middle + 1, high)
    if low == len(intervals):
        raise _fits_not(program, board, menus)
    # A physicist waits for time steps: with an evolution the least interval it is. Nobody waits for what bytes hide.
    patience = 1.0 if any(program.evolutions()) else PATIENCE
    nearly = [i for i in intervals[low:] if i <= max(intervals[low] * patience, bytes_a_frame(program))]
    plans = list(_plans(program, board, menus, nearly, clock, baud))
    return max(plans, key=lambda plan: (plan.utilisation, -plan.initiation_interval, -plan.cost.luts))


def foldings(program: Program, board: Board, *, clock: int | None = None, baud: int | None = None) -> Iterator[Plan]:
    """At each initiation interval that a step can have, the shortest first, the plan within it that takes fewest multipliers, if any fits.

    Raises :class:`FitError` as :func:`plan_for` does where none fits at all.
    """
    menus = _menus(program, board, _room(board))
    plans = _plans(program, board, menus, sorted({c.initiation_interval for menu in menus for c in menu}), clock, baud)
    first = next(plans, None)
    if first is None:
        raise _fits_not(program, board, menus)
    yield first
    yield from plans


def _plans(
    program: Program, board: Board, menus: Sequence[Sequence[Choice]], intervals: Sequence[int], clock: int | None, baud: int | None
) -> Iterator[Plan]:
    for interval in intervals:
        steps = _combine(menus, interval, _room(board))
        if steps is not None:
            cost = sum((step.cost for step in steps), LINK_COST[board.family])
            yield Plan(program, board.name, clock or board.clock, baud or board.baud, tuple(steps), cost)


def _fits_not(program: Program, board: Board, menus: Sequence[Sequence[Choice]]) -> FitError:
    return FitError(f"{misfit(program, board, menus)}; {elsewhere(program, board, fits)}{narrower(program, board, fits)}")


def fits(program: Program, board: Board) -> bool:
    """Whether any folding does."""
    budget = _room(board)
    menus = _menus(program, board, budget)
    return all(menus) and _combine(menus, max(choice.initiation_interval for menu in menus for choice in menu), budget) is not None


def _menus(program: Program, board: Board, budget: Cost) -> list[list[Choice]]:
    """For each physical step the choices worth having on ``board``."""
    menus = []
    for choices in _choices(program, FAMILIES[board.family], budget):
        in_blocks = [c for c in choices if not (isinstance(c, WeightedStep) and c.multiplier == "generic")]
        menus.append(_menu(in_blocks if board.blocks_only and in_blocks else choices))
    return menus


def _room(board: Board) -> Cost:
    """What the link leaves of a board, as full as it may be."""
    whole, link = board.budget, LINK_COST[board.family]
    return Cost(int(board.fill * whole.luts) - link.luts, whole.dsps, whole.brams - link.brams, whole.sprams)


def _choices(program: Program, family: Family, budget: Cost) -> Iterator[list[Choice]]:
    """For each physical step, in order, every way to build it."""
    for index, (step, grid) in enumerate(zip(program.steps, program.grids(), strict=False)):
        match step:
            case Pool():
                yield [_pooled(index, step, grid, lanes, family) for lanes in _divisors(grid.channels)]
            case Dense():
                yield list(_weighted(index, 0, step.as_stencil(), Dense.flatten(grid), family, budget))
            case Stencil():
                for copy in range(step.repeat):
                    yield list(_weighted(index, copy, step, grid, family, budget))
            case Recurrent():
                yield list(_fed_back(index, step, grid, family, budget))
            case Evolve():
                yield list(evolved(index, step, grid, family, budget, len(program.steps) == 1))


def _weighted(
    index: int, copy: int, stencil: Stencil, grid: Grid, family: Family, budget: Cost
) -> Iterator[WeightedStep]:
    for pe in _divisors(stencil.out_channels):
        for simd in _divisors(grid.channels):
            if pe * simd > MOST_LANES * 4 or (stencil.skip and not _skippable(pe, simd)):
                continue
            packing = Packing(stencil, grid, Fold(pe, simd))
            if packing.depth > 65536 or packing.width > 512:
                continue
            cells = Reach(grid, packing.beat_taps, stencil.boundary, stencil.stride).smooth_cells
            words = words_for(packing, cells)
            rows = family.brams(words, simd * grid.q.width)
            table = 1 if hasattr(stencil.phi, "entries") else 0
            a, b = grid.q.width, stencil.weight.width
            for multiplier in _multipliers(family, budget, pe, a, b):
                blocks = pe * simd // (2 if multiplier in PAIRED else 1)
                dsps = family.dsps(blocks, a, b) if multiplier != "generic" else 0
                luts = step_luts(packing, multiplier, words, family)
                for memory in ("block", "spram") if budget.sprams else ("block",):
                    brams = rows + table + (family.brams(packing.depth, packing.width) if memory == "block" else 0)
                    sprams = family.sprams(packing.depth, packing.width) if memory == "spram" else 0
                    yield WeightedStep(
                        index, copy, packing, cells, multiplier, memory, Cost(luts, dsps, brams, sprams)
                    )


def _multipliers(family: Family, budget: Cost, pe: int, a_width: int, b_width: int) -> Iterator[str]:
    """The kinds that form the products of ``pe`` output lanes."""
    yield "generic"
    if budget.dsps and max(a_width, b_width) <= KINDS[family.dsp_kind]:
        yield family.dsp_kind
        if family.pair_kind and pe % 2 == 0 and pairable(a_width, b_width):
            yield family.pair_kind


def _fed_back(index: int, step: Recurrent, grid: Grid, family: Family, budget: Cost) -> Iterator[FedBackStep]:
    """Of the choices on the step's cell those whose input lanes hold either source or state."""
    for choice in _weighted(index, 0, step.as_stencil(), step.cell(grid), family, budget):
        if step.out_channels % choice.packing.fold.simd == 0:
            cost = choice.cost + fed_back_cost(choice.packing, family)
            yield FedBackStep(**vars(replace(choice, cells=CELLS, cost=cost)), rows=grid.height)


def _pooled(index: int, step: Pool, grid: Grid, lanes: int, family: Family) -> PooledStep:
    after = step.grid_after(grid, "pool")
    brams = family.brams(after.width * grid.channels // lanes, lanes * step.accumulator_width(grid))
    return PooledStep(index, step, grid, lanes, Cost(pool_luts(step, grid, lanes, family), 0, brams, 0))


def _skippable(pe: int, simd: int) -> bool:
    ratio, rest = divmod(max(pe, simd), min(pe, simd))
    return rest == 0 and ratio & (ratio - 1) == 0


def _divisors(number: int) -> list[int]:
    return [d for d in range(1, min(number, MOST_LANES) + 1) if number % d == 0]


def _measures(choice: Choice) -> tuple[int, ...]:
    cost = choice.cost
    return cost.dsps, cost.brams, cost.sprams, cost.luts, choice.multipliers


def _menu(choices: Sequence[Choice]) -> list[Choice]:
    """The choices no other beats or equals in interval and in every resource."""
    kept: list[Choice] = []
    for choice in sorted(choices, key=lambda c: (c.initiation_interval, _measures(c))):
        mine = _measures(choice)
        if not any(all(a <= b for a, b in zip(_measures(other), mine, strict=True)) for other in kept):
            kept.append(choice)
    return kept


def _combine(menus: Sequence[Sequence[Choice]], interval: int, budget: Cost) -> list[Choice] | None:
    """The combination within ``interval`` and ``budget`` with the fewest multipliers, then the least logic."""
    room = (budget.dsps, budget.brams, budget.sprams, budget.luts)
    front: list[tuple[tuple[int, ...], list[Choice]]] = [((0, 0, 0, 0, 0), [])]
    for menu in menus:
        fitting = _front([c for c in menu if c.initiation_interval <= interval])
        grown = [
            (tuple(a + b for a, b in zip(total, _measures(choice), strict=True)), [*chosen, choice])
            for total, chosen in front
            for choice in fitting
        ]
        front = _undominated([entry for entry in grown if all(a <= b for a, b in zip(entry[0], room, strict=False))])
        if not front:
            return None
    return min(front, key=lambda entry: (entry[0][4], entry[0][3]))[1]


def _front(choices: Sequence[Choice]) -> list[Choice]:
    return [choice for _, choice in _undominated([(_measures(c), c) for c in choices])]


def _undominated(entries):
    kept = []
    for measures, what in sorted(entries, key=lambda entry: entry[0]):
        if not any(all(a <= b for a, b in zip(other, measures, strict=True)) for other, _ in kept):
            kept.append((measures, what))
    return kept
