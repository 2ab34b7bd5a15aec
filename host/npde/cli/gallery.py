"""``npde gallery``: every ready equation and every shipped model on a virtual board, beside golden, as one page."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

from npde.cli.exhibit import PARTS, classifier_exhibit, equation_exhibit
from npde.cli.hardware import BoardName
from npde.cli.output import AsJson, bar, results, show, writable
from npde.data import Dataset, load_data
from npde.errors import DataError, FitError, ProgramError
from npde.models import NAMES, load_model

if TYPE_CHECKING:  # it brings sympy along, which no other command should wait for
    from npde.report.classifier import Classifier
    from npde.report.gallery import Exhibit

FASHION = "fashion-mnist"
"""What the notes of a model call the data that no package brings."""
NEEDS_FASHION = "needs Fashion-MNIST: give --fashion FOLDER, where its four IDX files are"


def gallery(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the page and its pictures.")] = Path("build/gallery"),
    board: BoardName = "ulx3s-25f",
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="A ready equation (npde derive list) or shipped model (npde info); may be repeated, all by default."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Time steps of every equation; by default each one's own.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Test samples sent to every classifier.")] = 100,
    fashion: Annotated[
        Path | None, typer.Option(help="Folder of Fashion-MNIST's IDX files; classifiers of them are left out without.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Run ready equations and shipped classifiers on a virtual board over its wire, compare with golden, and write a page of it."""
    from npde.equation.catalogue import CATALOGUE, find
    from npde.report.classifier import EQUATIONS
    from npde.report.gallery import write_page
    from npde.report.page import Refused
    from npde_hdl import board as boards

    chosen = boards.get(board)
    for name in only or ():
        if name not in CATALOGUE and name not in NAMES:
            raise ProgramError(
                f"there is no equation or model {name!r}; equations are {', '.join(CATALOGUE)}, models are {', '.join(NAMES)}"
            )
    # One name, schroedinger, is an equation's and a model's: both are meant.
    equations = [name for name in dict.fromkeys(only or CATALOGUE) if name in CATALOGUE]
    models = [name for name in dict.fromkeys(only or NAMES) if name in NAMES]
    folder = None if fashion is None else load_data(fashion)
    sets = {name: _data(name, folder) for name in models}
    for name, data in sets.items():
        if data is not None:
            load_model(name).quantise_input(data.test_x[:1])  # samples of another shape are told of before minutes of simulation
    writable(output / "index.html")
    rows: list[Exhibit | Refused] = []
    classifiers: list[Classifier | Refused] = []
    done = 0
    with bar("gallery", (len(equations) + len(models)) * PARTS) as tick:
        for name in equations:
            tick(0, description=f"{name}: simulator")
            try:
                rows.append(equation_exhibit(name, board, steps, partial(tick, description=name)))
            except FitError as error:
                rows.append(Refused(name, find(name).equation, str(error)))
            done += PARTS
            tick(0, completed=done)
        for name, data in sets.items():
            tick(0, description=f"{name}: simulator")
            try:
                classifiers.append(
                    Refused(name, EQUATIONS[name], f"{name} {NEEDS_FASHION}", NEEDS_FASHION)
                    if data is None
                    else classifier_exhibit(name, board, data, samples, partial(tick, description=name))
                )
            except FitError as error:
                classifiers.append(Refused(name, EQUATIONS[name], str(error)))
            done += PARTS
            tick(0, completed=done)
    page = write_page(rows, classifiers, output, board=board, clock=chosen.clock)
    ran: list[Exhibit | Classifier] = [row for row in (*rows, *classifiers) if not isinstance(row, Refused)]
    refused = [row for row in (*rows, *classifiers) if isinstance(row, Refused)]
    dataless = [row.name for row in refused if row.why == NEEDS_FASHION]
    wrong = sum(row.mismatches for row in ran)
    _tell(ran, [row.name for row in refused if row.why != NEEDS_FASHION], dataless, page, board, json)
    if not ran and len(dataless) < len(refused):
        sentence = next(row.sentence for row in refused if row.why != NEEDS_FASHION)
        raise FitError(f"none of the chosen equations and models fits {board}: {sentence}")
    if not ran:
        raise DataError(f"{', '.join(dataless)} {NEEDS_FASHION}")
    raise typer.Exit(1 if wrong else 0)


def _data(name: str, fashion: Dataset | None) -> Dataset | None:
    """The data set a shipped model was trained on, or None where it is not there."""
    source = load_model(name).notes["data"]
    return fashion if source == FASHION else load_data(source)


def _tell(ran: list[Exhibit | Classifier], unfit: list[str], dataless: list[str], page: Path, board: str, json: bool) -> None:
    """Tables of what ran, then the counts; with ``json`` the rows of both among them."""
    from npde.report.classifier import Classifier
    from npde.report.gallery import Exhibit

    equations, classifiers = [row for row in ran if isinstance(row, Exhibit)], [row for row in ran if isinstance(row, Classifier)]
    values: dict[str, Any] = {
        "page": str(page),
        "equations": len(equations),
        "classifiers": len(classifiers),
        "do not fit": unfit if json else ", ".join(unfit) or "none",
        "integers compared": sum(row.compared for row in ran),
        "mismatches": sum(row.mismatches for row in ran),
    }
    if json:
        values["without data"] = dataless
        values["rows"] = [{key.replace(" ", "_"): value for key, value in row.as_dict().items()} for row in ran]
    else:
        if dataless:
            values["without data"] = f"{', '.join(dataless)}: {NEEDS_FASHION}"
        if equations:
            results.print(_equations(equations))
        if classifiers:
            results.print(_classifiers(classifiers))
    show(f"gallery on a virtual {board}", values, as_json=json)


def _equations(rows: list[Exhibit]) -> Table:
    table = Table("equation", "mismatches", "RMS", "largest", "k", "Mcells/s")
    for row in rows:
        table.add_row(
            row.name, f"{row.mismatches:,}", f"{100 * row.rms:.2g} %", f"{100 * row.largest:.2g} %", f"{row.plan['copies']:,}",
            f"{row.plan['cell updates per second'] / 1e6:,.1f}",
        )  # fmt: skip
    return table


def _classifiers(rows: list[Classifier]) -> Table:
    # Heads in two lines leave the names room on a terminal of 80 columns.
    table = Table(Column("classifier", no_wrap=True), "mis-\nmatches", "board", "golden,\nall", "cycles", "frames/s", "busy")
    for row in rows:
        table.add_row(
            row.name, f"{row.mismatches:,}", f"{row.accuracy:.2%}", f"{row.right / row.tested:.2%}", f"{row.plan['cycles per frame']:,}",
            f"{row.plan['frames per second']:,.0f}", f"{row.plan['multipliers busy']:.1%}",
        )  # fmt: skip
    return table
