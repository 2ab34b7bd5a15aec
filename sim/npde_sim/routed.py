"""What place-and-route made of a model's program on a board, built once for each plan and kept in a cache, and run from there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec

from npde.errors import BuildError
from npde.link.port import BITS, GATES
from npde.program import Program
from npde_hdl import board as boards
from npde_hdl.build import build
from npde_hdl.build.bitstream import NETLIST
from npde_hdl.plan import plan_for
from npde_sim import verilator
from npde_sim.bitstream.board import BitstreamBoard, decompilable
from npde_sim.gates.board import GateBoard


def running_of(kind: str, board: str, source: str | Program) -> BitstreamBoard | GateBoard:
    """A running board of ``kind``, one of :data:`npde.link.port.BUILT`.

    ``source`` is a program to build, or the file of one that was built, whose board may then be "": what its report says.
    Raises :class:`BuildError` where it cannot be built, is not what it should be, or is of nobody knows which board.
    """
    if isinstance(source, Program):
        if kind == BITS:
            decompilable(boards.get(board))  # before minutes of place-and-route
        folder = routed(source, board)
        file = folder / (NETLIST if kind == GATES else "npde.bin")
    else:
        file = Path(source)
        if not file.is_file():
            raise BuildError(f"there is no file {file}; npde build makes one")
        board = board or board_of(file.parent) or ""
        if not board:
            raise BuildError(f"no report beside {file} says which board it is for; name it: {kind}:BOARD:{file}")
    return BitstreamBoard(file, board) if kind == BITS else GateBoard(file, board)


def routed(program: Program, board: str) -> Path:
    """The folder of the build of ``program`` for ``board``: bitstream, netlist and report, as ``npde build`` leaves them.

    From the cache if it was built before, else minutes of place-and-route. Raises :class:`npde.errors.FitError` for what does not
    fit, :class:`BuildError` where a tool is missing or fails, or the clock is not met.
    """
    plan = plan_for(program, boards.get(board))
    cache = verilator.cache("routed")
    kept = cache / f"{plan.board}-{plan.build_id.hex()}"
    if (kept / "report.json").exists():
        return kept
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        place = Path(folder) / "build"
        build(plan, place)
        try:
            os.replace(place, kept)
        except OSError as error:
            # Another process was quicker; its build is as good.
            if not (kept / "report.json").exists():
                raise BuildError(f"the build of {program.name!r} for {board} cannot be kept in {cache}: {error}") from error
    return kept


def board_of(folder: Path) -> str | None:
    """The board that the build in ``folder`` is for, by its report, or None where it has none that says so."""
    try:
        found = msgspec.json.decode((folder / "report.json").read_bytes(), type=dict).get("board")
    except (OSError, ValueError):
        return None
    return found if found in boards.BOARDS else None
