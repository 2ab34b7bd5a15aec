"""The gallery's page; a strip of snapshots an equation, board beside golden beside float64, and what the run cost."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npde.fixed import Q
from npde.report.classifier import Classifier, introduction, section
from npde.report.field import panels
from npde.report.page import Refused, counted, heading, resources_in_words, summary, write_html, wrong

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Exhibit:
    """One equation's run: integers (snapshots, height, width, fields) of ``board`` and ``golden``, reals of the ``reference``.

    ``times`` are the time steps of the snapshots; ``plan`` has figures by name, ``resources`` (used, available) by kind;
    ``coefficient`` (height, width) is a per-cell map whose middle level is outlined.
    """

    name: str
    equation: str
    grid: str
    fields: tuple[str, ...]
    dt: float
    h: float
    times: Sequence[int]
    board: NDArray[np.int64]
    golden: NDArray[np.int64]
    reference: Real
    q: Q
    plan: Mapping[str, int | float]
    resources: Mapping[str, tuple[int, int]]
    coefficient: Real | None = None

    @property
    def compared(self) -> int:
        """Integers of all snapshots."""
        return self.golden.size

    @property
    def mismatches(self) -> int:
        """Integers of all snapshots in which the board differs from golden."""
        return int((self.board != self.golden).sum())

    @property
    def error(self) -> Real:
        """Golden less the reference, each snapshot relative to the span of the reference's fields then."""
        span = np.ptp(self.reference, axis=(1, 2, 3), keepdims=True)
        return (self.q.real(self.golden) - self.reference) / np.where(span, span, 1.0)

    @property
    def rms(self) -> float:
        """The root mean square of the last snapshot's :attr:`error`."""
        return float(np.sqrt(np.mean(self.error[-1] ** 2)))

    @property
    def largest(self) -> float:
        """The largest magnitude of the last snapshot's :attr:`error`."""
        return float(np.abs(self.error[-1]).max())

    def as_dict(self) -> dict[str, Any]:
        """The figures for a table."""
        return {
            "equation": self.name,
            "grid": self.grid,
            "steps": self.times[-1],
            "integers compared": self.compared,
            "mismatches": self.mismatches,
            "RMS error": self.rms,
            "largest error": self.largest,
            **self.plan,
        }


