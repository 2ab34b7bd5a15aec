"""Whether a mutant's outputs can differ from the netlist's at all: a miter of the two, given to ABC."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from npde.errors import BuildError
from npde_sim.mutants.netlist import PREPARE, Mutant, wrapper, yosys

COUNTS_WHEN = {"payload": "valid", "beat": "valid", "byte": "valid", "sums": "done", "centre": "done"}
"""Outputs that mean something only while another one is high."""
SECONDS = 240
SCRIPT = (
    "read_rtlil top.il\n{prepare}copy top gold\n{fault}\nrename top gate\nsetattr -mod -unset top gold gate\n"
    "read_verilog wrapped.v\nproc\nflatten gold_masked gate_masked\n"
    "miter -equiv -make_assert -flatten gold_masked gate_masked miter\nhierarchy -top miter\nflatten\n"
    "memory_map -formal\nchformal -lower\nasync2sync\nsetundef -undriven -zero\nformalff -clk2ff -ff2anyinit\n"
    "delete -output\nopt_clean\ntechmap\nopt -fast\nsimplemap\ndffunmap\naigmap\nopt_clean\n"
    "write_aiger -zinit miter.aig\n"
)


def equivalent(rtlil: str, mutant: Mutant) -> bool:
    """Proved for all inputs and all time; not proved within :data:`SECONDS` is False, whatever the truth."""
    with tempfile.TemporaryDirectory() as place:
        where = Path(place)
        (where / "top.il").write_text(rtlil)
        try:
            yosys(f"read_rtlil top.il\n{PREPARE}rename top gold\nwrite_verilog -noattr gold.v\n", where)
            gold = (where / "gold.v").read_text()
            # A rack's components share nothing: only the faulty one's outputs can differ.
            member = re.search(r"-cell \$?(?:flatten)?\\?(\w+)\.", mutant.fault)
            only = f"{member[1]}__" if member and re.search(rf"\b{member[1]}__\w+", gold) else ""
            texts = [
                wrapper(gold.replace("module gold(", f"module {name}("), name, f"{name}_masked", COUNTS_WHEN, only)
                for name in ("gold", "gate")
            ]
            (where / "wrapped.v").write_text("".join(texts))
            yosys(SCRIPT.format(prepare=PREPARE, fault=mutant.fault), where)
        except BuildError:
            return False
        commands = f"read_aiger miter.aig; fold; strash; scorr; dc2; scorr; write_aiger reduced.aig; pdr -T {SECONDS}"
        try:
            done = subprocess.run(
                [sys.executable, "-m", "npde_sim.formal.abc", "-c", commands],
                cwd=where, capture_output=True, text=True, check=False, timeout=2 * SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return False
        return bool(re.search(r"^Property proved", done.stdout, re.MULTILINE)) or _never(where / "reduced.aig")


def _never(reduced: Path) -> bool:
    """Whether nothing was left of the miter but a constant zero, on which ABC's engines have nothing to say."""
    if not reduced.exists():
        return False
    header, *rest = reduced.read_bytes().split(b"\n")
    _, _, _, latches, outputs, ands, *_ = map(int, [b"0", *header.split()[1:]])
    return latches == ands == 0 and all(output == b"0" for output in rest[:outputs])
