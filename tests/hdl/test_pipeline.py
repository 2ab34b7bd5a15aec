"""Whole pipelines against the golden model, every stream held up at random."""

from __future__ import annotations

import random

import numpy as np
import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.sim import Simulator

from npde import golden
from npde.link.protocol import value_bytes
from npde.model import Model, Weights
from npde.program import CENTRE, CROSS, MOORE, Clip, Dense, Grid, Identity, Pool, Program, Q, Relu, Stencil, Table
from npde_hdl import board
from npde_hdl.pipeline import Pipeline
from npde_hdl.plan import plan_for
from npde_hdl.plan.plan import Plan

F = Q(8, 7)


def stencil(channels=4, taps=MOORE, **more):
    settings = {"weight": Q(8, 6), "bias": Q(16, 12), "out": F, "phi": Clip(-127, 127), **more}
    return Stencil(out_channels=channels, taps=taps, **settings)


def table(index: Q) -> Table:
    entries = Q(8, 7).quantise(np.tanh(index.real(np.arange(index.low, index.high + 1))))
    return Table(index, tuple(int(entry) for entry in entries))


PROGRAMS = {
    "residual net": Program(
        name="residual net", input=Grid(6, 6, 1, F), argmax=True,
        steps=(stencil(), stencil(skip=True), stencil(8, stride=2), Pool(kind="sum", size=3, out=Q(8, 4)),
               Dense(out_channels=3, weight=Q(8, 6), bias=Q(16, 8), out=Q(16, 8))),
    ),
    "periodic, cross, relu": Program(
        name="cross", input=Grid(5, 4, 2, F), steps=(stencil(2, CROSS, boundary="periodic", phi=Relu(), repeat=2, skip=True),),
    ),
    "dirichlet, table": Program(
        name="table", input=Grid(4, 5, 1, F), steps=(stencil(2, boundary="dirichlet", phi=table(Q(6, 3))),),
    ),
    "one-dimensional, 4-bit weights": Program(
        name="line", input=Grid(1, 9, 1, F),
        steps=(stencil(2, ((0, -1), (0, 0), (0, 2)), weight=Q(4, 3), bias=Q(12, 8)), Pool(kind="max", size=2, out=F)),
    ),
    "wide fields": Program(
        name="wide", input=Grid(1, 1, 4, Q(12, 8)),
        steps=(stencil(6, (CENTRE,), out=Q(12, 8), phi=Identity(), bias=Q(16, 10)), Dense(out_channels=2, weight=Q(6, 4), bias=Q(12, 6), out=Q(16, 8))),
    ),
}  # fmt: skip


def random_model(program: Program, rng: np.random.Generator) -> Model:
    weights = {}
    for index, step, _grid in program.weighted():
        shape = program.kernel_shapes()[index]
        draw = lambda q, size: rng.integers(q.low, q.high + 1, size=size)  # noqa: E731
        weights[index] = Weights(draw(step.weight, shape), draw(step.bias, shape[:1]))
    return Model(program, weights)


def to_bytes(values: np.ndarray, width: int) -> bytes:
    return b"".join(int(v).to_bytes(value_bytes(width), "little", signed=True) for v in values.ravel())


def expected_bytes(model: Model, fields: np.ndarray) -> bytes:
    answer = golden.run(model, fields)
    wire = b""
    for n, output in enumerate(answer.output):
        wire += to_bytes(output, model.program.output.q.width)
        if answer.label is not None:
            wire += bytes([int(answer.label[n])])
    return wire


class Held(wiring.Component):
    """A pipeline that is in reset while its weights are written, as the link keeps it."""

    def __init__(self, plan: Plan):
        self.pipeline = Pipeline(plan, simulation=True)
        super().__init__({name: member for name, member in self.pipeline.signature.members.items()})

    def elaborate(self, platform):
        m = Module()
        flush = Signal()
        m.d.comb += flush.eq(self.config.select)
        m.submodules.pipeline = ResetInserter(flush)(self.pipeline)
        for name in ("samples", "answers", "config"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(self.pipeline, name))
        return m


def through_gateware(plan: Plan, model: Model, sent: bytes, wanted: int, stall: float, seed: int) -> bytes:
    dut = Held(plan)
    got, finished = bytearray(), []

    async def configure(ctx):
        ctx.set(dut.config.select, 1)
        for region, step in enumerate(plan.weighted):
            size = -(-step.packing.width // 8)
            packed = step.packing.pack(model.weights[step.index])
            ctx.set(dut.config.region, region)
            ctx.set(dut.config.write, 1)
            for word in range(step.packing.depth):
                ctx.set(dut.config.address, word)
                ctx.set(dut.config.write_data, int.from_bytes(packed[word * size : (word + 1) * size], "little"))
                await ctx.tick()
        ctx.set(dut.config.write, 0)
        ctx.set(dut.config.select, 0)

    async def feed(ctx):
        await configure(ctx)
        dice = random.Random(seed)
        for byte in sent:
            while dice.random() < stall:
                await ctx.tick()
            ctx.set(dut.samples.payload, byte)
            ctx.set(dut.samples.valid, 1)
            await ctx.tick().until(dut.samples.ready)
            ctx.set(dut.samples.valid, 0)

    async def collect(ctx):
        dice = random.Random(seed + 1)
        for _ in range(wanted):
            while dice.random() < stall:
                await ctx.tick()
            ctx.set(dut.answers.ready, 1)
            (byte,) = await ctx.tick().sample(dut.answers.payload).until(dut.answers.valid)
            ctx.set(dut.answers.ready, 0)
            got.append(byte)
        finished.append(True)

    async def watchdog(ctx):
        for _ in range(400):
            await ctx.tick().repeat(1000)
            if finished:
                return
        raise AssertionError(f"the pipeline hangs after {len(got)} of {wanted} answer bytes")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed, background=True)
    simulator.add_testbench(collect, background=True)
    simulator.add_testbench(watchdog)
    simulator.run()
    return bytes(got)


@pytest.mark.parametrize("stall", [0.0, 0.6])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_pipeline_gives_the_golden_answer_bit_for_bit(name, stall):
    program = PROGRAMS[name]
    rng = np.random.default_rng(len(name))
    try:
        model = random_model(program, rng)
    except ValueError:
        pytest.fail("the random weights make no model")
    fields = rng.integers(program.input.q.low, program.input.q.high + 1, size=(3, *program.input.shape))
    wanted = expected_bytes(model, fields)
    plan = plan_for(program, board.get("icebreaker"))
    got = through_gateware(plan, model, to_bytes(fields, program.input.q.width), len(wanted), stall, seed=1)
    differing = [i for i, (a, b) in enumerate(zip(wanted, got, strict=True)) if a != b]
    assert not differing, f"answer byte {differing[0]}: {wanted[differing[0]]} expected, {got[differing[0]]} came"
