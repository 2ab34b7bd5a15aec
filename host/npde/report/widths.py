"""How wide must a field be: golden at every width against float64, as a table and a plot."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from npde import golden
from npde.equation.catalogue import find, ready, start
from npde.equation.general import with_times
from npde.errors import ProgramError

WIDTHS = tuple(range(8, 19))


@dataclass(frozen=True)
class Error:
    """One run's difference from float64, relative to the span of the float64 run's fields; None where no model exists at the width."""

    rms: float
    largest: float


def width_study(name: str, widths: Sequence[int] = WIDTHS, *, steps: int | None = None) -> dict[int, Error]:
    """Golden's error after ``steps`` time steps of a ready equation, by field width; products keep 18 bits, coefficients 18.

    Widths at which the equation has no model (a format too coarse) are left out.
    """
    steps = steps or find(name).steps
    real = ready(name)
    begin = start(real)
    wanted = real.reference.run(begin, steps)
    span = float(wanted.max() - wanted.min())
    found = {}
    for width in widths:
        try:
            equation = ready(name, width=width)
        except ProgramError:
            continue
        end = equation.real(golden.run(with_times(equation.model, steps), equation.quantise(begin)).output)
        away = (end - wanted) / span
        found[width] = Error(float(np.sqrt(np.mean(away**2))), float(np.abs(away).max()))
    return found


def markdown(studies: Mapping[str, Mapping[int, Error]], widths: Sequence[int] = WIDTHS) -> str:
    """A table: one row an equation, RMS / largest error in per cent of the field's span at each width, the default width in bold."""
    lines = [
        "| equation | steps | " + " | ".join(f"{width} bit" for width in widths) + " |",
        "| --- | ---: | " + " | ".join("---:" for _ in widths) + " |",
    ]
    for name, study in studies.items():
        cells = []
        for width in widths:
            if width not in study:
                cells.append("–")
                continue
            text = f"{100 * study[width].rms:.2g} / {100 * study[width].largest:.2g}"
            cells.append(f"**{text}**" if width == find(name).width else text)
        lines.append(f"| {name} | {find(name).steps} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw_widths(studies: Mapping[str, Mapping[int, Error]], path: str | os.PathLike[str]) -> None:
    """One curve an equation: RMS error relative to the field's span over the field's width, logarithmic; a ring marks the default width."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(12, 5), sharey=True, layout="constrained")
    colours = pyplot.get_cmap("tab20").colors  # type: ignore[attr-defined]
    for number, (name, study) in enumerate(studies.items()):
        for axis, part in zip(axes, ("rms", "largest"), strict=True):
            values = [getattr(error, part) for error in study.values()]
            axis.semilogy(list(study), values, marker=".", color=colours[number % 20], label=name)
            if find(name).width in study:
                axis.plot(
                    find(name).width,
                    getattr(study[find(name).width], part),
                    "o",
                    mfc="none",
                    ms=9,
                    color=colours[number % 20],
                )
    for axis, title in zip(axes, ("RMS", "largest"), strict=True):
        axis.set(xlabel="field width in bits", title=f"{title} error against float64")
        axis.grid(True, which="major", alpha=0.3)
        axis.set_xticks(sorted({width for study in studies.values() for width in study}))
    axes[0].set_ylabel("error relative to the field's span")
    figure.legend(*axes[1].get_legend_handles_labels(), fontsize=8, loc="outside right upper")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
