"""A learned pair on two virtual boards, over their serial wires: B's answer to images, A's to B's, all golden's integers."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from npde import golden
from npde.data import load_data
from npde.link.board import Board
from npde.training.recipe import Descent
from npde.training.synergetic.configuration import synergy
from npde.training.synergetic.learn import learn
from npde_hdl import board as boards
from npde_hdl.plan import plan_for
from npde_sim.virtual import VirtualBoard

SAMPLES = 20


def answered(model, raw):
    with VirtualBoard(model.program, "icebreaker") as virtual, Board.open(virtual.port, baud=virtual.plan.baud) as link:
        link.load(model)
        return link.infer(raw).output


@pytest.fixture(scope="module")
def shipped():
    """The digits' pair after a few epochs: the programs of the recipe, weights of any."""
    brief = Descent(epochs=3, rate=5e-3, batch=32)
    return learn(msgspec.structs.replace(synergy("digits"), descent=brief, finetune=brief), load_data("digits"))


def test_both_are_planned_for_the_smallest_board_that_holds_them(shipped):
    for model in (shipped.a, shipped.b):
        plan = plan_for(model.program, boards.get("icebreaker"))
        budget = boards.get("icebreaker").budget.as_dict()
        assert all(used <= budget[kind] for kind, used in plan.cost.as_dict().items())


@pytest.mark.slow
def test_two_boards_one_after_the_other_give_goldens_integers(shipped):
    raw = load_data("digits").test_x[:SAMPLES]
    code = answered(shipped.b, raw)
    fields = shipped.b.quantise_input(raw)
    assert np.array_equal(code, golden.run(shipped.b, fields).output)
    assert len(np.unique(code)) > 20, "a code that says something"
    out = answered(shipped.a, code)
    assert np.array_equal(out, golden.run(shipped.a, code).output)
    by_boards, by_golden = shipped.read(fields, code, out), shipped.answer(raw)
    assert np.array_equal(by_boards.generated, by_golden.generated)
    assert np.array_equal(by_boards.logits, by_golden.logits)
