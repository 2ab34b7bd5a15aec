"""The tools from $PATH or from the virtualenv's wheels."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from npde.errors import BuildError


def run_tool(command: list[str], where: Path, log: str) -> float:
    """Run one tool in ``where`` (the WebAssembly ones see no other folder); the seconds it took.

    Raises :class:`BuildError` with the tool's own complaint, or the name of its ``log``.
    """
    began = time.monotonic()
    done = subprocess.run([find_tool(command[0]), *command[1:]], cwd=where, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if "ERROR" in line or "error:" in line.lower()]
        raise BuildError(f"{command[0]} failed: {said[-1] if said else f'see {where / log}'}")
    return time.monotonic() - began


def find_tool(name: str) -> str:
    """The tool itself where it is installed, else the one in the virtualenv's wheels."""
    beside = Path(sys.executable).parent / f"yowasp-{name}"
    found = shutil.which(name) or (str(beside) if beside.exists() else shutil.which(f"yowasp-{name}"))
    if found is None:
        raise BuildError(f"neither {name} nor yowasp-{name} is installed; pip install 'npde[build]' brings it")
    return found
