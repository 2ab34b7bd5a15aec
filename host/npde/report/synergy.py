"""A synergetic system in pictures: images, noise, what comes back and what is missed; and ROC curves."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Column(NamedTuple):
    """``images`` (rows, height, width) in [-1, 1], or, ``signed``, differences of such from -2 to 2."""

    title: str
    images: NDArray[np.float64]
    signed: bool = False


def denoising(clean: NDArray[np.float64], noisy: NDArray[np.float64], generated: NDArray[np.float64]) -> list[Column]:
    """The columns image, noisy image, what A gives back of it and what is wrong with that; all (rows, height, width)."""
    return [Column("image", clean), Column("noisy", noisy), Column("A(B(noisy))", generated), Column("less the image", generated - clean, True)]


def anomalies(strange: NDArray[np.float64], generated: NDArray[np.float64]) -> list[Column]:
    """The columns anomaly, what A gives back of it, and the difference that gives it away; all (rows, height, width)."""
    return [Column("anomaly", strange), Column("A(B(anomaly))", generated), Column("less the anomaly", generated - strange, True)]


def draw_images(columns: Sequence[Column], path: str | os.PathLike[str], *, title: str = "") -> None:
    """One row an image, grey from -1 to 1, differences blue to red; the file's suffix chooses the format."""
    pyplot = _pyplot()
    rows = len(columns[0].images)
    figure, axes = pyplot.subplots(rows, len(columns), figsize=(1.1 * len(columns), 1.05 * rows + 0.7), squeeze=False, layout="constrained")
    for column, drawn in enumerate(columns):
        for row, image in enumerate(drawn.images):
            limit = 2 if drawn.signed else 1
            axes[row][column].imshow(image, cmap="RdBu_r" if drawn.signed else "gray", vmin=-limit, vmax=limit, interpolation="nearest")
            axes[row][column].set(xticks=[], yticks=[])
        axes[0][column].set_title(drawn.title, fontsize=7)
    figure.suptitle(title, fontsize=9)
    _save(figure, path)


def draw_roc(scores: Mapping[str, NDArray[np.float64]], strange: NDArray[np.bool_], path: str | os.PathLike[str], *, title: str = "") -> None:
    """One curve a score (n,), greater being stranger, against what is ``strange`` (n,); the area under it in the legend."""
    from sklearn.metrics import roc_auc_score, roc_curve

    pyplot = _pyplot()
    figure, axis = pyplot.subplots(figsize=(4.6, 4.4), layout="constrained")
    for name, values in scores.items():
        alarms, found, _ = roc_curve(strange, values)
        axis.plot(alarms, found, label=f"{name}: {roc_auc_score(strange, values):.3f}")
    axis.plot([0, 1], [0, 1], ":", color="grey")
    axis.set(xlabel="share of ordinary images taken for strange", ylabel="share of strange images found", aspect="equal")
    axis.set_title(title, fontsize=9)
    axis.legend(fontsize=7, loc="lower right")
    axis.grid(alpha=0.3)
    _save(figure, path)


def _save(figure: Any, path: str | os.PathLike[str]) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    _pyplot().close(figure)


def _pyplot():  # type: ignore[no-untyped-def]
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
