"""A board that is wrong on purpose computes exactly what a model with those weights spoilt would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from npde.errors import ProgramError
from npde.link.packing import Fold, Packing
from npde.program import CROSS, MOORE, Clip, Grid, Program, Q, Stencil
from npde_hdl.board.family import Cost
from npde_hdl.plan import Plan
from npde_hdl.plan.plan import WeightedStep
from npde_hdl.stencil.defect import DeadLane, StuckBit
from npde_sim.bench import Case, Expectation, draw, simulate
from npde_sim.bench.lanes import BYTES
from npde_sim.bench.pipeline import Held, configure, to_bytes, wire_answers

F, FOLD = Q(8, 6), Fold(2, 2)
STEPS = tuple(
    Stencil(out_channels=4, taps=taps, weight=Q(8, 6), bias=Q(16, 12), out=F, phi=Clip(-127, 127)) for taps in (MOORE, CROSS)
)
PROGRAM = Program(name="two", input=Grid(4, 4, 4, F), steps=STEPS)


def plan():
    steps = tuple(
        WeightedStep(index, 0, Packing(step, PROGRAM.input, FOLD), 64, "generic", "generic", Cost()) for index, step in enumerate(STEPS)
    )
    return Plan(PROGRAM, "icebreaker", 24_000_000, 3_000_000, steps, Cost())


async def answers(bench, model, spoilt, frames):
    """The board holds ``model`` and reads it back as it was written; its answers are golden's of ``spoilt``."""
    await configure(bench, plan(), model)
    bench.feed("samples", to_bytes(frames, F.width))
    bench.sink("answers", BYTES, Expectation("answer", list(wire_answers(spoilt, frames)), ["byte"]))
    await bench.settle(patience=20000)


def with_bit(values, width, bit, value):
    """Integers of ``width`` bits with one bit of their two's complement set or cleared."""
    raw = values & (1 << width) - 1
    raw = raw | 1 << bit if value else raw & ~(1 << bit)
    return np.where(raw >> width - 1, raw - (1 << width), raw)


def dead(weights, lane):
    kernel = weights.kernel.copy()
    kernel[lane // 2 :: 2, lane % 2 :: 2] = 0
    return replace(weights, kernel=kernel)


def stuck(weights, bit, value):
    """Word bit ``16·p + 8·s + b``: bit b of the weights of lane (p, s), and bit ``8·s + b`` of the biases of output lane p."""
    out, inside = divmod(bit, 16)
    kernel, bias = weights.kernel.copy(), weights.bias.copy()
    kernel[out::2, inside // 8 :: 2] = with_bit(kernel[out::2, inside // 8 :: 2], 8, inside % 8, value)
    bias[out::2] = with_bit(bias[out::2], 16, inside, value)
    return replace(weights, kernel=kernel, bias=bias)


@pytest.mark.parametrize("defect", [DeadLane(0, 3), DeadLane(1, 1), StuckBit(0, 6, True), StuckBit(1, 31, False), StuckBit(1, 20, True)])
def test_the_answers_are_those_of_the_spoilt_weights(defect):
    rng = np.random.default_rng(9)
    model, frames = draw.model(PROGRAM, rng), draw.fields(PROGRAM, rng, 3)
    mine = model.weights[defect.region]
    wrong = dead(mine, defect.lane) if isinstance(defect, DeadLane) else stuck(mine, defect.bit, defect.value)
    spoilt = replace(model, weights={**model.weights, defect.region: wrong})
    assert wire_answers(spoilt, frames) != wire_answers(model, frames)
    simulate(
        Held(plan(), defects=[defect]), answers, cases=[Case(1, "all-out"), Case(2)], model=model, spoilt=spoilt, frames=frames
    )


@pytest.mark.parametrize(("defect", "says"), [(DeadLane(0, 4), "has lanes 0 to 3, not 4"), (StuckBit(0, 32, True), "bits 0 to 31, not 32")])
def test_what_is_not_there_cannot_break(defect, says):
    from amaranth.back import rtlil

    with pytest.raises(ProgramError, match=says):
        rtlil.convert(Held(plan(), defects=[defect]))
