"""Whole pipelines: weights over the configuration bus, frames in, every step's field and every answer byte compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from numpy.typing import NDArray

from npde import golden
from npde.link.evolve_packing import packings
from npde.model import Model
from npde_hdl.config import READ_LATENCY
from npde_hdl.pipeline import Pipeline
from npde_hdl.plan import Plan
from npde_hdl.plan.plan import EvolvedStep, FedBackStep, WeightedStep
from npde_hdl.stencil.defect import Defect
from npde_hdl.stencil.step import reaction_lanes
from npde_sim.bench.bench import Bench
from npde_sim.bench.lanes import BYTES, Lanes
from npde_sim.bench.scoreboard import Expectation, Mismatch


class Held(wiring.Component):
    """A pipeline that is in reset while its weights are written, as the link keeps it."""

    def __init__(self, plan: Plan, *, simulation: bool = True, defects: Sequence[Defect] = ()):
        self.pipeline = Pipeline(plan, simulation=simulation, defects=defects)
        super().__init__(dict(self.pipeline.signature.members.items()))

    def elaborate(self, platform):
        m = Module()
        flush = Signal()
        m.d.comb += flush.eq(self.config.select)
        m.submodules.pipeline = ResetInserter(flush)(self.pipeline)
        for name in ("samples", "answers", "config"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(self.pipeline, name))
        return m


@dataclass(frozen=True)
class Timing:
    """Cycles: of every input byte taken, of the first step's output words offered, of every answer byte taken."""

    sent: list[int]
    first_step: list[int]
    answered: list[int]


async def pipeline(bench: Bench, plan: Plan, model: Model, frames: NDArray[np.int64]) -> Timing:
    """Scenario: frames through :class:`Held`, compared with golden step by step; the first step that differs is named."""
    await configure(bench, plan, model)
    first_step: list[int] = []
    fields = iter(golden.trace(model, frames)[1:])
    for place, step in enumerate(plan.steps):
        *_, field = (next(fields) for _ in range(_time_steps(step)))
        expectation = Expectation(f"output of step {step.index}{_copy(step)}", field)
        monitor = bench.watch(getattr(bench.dut.pipeline, f"step{place}"), "values", _lanes_out(step), expectation)
        first_step = first_step if place else monitor.seen_at
    answers = Expectation("answer", list(wire_answers(model, frames)), ["byte"])
    sink = bench.sink("answers", BYTES, answers)
    source = bench.feed("samples", to_bytes(frames, plan.program.input.q.width))
    await bench.settle(patience=4 * plan.initiation_interval + 4000)
    return Timing(source.sent_at, first_step, sink.came_at)


async def configure(bench: Bench, plan: Plan, model: Model) -> None:
    """Write every weight memory, and read every word back."""
    dut = bench.dut
    dut.config__select.value = 1
    layouts = [(step.index, step.packing) for step in plan.weighted]
    for step in plan.evolved:
        layouts += [(step.index, packing) for _, packing in packings(step.step, step.grid, step.copies)]
    for region, (index, packing) in enumerate(layouts):
        size = -(-packing.width // 8)
        packed = packing.pack(model.weights[index])
        words = [int.from_bytes(packed[at : at + size], "little") for at in range(0, len(packed), size)]
        dut.config__region.value = region
        dut.config__write.value = 1
        for address, word in enumerate(words):
            dut.config__address.value = address
            dut.config__write_data.value = word
            await bench.cycle()
        dut.config__write.value = 0
        for address, word in enumerate(words):
            dut.config__address.value = address
            await bench.cycle(READ_LATENCY + 1)
            back = int(dut.config__read_data.value)
            if back != word:
                raise Mismatch(f"weights of step {index}: word {address}: {word:#x} expected, {back:#x} came")
    dut.config__select.value = 0


def to_bytes(values: NDArray[np.int64], width: int) -> bytes:
    """Values as they travel: little-endian, sign-extended to whole bytes."""
    size = (width + 7) // 8
    return b"".join(int(value).to_bytes(size, "little", signed=True) for value in values.ravel())


def wire_answers(model: Model, frames: NDArray[np.int64]) -> bytes:
    """What golden would send."""
    answer = golden.run(model, frames)
    output = model.program.output
    wire = b""
    for number, field in enumerate(answer.output):
        wire += to_bytes(field, output.q.width)
        if answer.label is not None:
            wire += int(answer.label[number]).to_bytes(1 if output.size <= 256 else 2, "little")
    return wire


def _time_steps(step) -> int:
    """Time steps golden counts of which only the last one's field leaves."""
    match step:
        case EvolvedStep():
            return step.step.times
        case FedBackStep():
            return step.rows
        case _:
            return 1


def _copy(step) -> str:
    return f", copy {step.copy}" if isinstance(step, WeightedStep) and step.copy else ""


def _lanes_out(step) -> Lanes:
    if isinstance(step, WeightedStep):
        return Lanes(step.packing.stencil.out.width, reaction_lanes(step.packing))
    if isinstance(step, EvolvedStep):
        return Lanes(step.grid.q.width, step.lanes_in)
    return Lanes(step.step.out.width, step.lanes_in)
