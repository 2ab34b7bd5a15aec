"""The virtual board: a plan's Verilog, simulated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from npde.program import Program
from npde_hdl import board as boards
from npde_hdl.plan import Plan, plan_for
from npde_hdl.soc import verilog_of
from npde_hdl.stencil.defect import Defect
from npde_sim.virtual.simulated import SimulatedBoard, simulator


class VirtualBoard(SimulatedBoard):
    """A running board; ``port`` is its device path. Use it in a ``with`` statement, or call :meth:`stop`.

    With a ``waveform`` it can :meth:`trace` into that file, and is slower. Raises :class:`BuildError`
    when the simulator cannot be built or does not start.

    ``baud`` is its UART's bit rate, the board's own by default. Every byte is ``delay`` seconds of simulated time on its
    way between host and pins, in either direction, as in a USB bridge. ``defects`` are what is wrong with it on purpose;
    it knows nothing of them.
    """

    def __init__(
        self,
        program: Program,
        board: str = "icebreaker",
        *,
        baud: int | None = None,
        delay: float = 0.0,
        waveform: Path | None = None,
        defects: Sequence[Defect] = (),
    ):
        self.plan: Plan = plan_for(program, boards.get(board), baud=baud)
        super().__init__(
            build(self.plan, waves=waveform is not None, defects=defects), self.plan.clock, delay=delay, waveform=waveform
        )


def build(plan: Plan, *, waves: bool = False, defects: Sequence[Defect] = ()) -> Path:
    """The simulator's executable for ``plan``, from the cache if it was built before."""
    return simulator({"top.v": verilog_of(plan, defects)}, waves=waves)
