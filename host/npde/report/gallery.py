"""The gallery's page: a strip of snapshots an equation, board beside golden beside float64, and what the run cost."""

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
from npde.report.field import panels

Real = NDArray[np.float64]

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin: 2.5rem 0 .3rem; border-top: 1px solid #ddd; padding-top: 1rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: .6rem 0 } th, td { padding: .2rem .7rem; text-align: left; border-bottom: 1px solid #e5e5e5 }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
img { max-width: 100%; display: block } .wrong { color: #b00020; font-weight: 600 } .equation { font-size: 1.05rem; color: #444 }
"""


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
            "integers compared": self.golden.size,
            "mismatches": self.mismatches,
            "RMS error": self.rms,
            "largest error": self.largest,
            **self.plan,
        }


@dataclass(frozen=True)
class Refused:
    """An equation that the board has no room for, and the planner's sentence about it."""

    name: str
    equation: str
    sentence: str


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


def write_page(rows: Sequence[Exhibit | Refused], folder: Path, *, board: str, clock: int) -> Path:
    """``index.html`` in ``folder``, with a strip ``NAME.png`` beside it for each exhibit; returns the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = [row for row in rows if isinstance(row, Exhibit)]
    for exhibit in shown:
        draw_exhibit(exhibit, folder / f"{exhibit.name}.png")
    compared, wrong = sum(row.golden.size for row in shown), sum(row.mismatches for row in shown)
    body = [
        f"<h1>Equations on a virtual {escape(board)}</h1>",
        f"<p>{len(shown)} of {len(rows)} equations ran on the simulated board over its serial wire: the field was written, stepped and "
        f"read back in stages. {compared:,} integers were compared with golden; {_counted(wrong)}. "
        "Errors are golden's against the same scheme in float64 at the last step, relative to the span of the fields then. "
        f"Cycles and resources are the plan's prediction, cell updates are at its clock of {clock / 1e6:g} MHz.</p>",
        f'<div class="wide">{_summary(rows)}</div>',
        *(_section(row) for row in rows),
    ]
    page = folder / "index.html"
    page.write_text(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">\n'
        f"<title>npde gallery: {escape(board)}</title><style>{STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n",
        encoding="utf-8",
    )
    return page


def _summary(rows: Sequence[Exhibit | Refused]) -> str:
    heads = ("grid", "steps", "integers compared", "mismatches", "RMS error", "largest error", "k", "cycles per step", "cell updates/s")
    lines = ["<tr><th>equation</th>" + "".join(f'<th class="number">{head}</th>' for head in heads) + "</tr>"]
    for row in rows:
        link = f'<td><a href="#{escape(row.name)}">{escape(row.name)}</a></td>'
        if isinstance(row, Refused):
            lines.append(f'<tr>{link}<td colspan="{len(heads)}">does not fit</td></tr>')
            continue
        values = (
            escape(row.grid), f"{row.times[-1]:,}", f"{row.golden.size:,}", _wrong(row.mismatches), f"{row.rms:.2g}", f"{row.largest:.2g}",
            f"{row.plan['copies']:,}", f"{row.plan['cycles per step']:,.1f}", f"{row.plan['cell updates per second'] / 1e6:,.1f} M",
        )  # fmt: skip
        lines.append(f"<tr>{link}" + "".join(f'<td class="number">{value}</td>' for value in values) + "</tr>")
    return f"<table>{''.join(lines)}</table>"


def _section(row: Exhibit | Refused) -> str:
    head = f'<h2 id="{escape(row.name)}">{escape(row.name)}</h2><p class="equation">{escape(row.equation)}</p>'
    if isinstance(row, Refused):
        return f"{head}<p>{escape(row.sentence)}</p>"
    used = "; ".join(f"{count:,} of {free:,} {escape(kind)}" for kind, (count, free) in row.resources.items())
    return (
        f"{head}<p>{escape(row.grid)}, {len(row.times)} snapshots, {_counted(row.mismatches)}; error {100 * row.rms:.2g} % RMS, "
        f"{100 * row.largest:.2g} % at most. {row.plan['copies']:,} copies of the time step (k), {row.plan['cycles per step']:,.1f} cycles a step. "
        f"Resources: {used}.</p>"
        f'<img src="{escape(row.name)}.png" alt="{escape(row.name)}: board, golden, and golden less float64, at {len(row.times)} times">'
    )


def _wrong(count: int) -> str:
    return f'<span class="wrong">{count:,}</span>' if count else "0"


def _counted(count: int) -> str:
    return f"{_wrong(count)} mismatch{'' if count == 1 else 'es'}"
