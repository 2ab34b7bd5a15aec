"""The planner: as good as trying every combination, within every budget, and plain about what does not fit."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from npde.errors import FitError
from npde.models import load_model
from npde.program import CROSS, MOORE, Dense, Grid, Pool, Program, Q, Stencil
from npde_hdl import board as boards
from npde_hdl.board.family import FAMILIES, Cost
from npde_hdl.plan import fold, plan_for
from npde_hdl.plan.logic import LINK_COST

F = Q(8, 7)


def small(channels: int = 4) -> Program:
    step = Stencil(out_channels=channels, taps=MOORE, weight=Q(8, 6), bias=Q(16, 12), out=F)
    return Program(name="small", input=Grid(8, 8, 2, F), argmax=True, steps=(
        step, Stencil(out_channels=channels, taps=CROSS, weight=Q(8, 6), bias=Q(16, 12), out=F, skip=True),
        Pool(kind="sum", size=8, out=Q(8, 2)), Dense(out_channels=4, weight=Q(8, 6), bias=Q(16, 8), out=Q(16, 8)),
    ))  # fmt: skip


@pytest.mark.parametrize("budget", [Cost(4000, 8, 30, 4), Cost(3600, 4, 20, 0), Cost(5200, 0, 30, 0), Cost(4600, 2, 12, 1)])
def test_no_combination_at_all_has_a_shorter_interval(budget):
    program = small()
    board = replace(boards.get("icebreaker"), budget=budget)
    family, link = FAMILIES["ice40"], LINK_COST["ice40"]
    menus = list(fold._choices(program, family, Cost(budget.luts - link.luts, budget.dsps, budget.brams - link.brams, budget.sprams)))
    # One choice of each kind of lanes, multiplier and memory is left per step: few enough to try them all.
    menus = [[c for c in menu if c.multipliers <= 4] for menu in menus]
    best = min(
        (max(choice.initiation_interval for choice in steps) for steps in itertools.product(*menus)
         if sum((choice.cost for choice in steps), link).fits(budget)),
        default=None,
    )  # fmt: skip
    try:
        plan = plan_for(program, board)
    except FitError:
        assert best is None
        return
    assert plan.cost.fits(budget)
    assert best is None or plan.initiation_interval <= best * fold.PATIENCE


@pytest.mark.parametrize(
    ("model", "name"), [(model, name) for model in ("digits", "fashion") for name in boards.BOARDS if model == "digits" or boards.get(name).budget.brams != 32]
)
def test_a_shipped_model_is_planned_within_every_budget(model, name):
    program, board = load_model(model).program, boards.get(name)
    plan = plan_for(program, board)
    assert plan.cost.fits(board.budget)
    assert plan.initiation_interval == max(step.initiation_interval for step in plan.steps) > plan.sample_bytes
    assert plan.utilisation == program.macs / (plan.initiation_interval * plan.multipliers)


def test_what_does_not_fit_is_refused_with_the_resource_the_amount_and_the_boards_with_room():
    told = r"'fashion' does not fit hx8k: .* 56 block RAMs where 32 are free, 24 too many; it fits icebreaker, upduino, .* and ecpix5-85f"
    with pytest.raises(FitError, match=told):
        plan_for(load_model("fashion").program, boards.get("hx8k"))


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-25f"])
def test_the_fashion_model_keeps_four_fifths_of_the_multipliers_busy(name):
    plan = plan_for(load_model("fashion").program, boards.get(name))
    assert plan.utilisation >= 0.80


def test_narrow_weights_share_multipliers_two_and_two_where_the_board_has_wide_ones():
    wide = Program(name="wide", input=Grid(16, 16, 8, F), steps=(
        Stencil(out_channels=64, taps=MOORE, weight=Q(4, 3), bias=Q(16, 10), out=F),
    ))  # fmt: skip
    half = replace(boards.get("ulx3s-85f"), budget=Cost(80000, 64, 200))
    (step,) = plan_for(wide, half).weighted
    assert (step.multiplier, step.multipliers, step.cost.dsps) == ("ecp5_mult18_pairs", 128, 64)
    assert step.multipliers == plan_for(wide, boards.get("ulx3s-85f")).cost.dsps
    assert plan_for(wide, boards.get("icebreaker")).weighted[0].multiplier == "ice40_mac16"


def test_a_baud_the_clock_cannot_make_is_refused_with_the_nearest():
    with pytest.raises(FitError, match=r"a clock of 24 MHz makes no 5,000,000 baud: whole cycles a bit give 4,800,000"):
        plan_for(small(), boards.get("icebreaker"), baud=5_000_000)


def test_a_build_is_known_by_everything_in_its_plan():
    plan = plan_for(small(), boards.get("icebreaker"))
    others = [
        plan_for(small(8), boards.get("icebreaker")),
        plan_for(small(), boards.get("hx8k")),
        plan_for(small(), boards.get("icebreaker"), clock=12_000_000),
        plan_for(small(), boards.get("icebreaker"), baud=1_000_000),
    ]
    assert plan.build_id == plan_for(small(), boards.get("icebreaker")).build_id
    assert len({plan.build_id, *(other.build_id for other in others)}) == 5