def draw_exhibit(exhibit: Exhibit, path: str | os.PathLike[str]) -> None:
    """The strip: rows board, golden and golden less reference; a column a snapshot.

    Of several fields the first is drawn, of a wave its density, in colours that go with its root. Board and golden share one scale; errors have
    their own, each in per cent of the span that what is drawn has in float64 at that time.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.colors import Normalize, PowerNorm

    name, board = panels(exhibit.q.real(exhibit.board), exhibit.fields)[0]
    _, golden = panels(exhibit.q.real(exhibit.golden), exhibit.fields)[0]
    _, wanted = panels(exhibit.reference, exhibit.fields)[0]
    span = np.ptp(wanted, axis=(1, 2), keepdims=True)
    error = 100 * (golden - wanted) / np.where(span, span, 1.0)
    away = float(np.abs(error).max()) or 1e-9
    low, high = float(min(board.min(), golden.min())), float(max(board.max(), golden.max()))
    signed = low < -0.01 * abs(high)
    if signed:
        high = max(abs(low), abs(high))
        low = -high
    flat = golden.shape[1] == 1
    count = len(exhibit.times)
    tall = 1.15 if flat else 1.9 * min(1.5, golden.shape[1] / golden.shape[2])
    figure, axes = pyplot.subplots(
        3, count, figsize=(1.9 * count + 0.9, 3 * tall + 0.8), squeeze=False, layout="constrained",
        sharex="all" if flat else "none", sharey="row" if flat else "none",
    )  # fmt: skip
    outline = exhibit.coefficient if exhibit.coefficient is not None and np.ptp(exhibit.coefficient) else None
    field_map = "RdBu_r" if signed else "magma"
    rows = [
        ("board", board, low, high, field_map, "#0b6e99"),
        ("golden", golden, low, high, field_map, "#0b6e99"),
        ("golden − float64\n% of span", error, -away, away, "PuOr_r", "#b35806"),
    ]
    for row, (label, values, least, most, colours, ink) in zip(axes, rows, strict=True):
        for axis, field in zip(row, values, strict=True):
            if flat:
                axis.plot((np.arange(field.shape[1]) + 0.5) * exhibit.h, field[0], lw=1.1, color=ink)
                axis.set_ylim(least - 0.06 * (most - least), most + 0.06 * (most - least))
                axis.tick_params(labelsize=6, length=2)
                axis.grid(alpha=0.25, lw=0.5)
            else:
                wave = exhibit.fields == ("re", "im") and values is not error
                norm = PowerNorm(0.5, least, most) if wave else Normalize(least, most)
                drawn = axis.imshow(field, cmap=colours, norm=norm, origin="lower", interpolation="nearest")
                if outline is not None:
                    ink = "w" if colours == "magma" else "k"
                    axis.contour(outline, levels=[float(outline.min() + outline.max()) / 2], colors=ink, linewidths=0.6, alpha=0.7)
                axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(label, fontsize=8)
        if not flat and label != "board":
            both = axes[:2] if label == "golden" else row
            scale = figure.colorbar(drawn, ax=list(np.ravel(both)), shrink=0.85, pad=0.01, aspect=30 if label == "golden" else 15)
            scale.ax.tick_params(labelsize=6)
    for axis, time in zip(axes[0], exhibit.times, strict=True):
        axis.set_title(f"step {time:,}, t = {time * exhibit.dt:.4g}", fontsize=7.5)
    figure.suptitle(f"{exhibit.name}: {name}", fontsize=9)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def write_page(
    equations: Sequence[Exhibit | Refused], classifiers: Sequence[Classifier | Refused], folder: Path, *, board: str, clock: int
) -> Path:
    """``index.html`` in ``folder``, with a picture beside it for each exhibit; returns the page's path. ``clock`` in Hz."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = [row for row in equations if isinstance(row, Exhibit)]
    for exhibit in shown:
        draw_exhibit(exhibit, folder / f"{exhibit.name}.png")
    what = " and ".join(word for word, rows in (("equations", equations), ("classifiers", classifiers)) if rows)
    body = [f"<h1>{what.capitalize()} on a virtual {escape(board)}</h1>"]
    if equations:
        compared, mismatches = sum(row.compared for row in shown), sum(row.mismatches for row in shown)
        body += [
            f"<p>{len(shown)} of {len(equations)} equations ran on the simulated board over its serial wire: the field was written, stepped "
            f"and read back in stages. {compared:,} integers were compared with golden; {counted(mismatches)}. "
            "Errors are golden's against the same scheme in float64 at the last step, relative to the span of the fields then. "
            f"Cycles and resources are the plan's prediction, cell updates are at its clock of {clock / 1e6:g} MHz.</p>",
            _summary(equations),
        ]
    if classifiers:
        body += introduction(classifiers, clock)
    body += [_section(row) for row in equations]
    body += [section(row, folder) for row in classifiers]
    page = folder / "index.html"
    write_html(page, f"npde gallery: {board}", body)
    return page


def _summary(rows: Sequence[Exhibit | Refused]) -> str:
    heads = ("grid", "steps", "integers compared", "mismatches", "RMS error", "largest error", "k", "cycles per step", "cell updates/s")
    cells = {
        row.name: row if isinstance(row, Refused) else (
            row.name, escape(row.grid), f"{row.times[-1]:,}", f"{row.compared:,}", wrong(row.mismatches), f"{row.rms:.2g}",
            f"{row.largest:.2g}", f"{row.plan['copies']:,}", f"{row.plan['cycles per step']:,.1f}",
            f"{row.plan['cell updates per second'] / 1e6:,.1f} M",
        )
        for row in rows
    }  # fmt: skip
    return summary("equation", heads, cells)


def _section(row: Exhibit | Refused) -> str:
    head = heading(row.name, row.name, row.equation)
    if isinstance(row, Refused):
        return f"{head}<p>{escape(row.sentence)}</p>"
    return (
        f"{head}<p>{escape(row.grid)}, {len(row.times)} snapshots, {counted(row.mismatches)}; error {100 * row.rms:.2g} % RMS, "
        f"{100 * row.largest:.2g} % at most. {row.plan['copies']:,} copies of the time step (k), {row.plan['cycles per step']:,.1f} cycles a step planned, "
        f"{row.plan['cycles per step on the board']:,.1f} counted by the board, the starts and ends of four runs included. "
        f"Resources: {resources_in_words(row.resources)}.</p>"
        f'<img src="{escape(row.name)}.png" alt="{escape(row.name)}: board, golden, and golden less float64, at {len(row.times)} times">'
    )
