"""A proof and how it is run: SymbiYosys from the wheels, its engines Yices and ABC's PDR."""

from __future__ import annotations

import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from amaranth.back import rtlil
from amaranth.hdl import Module

from npde.errors import BuildError
from npde_sim.formal.twin import Twin

Engine = Literal["pdr", "induction", "bmc", "stateless"]
ENGINES = {"pdr": "abc pdr", "induction": "smtbmc yices", "bmc": "abc bmc3", "stateless": "smtbmc yices"}
TOP = "top"


@dataclass(frozen=True)
class Proof:
    """Properties of a component, and the twin they must refute.

    Parameters
    ----------
    name : str
        What is proved, as the table prints it.
    top : Callable[[Twin | None], Module]
        The component among its properties; with a twin, the broken one among the same.
    twin : Twin
        What is broken.
    engine : str
        ``"pdr"`` and ``"induction"`` prove for all time, ``"bmc"`` for ``depth`` cycles from reset; ``"stateless"``
        also for all time, in one cycle, what has no register (which is looked after).
    depth : int
        Cycles of ``"bmc"``; of the inductive step.
    twin_depth : int
        Cycles after which the twin must have gone wrong, searched by ``"bmc"``.
    timeout : int
        Seconds for either run.
    slow : bool
        Left to ``make formal``; the others belong to ``make test``.
    """

    name: str
    top: Callable[[Twin | None], Module]
    twin: Twin
    engine: Engine = "pdr"
    depth: int = 20
    twin_depth: int = 20
    timeout: int = 300
    slow: bool = False

    @property
    def reach(self) -> str:
        """For how long it is proved, in words."""
        return f"{self.depth} cycles" if self.engine == "bmc" else "unbounded"


@dataclass(frozen=True)
class Verdict:
    """``status`` is PASS, FAIL or UNKNOWN; ``failed`` names assertions that did not hold, ``seconds`` are the tools'."""

    status: str
    failed: tuple[str, ...]
    seconds: float
    log: str


def check(proof: Proof, twin: Twin | None = None) -> Verdict:
    """Run SymbiYosys on the proof, or on its ``twin``.

    Raises :class:`BuildError` with SymbiYosys' own words when it comes to no result, and when it is not installed.
    """
    before = _spent()
    engine: Engine = proof.engine if twin is None or proof.engine == "stateless" else "bmc"
    depth = 1 if engine == "stateless" else proof.depth if twin is None else proof.twin_depth
    design = rtlil.convert(proof.top(twin), name=TOP, ports=[])
    if engine == "stateless" and re.search(r"cell \$(dff|mem)", design):
        raise ValueError(f"{proof.name} has registers: one cycle does not prove it")
    with tempfile.TemporaryDirectory() as place:
        where = Path(place)
        (where / f"{TOP}.il").write_text(design)
        (where / "proof.sby").write_text(
            "[options]\n"
            f"mode {'prove' if engine in ('pdr', 'induction') else 'bmc'}\n"
            f"depth {depth}\ntimeout {proof.timeout}\nvcd off\n"
            f"[engines]\n{ENGINES[engine]}\n"
            f"[script]\nread_rtlil {TOP}.il\nprep -flatten -nordff -top {TOP}\n"
            f"[files]\n{TOP}.il\n"
        )
        done = subprocess.run(_command(), cwd=where, capture_output=True, text=True, env=_environment(), check=False)
    said = done.stdout + done.stderr
    status = re.search(r"DONE \((\w+)", said)
    if status is None or status[1] not in ("PASS", "FAIL", "UNKNOWN", "TIMEOUT"):
        raise BuildError(f"SymbiYosys came to no result on {proof.name}: {said[-1500:]}")
    failed = tuple(sorted(set(re.findall(r"failed assertion \S+ at (\S+)", said))))
    return Verdict(status[1], failed, _spent() - before, said)


def _spent() -> float:
    """Processor seconds of all programs this process has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _command() -> list[str]:
    scripts = Path(sys.executable).parent
    tools = {tool: scripts / f"yowasp-{tool}" for tool in ("sby", "yosys", "yosys-smtbmc", "yosys-witness")}
    missing = [str(path.name) for path in (*tools.values(), scripts / "yices-smt2") if not path.exists()]
    if missing:
        raise BuildError(f"{missing[0]} is not installed; pip install 'npde[formal]' brings it")
    # SymbiYosys puts these into a shell's commands.
    told = {tool: shlex.quote(str(path)) for tool, path in tools.items()}
    options = [
        "--yosys", told["yosys"], "--smtbmc", told["yosys-smtbmc"], "--witness", told["yosys-witness"],
        "--abc", f"{shlex.quote(sys.executable)} -m npde_sim.formal.abc",
    ]  # fmt: skip
    return [str(tools["sby"]), "-f", *options, "proof.sby"]


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
