"""Yosys, nextpnr and the packer one after the other, and what they say turned into a report."""

from __future__ import annotations

import importlib
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from amaranth.build import Attrs, Pins, Resource
from amaranth_boards.resources import UARTResource

from npde.errors import BuildError
from npde_hdl import board as boards
from npde_hdl.board import FAMILIES, Board
from npde_hdl.build.floorplan import pin_cascade
from npde_hdl.build.report import Report
from npde_hdl.build.seeds import best_of
from npde_hdl.build.tool import run_tool
from npde_hdl.build.top import Top
from npde_hdl.plan import Plan

NAME = "npde"
SUFFIX = {"ice40": "bin", "ecp5": "bit"}
REPORT = "timing.json"
NETLIST = "routed.json"
"""The circuit as placed and routed, by nextpnr's cells; what a port ``gates:…`` simulates."""
SEEDS = 8
ROUTER1_CELLS = 22_000
"""Logic cells up to which ECP5 designs are left to nextpnr's own choice, router1; with more it had not ended after half an hour."""
# No memory's word is used that was read in the cycle in which it was written: every reader waits until what it asks
# for lies there. Left unsaid, synthesis adds a comparator, a register and a multiplexer to each memory for that case.
COLLISIONS_DO_NOT_MATTER = r"setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:COLLISION_X_MASK=1'0 %i"


def unindexed(rtlil: str) -> str:
    """RTLIL text whose names end in no ``[0]``: Yosys' abc9 takes such wires for bits of one bus and dies of an assertion.

    Amaranth names the elements of an array so. A selected bit is set off by a space and stays as it is.
    """
    return re.sub(r"\\\S+\[\d+\]\S*", lambda name: name[0].replace("[", "<").replace("]", ">"), rtlil)


def build(
    plan: Plan, folder: str | os.PathLike[str], *, seeds: int = SEEDS, jobs: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Report:  # fmt: skip
    """Synthesise, place, route and pack ``plan`` in ``folder``; the report lies there as ``report.json`` too.

    Place-and-route is repeated with other seeds, ``jobs`` at once and at most ``seeds`` in all, until the clock is
    met; what misses it is not packed.
    ``progress`` is told the stage that begins. Raises :class:`BuildError` when a tool is missing or
    fails, when the device is too small (which resource, by how much), or when no seed meets the clock.
    """
    board = boards.get(plan.board)
    where = Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    tell = progress or (lambda stage: None)
    seconds: dict[str, float] = {}

    tell("generating")
    began = time.monotonic()
    synthesis, route, pack = _prepare(plan, board, where)
    seconds["generate"] = time.monotonic() - began

    tell("synthesis")
    seconds["synthesis"] = run_tool(synthesis, where, "npde.rpt")
    if board.family == "ecp5" and plan.evolved:
        pin_cascade(where / f"{NAME}.json", board.budget.dsps)
    try:
        best = best_of(
            route, where, board, plan.clock, seeds=max(1, seeds), jobs=max(1, jobs), log="npde.tim", report=REPORT, tell=tell
        )
    except BuildError as error:
        raise _too_large(plan, board, where / "npde.tim") or error from None
    seconds["place and route"] = best.seconds
    if best.fmax >= plan.clock:
        tell("packing")
        seconds["pack"] = run_tool(pack, where, "npde.tim")
    report = Report(
        board=board.name, program=plan.program.name, clock=plan.clock, fmax=best.fmax, resources=best.used,
        predicted=plan.cost.as_dict(), seconds={stage: round(s, 1) for stage, s in seconds.items()}, seed=best.seed,
        bitstream=f"{NAME}.{SUFFIX[board.family]}",
    )  # fmt: skip
    (where / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    if not report.meets_timing:
        raise BuildError(
            f"timing is not met on {board.name}: {best.fmax / 1e6:.2f} MHz is the most after {best.tried} seed(s), "
            f"the clock is {plan.clock / 1e6:g} MHz; plan with a slower clock or try more seeds"
        )
    return report


def platform_of(board: Board):
    """The amaranth-boards platform a board row names, with the pins the row adds to it."""
    module, _, name = board.platform.partition(":")
    platform = getattr(importlib.import_module(f"amaranth_boards.{module}"), name)()
    levels = Attrs(IO_STANDARD="SB_LVCMOS") if board.family == "ice40" else Attrs(IO_TYPE="LVCMOS33")
    if board.serial:
        rx, tx = board.serial
        platform.add_resources([UARTResource(0, rx=rx, tx=tx, attrs=levels)])
    platform.add_resources([Resource(pin_name, 0, Pins(pin, dir="o"), levels) for pin_name, pin in board.pins])
    platform.default_clk = board.oscillator_pin or platform.default_clk
    return platform


def _prepare(plan: Plan, board: Board, where: Path) -> list[list[str]]:
    """The tools' input files, written to ``where``, and their command lines."""
    for stale in ("report.json", REPORT, NETLIST, f"{NAME}.{SUFFIX[board.family]}"):
        (where / stale).unlink(missing_ok=True)
    router = " --router router2" if board.family == "ecp5" and plan.cost.luts > ROUTER1_CELLS else ""
    prepared = platform_of(board).prepare(
        Top(plan, board),
        name=NAME,
        script_after_read=COLLISIONS_DO_NOT_MATTER,
        synth_opts=board.synthesis,
        nextpnr_opts=f"--report {REPORT} --write {NETLIST} --timing-allow-fail{router}",
    )
    prepared.files[f"{NAME}.il"] = unindexed(prepared.files[f"{NAME}.il"])
    prepared.extract(where)
    # Some platforms add a bootloader's suffix behind the packer, for which not everyone has the tool.
    return json.loads((where / f"build_{NAME}.json").read_text())["commands"][:3]


def _too_large(plan: Plan, board: Board, log: Path) -> BuildError | None:
    """What nextpnr's utilisation table says is too much, if that is why it failed."""
    text = log.read_text() if log.exists() else ""
    over = []
    for kind, cell in FAMILIES[board.family].cells.items():
        found = re.search(rf"{cell}:\s*(\d+)\s*/\s*(\d+)", text)
        if found and int(found[1]) > int(found[2]):
            over.append(f"{int(found[1]):,} {kind} where {board.name} has {int(found[2]):,}")
    if not over:
        return None
    return BuildError(f"program {plan.program.name!r} needs " + " and ".join(over))
