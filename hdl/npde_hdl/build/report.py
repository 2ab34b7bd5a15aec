"""What place-and-route made of a plan: frequency, resources, time."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from npde.errors import BuildError
from npde_hdl.board import FAMILIES, Board


class Used(msgspec.Struct, frozen=True):
    """How many of a device's cells of one kind."""

    used: int
    available: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """``clock`` and ``fmax`` in hertz; ``resources`` used and ``predicted`` by kind; ``seconds`` by stage; ``bitstream`` a file name."""

    board: str
    program: str
    clock: int
    fmax: float
    resources: dict[str, Used]
    predicted: dict[str, int]
    seconds: dict[str, float]
    seed: int
    bitstream: str

    @property
    def meets_timing(self) -> bool:
        """Whether the slowest path is fast enough for the clock."""
        return self.fmax >= self.clock


def read_timing(path: Path, board: Board) -> tuple[float, dict[str, Used]]:
    """The pipeline clock's fmax in hertz and the cells used, from nextpnr's ``--report`` file.

    Raises :class:`BuildError` when the file does not hold them.
    """
    try:
        report = json.loads(path.read_text())
        # The oscillator's own domain, where it has one, holds a handful of cells and is much faster.
        fmax = min(entry["achieved"] for entry in report["fmax"].values()) * 1e6
        cells = FAMILIES[board.family].cells
        used = {kind: Used(**report["utilization"][cell]) for kind, cell in cells.items() if cell in report["utilization"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(f"nextpnr left no readable report in {path}: {error!r}") from error
    return fmax, used
