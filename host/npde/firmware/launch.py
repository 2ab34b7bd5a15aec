"""Firmware built once for each model and board, kept in a cache, and run: as a program of this machine, or in QEMU."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from npde.errors import BuildError, LinkError
from npde.firmware import boards
from npde.firmware.export import export, runtime, sources
from npde.model import Model

REDIRECTED = re.compile(r"char device redirected to (\S+)")


class RunningFirmware:
    """A board that runs; ``port`` is its device path. Without a ``model`` it takes programs; ``more`` flags to compile with.

    Use it in a ``with`` statement, or call :meth:`stop`.

    Raises :class:`BuildError` where a compiler or an emulator is missing, or the firmware does not build or start;
    :class:`LinkError` for a board that nothing here runs.
    """

    def __init__(self, model: Model | None, board: str = "posix", *, more: str = ""):
        self.board = boards.get(board)
        if not self.board.runs_here:
            raise LinkError(f"nothing here runs {board}; flash it, and give the port it is on")
        if self.board.emulator and not shutil.which(self.board.emulator[0]):
            raise BuildError(f"{board} needs {self.board.emulator[0]}; Debian has it in {self.board.emulator_package}")
        command = [str(build(model, board, more=more))]
        if self.board.emulator:
            command = [*self.board.emulator, "-display", "none", "-monitor", "none", "-serial", "pty", "-kernel", *command]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        said = self.process.stdout.readline().strip()
        match = REDIRECTED.search(said)
        self.port = match[1] if match else said
        if not self.port.startswith("/dev/"):
            self.stop()
            raise BuildError(f"the firmware did not start: {said or 'it said nothing'}")

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate()

    def __enter__(self) -> RunningFirmware:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def build(model: Model | None, board: str, *, more: str = "") -> Path:
    """The firmware of ``board`` with ``model`` in it (or none: programs come over the link), from the cache if it was built before; ``more`` flags to compile with.

    Raises :class:`BuildError`.
    """
    target = boards.get(board)
    if not shutil.which(target.compiler):
        raise BuildError(f"{board} needs {target.compiler}; Debian has it in {target.compiler_package}")
    digest = hashlib.sha256((board + more + "".join(sources(model).values())).encode())
    for path in sorted(path for path in runtime().rglob("*") if path.is_file()):
        digest.update(path.read_bytes())
    binary = _cache() / f"{digest.hexdigest()[:24]}{target.suffix}"
    if binary.exists():
        return binary
    with tempfile.TemporaryDirectory(dir=_cache()) as folder:
        place = Path(folder)
        export(model, place)
        done = subprocess.run(
            ["make", "-s", f"BOARD={board}", f"MORE={more}"], cwd=place, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BuildError(f"the firmware for {board} does not build: {(done.stderr or done.stdout)[-600:]}")
        os.replace(place / "build" / board / f"npde{target.suffix}", binary)
    return binary


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "npde" / "firmware"
    path.mkdir(parents=True, exist_ok=True)
    return path
