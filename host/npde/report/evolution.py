"""The field's evolution as a picture: one row an input, one column a time step, the answer at the end."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npde import golden
from npde.model import Model
from npde.program import Evolve, Grid, Recurrent, Stencil
from npde.program.program import kind


def draw_evolution(
    model: Model, raw: NDArray, path: str | os.PathLike[str], *, labels: NDArray | None = None, channel: int | None = None
) -> None:
    """Write a picture of ``raw`` samples (batch, height, width[, channels]) evolving step by step, by golden.

    Of each grid the ``channel`` is shown, by default the one that varies most, in units of its format's
    range; the last column shows the outputs, the greatest dark, and the right label where ``labels``
    (batch,) are given. The file's suffix chooses the format.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    frames = golden.trace(model, model.quantise_input(raw))
    titles, grids = _columns(model)
    shown = [(title, field, grid) for title, field, grid in zip(titles, frames, grids, strict=True) if grid.height > 1 or grid.width > 1]
    outputs = model.program.output.q.real(frames[-1].reshape(len(raw), -1))
    figure, axes = pyplot.subplots(
        len(raw), len(shown) + 1, figsize=(1.25 * (len(shown) + 2), 1.3 * len(raw) + 0.5), squeeze=False,
        gridspec_kw={"width_ratios": [1] * len(shown) + [1.6]}, layout="constrained",
    )  # fmt: skip
    for row in range(len(raw)):
        for column, (title, field, grid) in enumerate(shown):
            pick = channel if channel is not None and channel < grid.channels else int(field.std(axis=(0, 1, 2)).argmax())
            axis = axes[row][column]
            span = max(1, int(np.abs(field[..., pick]).max()))
            drawn = axis.imshow(field[row, :, :, pick] / span, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            if row == 0:
                of = f", channel {pick}" if grid.channels > 1 else ""
                axis.set_title(f"{title}\n{grid.height}×{grid.width}×{grid.channels}{of}", fontsize=7)
        axis = axes[row][-1]
        best = int(outputs[row].argmax())
        axis.bar(range(outputs.shape[1]), outputs[row], color=["#333" if k == best else "#9bd" for k in range(outputs.shape[1])])
        axis.set_xticks(range(outputs.shape[1]))
        axis.tick_params(labelsize=5, length=1)
        right = "" if labels is None else f" (label {labels[row]})"
        axis.set_title(f"answer {best}{right}", fontsize=7)
    scale = figure.colorbar(drawn, ax=axes[:, : len(shown)], location="bottom", shrink=0.3, aspect=40, pad=0.01)
    scale.set_label("field, relative to the greatest of its column", fontsize=7)
    scale.ax.tick_params(labelsize=6)
    figure.suptitle(f"{model.program.name}: the field, time step by time step", fontsize=9)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _columns(model: Model) -> tuple[list[str], list[Grid]]:
    """A title and the grid for the input and for every field :func:`npde.golden.trace` gives."""
    grids = model.program.grids()
    titles, shown = ["input"], [grids[0]]
    for step, before, grid in zip(model.program.steps, grids, grids[1:], strict=False):
        match step:
            case Stencil():
                repeats = step.repeat
            case Evolve():
                repeats = step.times
            case Recurrent():
                repeats = before.height
            case _:
                repeats = 1
        name = ("φ(u+K∗u)" if step.skip else "φ(K∗u)") if isinstance(step, Stencil) else kind(step)
        for copy in range(repeats):
            titles.append(f"{name} {copy + 1}" if repeats > 1 else name)
            shown.append(grid)
    return titles, shown
