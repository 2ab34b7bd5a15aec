"""A design small enough to place and route in seconds, with one of each cell that a board's has, simulated at every level."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from npde_hdl import board as boards
from npde_hdl.build.bitstream import platform_of
from npde_hdl.build.tool import run_tool
from npde_sim import verilator
from npde_sim.virtual.simulated import NETLIST

SOURCE = (Path(__file__).parent / "tiny.v").read_text()
PINS = "set_io clk12_0__io J3\nset_io uart_0__rx__io B10\nset_io uart_0__tx__io B12\n"
MAIN = """
#include "Vbench.h"
#include "verilated.h"
#include <cstdio>
#include <cstdlib>
int main(int, char **argv) {
    Vbench top;
    unsigned long long random = 88172645463325252ull, differing[8] = {0}, high = 0;
    const int cycles = atoi(argv[1]), levels = atoi(argv[2]);
    for (int cycle = 0; cycle < cycles; cycle++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        // Apart from either edge: what comes with it is sampled before or after, as the simulator likes.
        top.rx = random >> 40 & 1;
        top.eval();
        for (int half = 1; half >= 0; half--) {
            top.clk = half;
            top.eval();
            high += top.tx & 1;
            for (int level = 1; level < levels; level++) differing[level] += (top.tx >> level & 1) != (top.tx & 1);
        }
    }
    printf("%llu", high);
    for (int level = 1; level < levels; level++) printf(" %llu", differing[level]);
    return 0;
}
"""


@dataclass(frozen=True)
class Tiny:
    """Where the tools left it: ``npde.bin``, ``npde.asc``, ``routed.json`` and ``npde.json`` in ``folder``."""

    folder: Path
    platform: object
    board: boards.Board


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The design placed and routed on the HX8K breakout."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.v").write_text(SOURCE)
    (folder / "npde.pcf").write_text(PINS)
    for command in (
        ["yosys", "-q", "-p", "read_verilog tiny.v; synth_ice40 -device hx -top top -json npde.json"],
        ["nextpnr-ice40", "-q", "--hx8k", "--package", "ct256", "--json", "npde.json", "--pcf", "npde.pcf", "--asc", "npde.asc", "--write", "routed.json"],
        ["icepack", "npde.asc", "npde.bin"],
    ):
        run_tool(command, folder, "its own words")
    row = boards.get("hx8k")
    return Tiny(folder, platform_of(row), row)


@pytest.fixture
def levels(tmp_path):
    """Simulates modules ``top`` (Verilog by name) beside each other, the same random bits into each.

    Gives in how many of the half cycles the first one's output was high, and in how many each other's differed from it.
    """

    def run(modules: dict[str, str], *shared: str, cycles: int = 20_000) -> tuple[int, list[int]]:
        lines = [f"module bench (input wire clk, input wire rx, output wire [{len(modules) - 1}:0] tx);"]
        lines += [f"{name} {name}_here (.clk(clk), .rst(1'b0), .rx(rx), .tx(tx[{place}]));" for place, name in enumerate(modules)]
        (tmp_path / "bench.v").write_text("\n".join([*lines, "endmodule", *modules.values(), *shared]))
        (tmp_path / "main.cpp").write_text(MAIN)
        flags = ["-CFLAGS", f"{verilator.STANDARD} -O0", "-MAKEFLAGS", f"{verilator.MAKEFLAGS} OPT_FAST=-O0 OPT_GLOBAL=-O0", "-Wno-fatal", *NETLIST]
        built = subprocess.run(
            ["verilator", "--cc", "--exe", "--build", "--top-module", "bench", *flags, "-o", "bench", "bench.v", "main.cpp"],
            cwd=tmp_path, env=verilator.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert built.returncode == 0, built.stderr[:2000]
        done = subprocess.run([tmp_path / "obj_dir" / "bench", str(cycles), str(len(modules))], capture_output=True, text=True, check=True)
        high, *differing = (int(number) for number in done.stdout.split())
        return high, differing

    return run
