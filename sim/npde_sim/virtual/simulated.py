"""A board simulated from Verilog: compiled once and kept in a cache, started and stopped."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from npde.errors import BuildError
from npde_sim import verilator

OPTIMISED, LARGE = "-O2", "-O1"
"""How the simulator is compiled: the second for a netlist of thousands of cells, which takes minutes at the first."""
NETLIST = ("-Wno-lint", "--output-split", "5000", "--output-split-cfuncs", "500", "-DICE40_U", "-DNO_ICE40_DEFAULT_ASSIGNMENTS")
"""Verilator's flags for such a netlist: short functions, since the C++ compiler's time grows faster than their length, and
vendors' cells without defaults for pins, which Verilator would give to the registers joined to them as initial values."""
FLAGS = ("--cc", "--exe", "--build", "-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "--top-module", "top")


class SimulatedBoard:
    """A running board; ``port`` is its device path. Use it in a ``with`` statement, or call :meth:`stop`.

    ``binary`` is a :func:`simulator`, ``clock`` in hertz what its bit rate is counted in. Every byte is ``delay`` seconds of
    simulated time on its way, in either direction. With a ``waveform`` it can :meth:`trace` into that file. Raises
    :class:`BuildError` when it does not start.
    """

    def __init__(self, binary: Path, clock: float, *, delay: float = 0.0, waveform: Path | None = None):
        arguments = [f"{clock:.0f}", str(round(delay * clock)), *([str(waveform)] if waveform else [])]
        self.process = subprocess.Popen(
            [binary, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = self.process.stdout.readline().strip()
        if not self.port:
            raise BuildError(f"the simulated board did not start: {self.stop()}")

    def trace(self) -> None:
        """Write every signal's changes from now on; the file is whole after :meth:`stop`."""
        self.process.send_signal(signal.SIGUSR1)

    def stop(self) -> str:
        """End the simulation; what it said of its speed."""
        self.process.terminate()
        return self.process.communicate()[1].strip()

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()


def simulator(
    sources: Mapping[str, str], *, waves: bool = False, compiled: str = OPTIMISED, more: Sequence[str] = ()
) -> Path:
    """The executable made of Verilog files (text by name) with a module ``top`` of ``clk``, ``rst``, ``rx`` and ``tx``.

    From the cache if it was built before. ``compiled``: the C++ compiler's level; ``more``: flags of Verilator. Raises
    :class:`BuildError`.
    """
    harness = resources.files("npde_sim.virtual").joinpath("harness.cpp").read_text()
    flags = (
        *FLAGS, "-CFLAGS", f"{verilator.STANDARD} {compiled} -DVL_TIME_CONTEXT", "-MAKEFLAGS", verilator.MAKEFLAGS,
        *(["--trace"] if waves else []), *more,
    )  # fmt: skip
    return verilator.executable("virtual", {**sources, "harness.cpp": harness}, flags, "the simulated board")
