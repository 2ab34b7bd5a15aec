"""Builds a virtual board once per plan and keeps it in a cache; starts and stops it."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from npde.errors import BuildError
from npde.program import Program
from npde_hdl import board as boards
from npde_hdl.plan import Plan, plan_for
from npde_hdl.soc import verilog_of
from npde_hdl.stencil.defect import Defect
from npde_sim import verilator

FLAGS = (
    "--cc", "--exe", "--build", "-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "--top-module", "top",
    "-CFLAGS", f"{verilator.STANDARD} -O2 -DVL_TIME_CONTEXT", "-MAKEFLAGS", verilator.MAKEFLAGS,
)  # fmt: skip


class VirtualBoard:
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
        binary = build(self.plan, waves=waveform is not None, defects=defects)
        arguments = [str(self.plan.clock), str(round(delay * self.plan.clock)), *([str(waveform)] if waveform else [])]
        self.process = subprocess.Popen(
            [binary, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = self.process.stdout.readline().strip()
        if not self.port:
            raise BuildError(f"the virtual board did not start: {self.stop()}")

    def trace(self) -> None:
        """Write every signal's changes from now on; the file is whole after :meth:`stop`."""
        self.process.send_signal(signal.SIGUSR1)

    def stop(self) -> str:
        """End the simulation; what it said of its speed."""
        self.process.terminate()
        return self.process.communicate()[1].strip()

    def __enter__(self) -> VirtualBoard:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()


def build(plan: Plan, *, waves: bool = False, defects: Sequence[Defect] = ()) -> Path:
    """The simulator's executable for ``plan``, from the cache if it was built before."""
    verilog = verilog_of(plan, defects)
    harness = resources.files("npde_sim.virtual").joinpath("harness.cpp").read_text()
    flags = (*FLAGS, "--trace") if waves else FLAGS
    key = hashlib.sha256((verilog + harness + repr(flags)).encode()).hexdigest()[:24]
    cache = verilator.cache("virtual")
    binary = cache / key
    if binary.exists():
        return binary
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        place = Path(folder)
        (place / "top.v").write_text(verilog)
        (place / "harness.cpp").write_text(harness)
        done = subprocess.run(
            ["verilator", *flags, "--Mdir", "obj", "-o", "board", "top.v", "harness.cpp"],
            cwd=place, env=verilator.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise BuildError(f"Verilator could not build the virtual board: {(done.stderr or done.stdout)[-600:]}")
        os.replace(shutil.move(place / "obj" / "board", place / "board"), binary)
    return binary
