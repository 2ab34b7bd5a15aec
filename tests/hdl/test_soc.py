"""The whole SoC through its two serial pins: the host's framing on one side, golden's answers on the other."""

from __future__ import annotations

import numpy as np

from npde.program import MOORE, Clip, Dense, Grid, Program, Q, Recurrent, Stencil
from npde_hdl import board
from npde_hdl.plan import plan_for
from npde_hdl.soc import SoC
from npde_sim.bench import Case, Expectation, draw, simulate
from npde_sim.bench.evolution import leapfrog
from npde_sim.bench.host import Host
from npde_sim.bench.pipeline import to_bytes, wire_answers
from npde_sim.bench.scoreboard import Mismatch
from npde_sim.bench.uart import Line

PROGRAM = Program(
    name="small", input=Grid(4, 4, 1, Q(8, 7)), argmax=True,
    steps=(
        Stencil(out_channels=2, taps=MOORE, weight=Q(6, 4), bias=Q(12, 8), out=Q(8, 7), phi=Clip(-127, 127)),
        Dense(out_channels=3, weight=Q(8, 6), bias=Q(16, 8), out=Q(12, 6)),
    ),
)  # fmt: skip


async def session(bench, program, divisor, info, drift):
    """Two models one after the other on one board, a host whose clock is off by ``drift``."""
    host = Host(Line(bench, rx=bench.dut.rx, tx=bench.dut.tx, bit=divisor * (1 + drift)))
    await bench.cycle(20)
    await host.synchronise()
    held, said = await host.identify()
    if held is not None or said != info:
        raise Mismatch(f"a fresh board says of itself {said} and holds {held}")
    for frames in (5, 2):
        model = draw.model(program, bench.rng)
        fields = draw.fields(program, bench.rng, frames)
        await host.load(model, said)
        if (await host.identify())[0] != model.content_hash:
            raise Mismatch("the board holds another model than the one committed")
        wanted = wire_answers(model, fields)
        got = await host.infer(to_bytes(fields, program.input.q.width), len(wanted))
        Expectation("answer", list(wanted), ["byte"]).take(list(got))


def test_a_session_over_the_pins_loads_an_evolution_and_a_recurrence_too():
    steps = (
        Recurrent(out_channels=8, weight=Q(8, 6), bias=Q(16, 12), out=Q(12, 9)),
        Dense(out_channels=3, weight=Q(8, 6), bias=Q(16, 8), out=Q(16, 8)),
    )
    program = Program(name="waves", input=Grid(4, 4, 2, Q(12, 9)), steps=(leapfrog(times=3), *steps), argmax=True)
    soc = SoC(plan_for(program, board.get("ulx3s-25f")), simulation=True)
    assert {region.step for region in soc.info.regions} == {0, 1, 2}
    simulate(soc, session, cases=[Case(1)], program=program, divisor=soc.plan.divisor, info=soc.info, drift=0.0)


def test_a_session_over_the_pins_is_golden_even_when_the_clocks_disagree():
    plan = plan_for(PROGRAM, board.get("icebreaker"))
    soc = SoC(plan, simulation=True)
    for drift in (0.0, 0.015, -0.015):
        simulate(SoC(plan, simulation=True), session, cases=[Case(1)], program=PROGRAM, divisor=plan.divisor, info=soc.info, drift=drift)


def test_random_garbage_on_the_line_is_answered_by_nothing_and_forgotten():
    plan = plan_for(PROGRAM, board.get("icebreaker"))
    simulate(SoC(plan, simulation=True), garbage, cases=[Case(seed) for seed in range(3)], divisor=plan.divisor)


async def garbage(bench, divisor):
    """Noise, then a frame: only the frame is answered."""
    line = Line(bench, rx=bench.dut.rx, tx=bench.dut.tx, bit=divisor)
    host = Host(line)
    await line.send(np.asarray(bench.rng.integers(0, 256, size=700)).astype(np.uint8).tobytes())
    if (byte := await line.receive(patience=2000)) is not None:
        raise Mismatch(f"noise was answered, first with {byte:#04x}")
    await host.synchronise(bench.rng.bytes(4))
    if (await host.identify())[0] is not None:
        raise Mismatch("noise committed a model")
