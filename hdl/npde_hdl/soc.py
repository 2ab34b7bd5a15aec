"""The whole board: link, pipeline and weights, between two serial pins."""

from collections.abc import Sequence

from amaranth.back import verilog
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from npde.link.protocol import FRAME_BYTES, Info, answer_bytes
from npde_hdl import board as boards
from npde_hdl.link.endpoint import Link
from npde_hdl.pipeline import Pipeline
from npde_hdl.plan import Plan
from npde_hdl.stencil.defect import Defect

RING_BYTES = {"ice40": (1024, 512), "ecp5": (2048, 2048)}
"""Bytes of requests and of answers held, by family: whole block RAMs."""


class SoC(wiring.Component):
    """Answers the board protocol on a UART with the plan's pipeline behind it.

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
    rx, tx : In(1), Out(1)
        The UART, idle high.
    """

    rx: In(1, init=1)
    tx: Out(1, init=1)

    def __init__(self, plan: Plan, *, simulation: bool = False, defects: Sequence[Defect] = ()):
        super().__init__()
        self.plan, self.simulation, self.defects = plan, simulation, tuple(defects)

    @property
    def info(self) -> Info:
        """What the board says of itself."""
        plan = self.plan
        ring, answers = RING_BYTES[boards.get(plan.board).family]
        return Info(
            board=plan.board,
            build=plan.build_id,
            shape=plan.program.shape_hash,
            clock=plan.clock,
            baud=plan.baud,
            frame=FRAME_BYTES,
            ring=ring,
            answers=answers,
            sample=plan.sample_bytes,
            answer=answer_bytes(plan.program.output, plan.program.argmax),
            regions=plan.regions,
        )

    def elaborate(self, platform):
        m = Module()
        info = self.info
        m.submodules.link = link = Link(
            info,
            divisor=self.plan.divisor,
            config_width=self.plan.bus_width,
        )
        flush = Signal()
        pipeline = Pipeline(self.plan, simulation=self.simulation, defects=self.defects)
        m.submodules.pipeline = ResetInserter(flush)(pipeline)
        connect(m, link.samples, pipeline.samples)
        connect(m, pipeline.answers, link.answers)
        connect(m, link.config, pipeline.config)
        m.d.comb += [flush.eq(link.flush), link.rx.eq(self.rx), self.tx.eq(link.tx)]
        return m


def verilog_of(plan: Plan, defects: Sequence[Defect] = ()) -> str:
    """The SoC of a plan as simulation Verilog, with the flat ports ``clk``, ``rst``, ``rx`` and ``tx``."""
    soc = SoC(plan, simulation=True, defects=defects)
    return verilog.convert(soc, name="top", ports=[soc.rx, soc.tx], emit_src=False, strip_internal_attrs=True)
