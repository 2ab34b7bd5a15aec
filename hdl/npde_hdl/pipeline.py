"""A whole program in gateware: sample bytes in, answer bytes out, one component a step between them."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from npde.link.protocol import value_bytes
from npde_hdl.config import ConfigBus
from npde_hdl.evolve.cascade import Regions
from npde_hdl.evolve.port import FieldPort
from npde_hdl.evolve.step import EvolveStep
from npde_hdl.plan.plan import EvolvedStep, FedBackStep, Plan, PooledStep
from npde_hdl.primitive.product import STEADY
from npde_hdl.readout.answer import Answer
from npde_hdl.readout.pool import PoolStep
from npde_hdl.readout.queue import Queue
from npde_hdl.readout.refold import Refold
from npde_hdl.stencil.defect import Defect
from npde_hdl.stencil.recurrent import RecurrentStep
from npde_hdl.stencil.step import StencilStep


class Pipeline(wiring.Component):
    """The steps of a plan in a row. Every connection is a stream, so any of them may hold the others up.

    Parameters
    ----------
    plan : Plan
        What to build.
    simulation : bool
        Use plain multipliers and memories instead of the device's cells.
    defects : Sequence[Defect]
        What is wrong with its weighted steps on purpose.

    Members
    -------
    samples : In(stream.Signature(8))
        Frames, value by value in (y, x, channel) order, little-endian; behind headers where the field is resident.
    answers : Out(stream.Signature(8))
        Answers; see :class:`~npde_hdl.readout.answer.Answer`.
    config : In(ConfigBus(plan.bus_width))
        The weights; whoever selects it must hold the pipeline in reset.
    """

    def __init__(self, plan: Plan, *, simulation: bool = False, defects: Sequence[Defect] = ()):
        self.plan, self.simulation, self.defects = plan, simulation, tuple(defects)
        super().__init__(
            {
                "samples": In(stream.Signature(8)),
                "answers": Out(stream.Signature(8)),
                "config": In(ConfigBus(plan.bus_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        m.submodules.values = values = ByteValues(plan.program.input.q.width)
        samples, answers, commands = flipped(self.samples), flipped(self.answers), None
        if plan.resident:
            m.submodules.port = port = FieldPort(plan.program.input, plan.program.output, plan.program.argmax)
            connect(m, samples, port.samples)
            connect(m, port.answers, answers)
            samples, answers, commands = port.values, port.emitted, port.command
        connect(m, samples, values.bytes)
        source, read_data = values.values, 0

        for place, step in enumerate(plan.steps):
            name = f"step{place}"
            if isinstance(step, PooledStep):
                component = PoolStep(step.step, step.grid, step.lanes_in)
            elif isinstance(step, EvolvedStep):
                component = self._evolve(step)
                if commands is not None:
                    connect(m, commands, component.command)
            else:
                component = self._weighted(step)
            if not isinstance(step, PooledStep):
                for member in ("select", "region", "address", "write", "write_data"):
                    m.d.comb += getattr(component.config, member).eq(getattr(self.config, member))
                read_data |= component.config.read_data
            source = self._refolded(m, source, component.cells_in, f"{name}_refold")
            # An evolution takes and gives a frame in one go: its neighbours work on while it runs, if a frame can wait.
            waits = isinstance(step, EvolvedStep) and not step.streams and not step.commanded
            if waits:
                source = self._frame(m, source, step.grid, f"{name}_before")
            m.submodules[name] = component
            connect(m, source, component.cells_in)
            source = self._frame(m, component.values, step.grid, f"{name}_behind") if waits else component.values

        m.submodules.answer = answer = Answer(plan.program.output, plan.program.argmax)
        connect(m, self._refolded(m, source, answer.values, "answer_refold"), answer.values)
        # The link's readiness ends here, in a register.
        m.submodules.answered = answered = Queue(data.ArrayLayout(8, 1), 2)
        m.d.comb += [
            answered.i.payload[0].eq(answer.bytes.payload),
            answered.i.valid.eq(answer.bytes.valid),
            answer.bytes.ready.eq(answered.i.ready),
            answers.payload.eq(answered.o.payload[0]),
            answers.valid.eq(answered.o.valid),
            answered.o.ready.eq(answers.ready),
        ]
        # Every region's word meets here, from all over the device; the bus has a cycle to spare for a register,
        # which must run while the pipeline is held in reset.
        gathered = Signal(plan.bus_width, reset_less=True)
        m.d.sync += gathered.eq(read_data)
        m.d.comb += self.config.read_data.eq(gathered)
        return m

    def _weighted(self, step):
        """The component of a stencil, dense or recurrent step."""
        region = self.plan.weighted.index(step)
        settings = {
            "region": region,
            "multiplier": "generic" if self.simulation else step.multiplier,
            "memory": "generic" if self.simulation else step.memory,
            "multiply": STEADY[step.multiplier],
            "defects": [defect for defect in self.defects if defect.region == region],
            "bus_width": self.plan.bus_width,
        }
        if isinstance(step, FedBackStep):
            return RecurrentStep(step.packing, step.rows, **settings)
        return StencilStep(step.packing, cells=step.cells, **settings)

    def _evolve(self, step):
        """The component of an evolution; its regions follow those of all weighted steps and earlier evolutions."""
        plan = self.plan
        before = plan.evolved[: plan.evolved.index(step)]
        first = len(plan.weighted) + sum(len(other.regions) for other in before)
        return EvolveStep(
            step.step, step.grid, ("generic",) * step.copies if self.simulation else step.kinds,
            streams=step.streams, commanded=step.commanded,
            regions=Regions(first, tuple(range(first + 1, first + len(step.regions)))), bus_width=plan.bus_width,
        )  # fmt: skip

    @staticmethod
    def _frame(m, source, grid, name):
        """``source`` behind a queue that holds a whole frame."""
        m.submodules[name] = queue = Queue(source.payload.shape(), grid.height * grid.width)
        connect(m, source, queue.i)
        return queue.o

    @staticmethod
    def _refolded(m, source, sink, name):
        """``source`` with as many lanes as ``sink`` takes."""
        have, want = source.payload.shape(), sink.payload.shape()
        if have.length == want.length:
            return source
        m.submodules[name] = refold = Refold(want.elem_shape.width, have.length, want.length)
        connect(m, source, refold.i)
        return refold.o


class ByteValues(wiring.Component):
    """Bytes to values of ``bits`` bits, little-endian.

    Members
    -------
    bytes : In(stream.Signature(8))
        ``ceil(bits / 8)`` bytes a value.
    values : Out(stream.Signature(ArrayLayout(signed(bits), 1)))
        The values; bits of the bytes beyond ``bits`` are dropped.
    """

    def __init__(self, bits: int):
        self.bits = bits
        super().__init__(
            {
                "bytes": In(stream.Signature(8)),
                "values": Out(stream.Signature(data.ArrayLayout(signed(bits), 1))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.gather = gather = Refold(8, 1, value_bytes(self.bits))
        whole = Signal(8 * value_bytes(self.bits))
        m.d.comb += [
            gather.i.valid.eq(self.bytes.valid),
            gather.i.payload.as_value().eq(self.bytes.payload),
            self.bytes.ready.eq(gather.i.ready),
            whole.eq(gather.o.payload.as_value()),
            self.values.payload[0].eq(whole[: self.bits]),
            self.values.valid.eq(gather.o.valid),
            gather.o.ready.eq(self.values.ready),
        ]
        return m
