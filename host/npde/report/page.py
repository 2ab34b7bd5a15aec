"""What every table and section of the gallery's page has in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin: 2.5rem 0 .3rem; border-top: 1px solid #ddd; padding-top: 1rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: .6rem 0 } th, td { padding: .2rem .7rem; text-align: left; border-bottom: 1px solid #e5e5e5 }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums } td.number, td:first-child { white-space: nowrap } th { vertical-align: bottom }
img { max-width: 100%; display: block } .wrong { color: #b00020; font-weight: 600 } .equation { font-size: 1.05rem; color: #444 }
"""


@dataclass(frozen=True)
class Refused:
    """An equation or a classifier that was not run, ``why`` in a few words and in a ``sentence``."""

    name: str
    equation: str
    sentence: str
    why: str = "does not fit"


def write_html(path: Path, title: str, body: Sequence[str]) -> None:
    """``body``'s elements as a page of its own at ``path``, whose folder is there."""
    path.write_text(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n",
        encoding="utf-8",
    )


def summary(first: str, heads: Sequence[str], rows: Mapping[str, Sequence[str] | Refused]) -> str:
    """A table of numbers, HTML already: ``rows`` by anchor, each with a name and then a cell for each of ``heads``."""
    lines = [f"<tr><th>{first}</th>" + "".join(f'<th class="number">{head}</th>' for head in heads) + "</tr>"]
    for anchor, row in rows.items():
        name = row.name if isinstance(row, Refused) else row[0]
        link = f'<td><a href="#{escape(anchor)}">{escape(name)}</a></td>'
        if isinstance(row, Refused):
            lines.append(f'<tr>{link}<td colspan="{len(heads)}">{escape(row.why)}</td></tr>')
        else:
            lines.append(f"<tr>{link}" + "".join(f'<td class="number">{value}</td>' for value in row[1:]) + "</tr>")
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def heading(anchor: str, name: str, equation: str) -> str:
    """A section's start."""
    return f'<h2 id="{escape(anchor)}">{escape(name)}</h2><p class="equation">{escape(equation)}</p>'


def resources_in_words(resources: Mapping[str, tuple[int, int]]) -> str:
    """(used, available) by kind."""
    return "; ".join(f"{count:,} of {free:,} {escape(kind)}" for kind, (count, free) in resources.items())


def wrong(count: int) -> str:
    """A number that is marked unless it is zero."""
    return f'<span class="wrong">{count:,}</span>' if count else "0"


def counted(count: int) -> str:
    """So many mismatches."""
    return f"{wrong(count)} mismatch{'' if count == 1 else 'es'}"
