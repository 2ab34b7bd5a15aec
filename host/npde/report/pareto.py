"""Frames a second against the share of a board that each folding takes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path


def draw(title: str, rows: Sequence[tuple[float, Mapping[str, float]]], wire: float, path: str | os.PathLike[str]) -> None:
    """A line for each resource through all foldings: ``rows`` are (frames a second, share of each resource in per cent)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for mark, kind in zip("osD^", rows[0][1], strict=False):
        axis.plot([share[kind] for _, share in rows], [rate for rate, _ in rows], marker=mark, ms=4, lw=0.8, label=kind)
    axis.axhline(wire, ls="--", color="grey", label="what the wire allows")
    axis.set(yscale="log", xlabel="share of the board, %", ylabel="frames a second", title=title)
    axis.set_xlim(0, 102)
    axis.grid(which="both", alpha=0.25)
    axis.legend(fontsize=8)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
