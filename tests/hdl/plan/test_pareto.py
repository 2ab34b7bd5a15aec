"""The foldings worth having: none beaten by another, none missing that the planner would choose."""

from __future__ import annotations

import itertools

import pytest

from npde.errors import FitError
from npde.models import load_model
from npde_hdl import board as boards
from npde_hdl.plan import plan_for
from npde_hdl.plan.pareto import frontier


def measures(plan) -> tuple[int, ...]:
    return (plan.initiation_interval, *plan.cost.as_dict().values())


@pytest.mark.parametrize(("model", "board"), [("digits", "icebreaker"), ("fashion", "ulx3s-25f"), ("rnn", "ulx3s-25f"), ("helmholtz", "ulx3s-85f")])
def test_no_folding_listed_is_beaten_by_another_and_the_planners_is_among_them_or_equalled(model, board):
    program, on = load_model(model).program, boards.get(board)
    plans = frontier(program, on)
    assert [plan.initiation_interval for plan in plans] == sorted(plan.initiation_interval for plan in plans)
    for one, other in itertools.permutations(plans, 2):
        assert any(a < b for a, b in zip(measures(one), measures(other), strict=True))
    chosen = plan_for(program, on)
    assert any(all(a <= b for a, b in zip(measures(plan), measures(chosen), strict=True)) for plan in plans)
    assert all(plan.cost.fits(on.budget) for plan in plans)


def test_clock_and_baud_are_those_asked_for():
    plans = frontier(load_model("digits").program, boards.get("icebreaker"), clock=12_000_000, baud=115_200)
    assert {(plan.clock, plan.baud) for plan in plans} == {(12_000_000, 115_200)}


def test_what_fits_nowhere_is_told_as_the_planner_tells_it():
    with pytest.raises(FitError, match="does not fit hx8k: even folded smallest it needs 56 block RAMs"):
        frontier(load_model("fashion").program, boards.get("hx8k"))
