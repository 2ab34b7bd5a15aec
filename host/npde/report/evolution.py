"""The field's evolution as a picture: one row an input, one column a time step, the answer at the end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from npde import golden
from npde.model import Model
from npde.report.panel import Panel, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BARS, STATES = 1.6, 2.2
"""Widths of the outputs and of a sequence of states, in fields."""


def draw_evolution(
    model: Model, raw: NDArray, path: str | os.PathLike[str], *, labels: NDArray | None = None, channel: int | None = None, title: str = ""
) -> None:
    """Write a picture of ``raw`` samples (batch, height, width[, channels]) evolving step by step, by golden.

    The columns are those of :func:`npde.report.panel.panels`, each in units of its greatest value; the last
    shows the outputs of one cell, the greatest dark, and the right label where ``labels`` (batch,) are given.
    ``title`` is the program's name by default. The file's suffix chooses the format.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    frames = golden.trace(model, model.quantise_input(raw))
    shown = panels(model, frames, channel)
    answers = model.program.output.shape[:2] == (1, 1)
    widths = [STATES if panel.sequence else 1.0 for panel in shown] + [BARS] * answers
    figure, axes = pyplot.subplots(
        len(raw), len(widths), figsize=(1.25 * (sum(widths) + 0.4), 1.3 * len(raw) + 0.6), squeeze=False,
        gridspec_kw={"width_ratios": widths}, layout="constrained",
    )  # fmt: skip
    drawn: dict[bool, Any] = {}
    for column, panel in enumerate(shown):
        for axis, values in zip(axes[:, column], panel.values, strict=True):
            drawn[panel.density] = _draw_field(axis, panel, values)
        axes[0][column].set_title(panel.title, fontsize=7)
    if answers:
        outputs = model.program.output.q.real(frames[-1].reshape(len(raw), -1))
        for row, axis in enumerate(axes[:, -1]):
            _draw_outputs(axis, outputs[row], None if labels is None else int(labels[row]))
    # Two scales share the space below the fields, one under each half.
    half = len(shown) // 2
    under = [axes[:, :half], axes[:, half : len(shown)]] if len(drawn) > 1 else [axes[:, : len(shown)]]
    for density, below in zip(sorted(drawn), under, strict=True):
        bar = figure.colorbar(
            drawn[density], ax=list(below.flat), location="bottom", shrink=min(0.8, 2.2 / below.shape[1]), aspect=30, pad=0.01,
            ticks=[0, 0.25, 0.5, 1] if density else [-1, -0.5, 0, 0.5, 1],
        )  # fmt: skip
        bar.set_label("density, relative to the greatest of its image" if density else "field, relative to the greatest of its column", fontsize=7)
        bar.ax.tick_params(labelsize=6)
    figure.suptitle(f"{title or model.program.name}: the field, time step by time step", fontsize=9)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _draw_field(axis: Axes, panel: Panel, values: NDArray[np.float64]) -> Any:
    """One image; a density in colours that go with its root, so that a wave's faint parts are seen."""
    from matplotlib.colors import Normalize, PowerNorm

    rows, columns = values.shape
    drawn = axis.imshow(
        values,
        cmap="magma" if panel.density else "RdBu_r",
        norm=PowerNorm(0.5, 0, 1) if panel.density else Normalize(-1, 1),
        aspect="auto" if panel.sequence or panel.folded or not 1 / 3 <= rows / columns <= 3 else "equal",
        interpolation="nearest",
    )
    if panel.folded:
        axis.set_box_aspect(1)
    axis.set(xticks=[], yticks=[])
    return drawn


def _draw_outputs(axis: Axes, outputs: NDArray[np.float64], label: int | None) -> None:
    best = int(outputs.argmax())
    axis.bar(range(len(outputs)), outputs, color=["#333" if k == best else "#9bd" for k in range(len(outputs))])
    axis.set_xticks(range(len(outputs)))
    axis.tick_params(labelsize=5, length=1)
    axis.set_title(f"answer {best}" + ("" if label is None else f" (label {label})"), fontsize=7)
