"""Accuracy against bits, as a table and a plot."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Study = Mapping[int, Sequence[float]]
"""By width the shares of right answers, one a seed."""


def markdown(studies: Mapping[str, tuple[Sequence[float], Study]]) -> str:
    """One row a model: its float accuracy, then golden's at every width, in per cent; mean and least to greatest over several seeds."""
    widths = sorted({width for _, study in studies.values() for width in study})
    lines = [
        "| model | float | " + " | ".join(f"{width} bit" for width in widths) + " |",
        "| --- | ---: | " + " | ".join("---:" for _ in widths) + " |",
    ]
    for name, (ideal, study) in studies.items():
        lines.append(f"| {name} | " + " | ".join(_cell(shares) for shares in (ideal, *(study.get(width, ()) for width in widths))) + " |")
    return "\n".join(lines)


def draw(studies: Mapping[str, tuple[Sequence[float], Study]], path: str | os.PathLike[str]) -> None:
    """A panel a model: mean accuracy by width with bars from the least to the greatest seed, the float accuracy dashed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(studies), figsize=(5 * len(studies), 3.8), layout="constrained", squeeze=False)
    for axis, (name, (ideal, study)) in zip(panels[0], studies.items(), strict=True):
        widths = sorted(study)
        means = np.array([100 * np.mean(study[width]) for width in widths])
        away = np.abs([[100 * np.min(study[width]), 100 * np.max(study[width])] for width in widths] - means[:, None]).T
        axis.errorbar(widths, means, away, marker="o", capsize=3, color="#1f5f8b", label="golden, weights and fields of so many bits")
        axis.axhline(100 * float(np.mean(ideal)), ls="--", color="grey", label="float")
        for width, mean in zip(widths, means, strict=True):
            axis.annotate(f"{mean:.1f}", (width, mean), textcoords="offset points", xytext=(0, -14), ha="center", fontsize=8)
        axis.set(xscale="log", xlabel="bits", ylabel="test accuracy, %", title=name)
        axis.set_xticks(widths, [str(width) for width in widths])
        axis.minorticks_off()
        axis.margins(y=0.15)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8, loc="lower right")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _cell(shares: Sequence[float]) -> str:
    if not shares:
        return "–"
    if len(shares) == 1:
        return f"{100 * shares[0]:.2f}"
    return f"{100 * np.mean(shares):.2f} ({100 * min(shares):.2f} to {100 * max(shares):.2f})"
