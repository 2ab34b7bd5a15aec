"""What every command says the same way: progress on standard error, results on standard output, JSON on request."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from npde.errors import FileError

results = Console()
complaints = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]


def show(title: str, values: Mapping[str, Any], *, as_json: bool) -> None:
    """One result: a two-column table, or the same as JSON with ``_`` for spaces in its keys."""
    if as_json:
        print(json.dumps({key.replace(" ", "_"): value for key, value in values.items()}))
        return
    table = Table(title=escape(title), show_header=False, title_justify="left")
    for key, value in values.items():
        table.add_row(escape(key), escape(_text(value)))
    results.print(table)


def _text(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
        case Mapping():
            return "\n".join(f"{key}: {_text(item)}" for key, item in value.items())
        case _:
            return str(value)


@contextmanager
def bar(what: str, total: float) -> Iterator[Any]:
    """A progress bar on standard error; gives its ``advance(by)`` and ``set(done)`` as one function ``tick(by)``."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=complaints, transient=not complaints.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda by=1, **changes: progress.update(task, advance=by, **changes)


def writable(path: Path) -> Path:
    """``path``, its folder made; raises :class:`FileError` where nothing can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise FileError(f"{path} cannot be written: it is a folder, or its folder is not yours to write to")
    return path
