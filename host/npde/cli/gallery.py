"""``npde gallery``: every ready equation on a virtual board, beside golden and float64, as one page."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.table import Table

from npde import golden
from npde.cli.hardware import BoardName
from npde.cli.output import AsJson, bar, results, show, writable
from npde.errors import FitError
from npde.link.board import Board

if TYPE_CHECKING:  # they bring sympy along, which no other command should wait for
    from npde.equation.general import Discretised
    from npde.report.gallery import Exhibit

PLANE, ROW = (32, 32), (1, 96)
SNAPSHOTS = 5
STEPS = {
    "heat": 80, "anisotropic-heat": 80, "layered-heat": 120, "advection-diffusion": 60, "burgers": 300, "fisher-kpp": 160, "allen-cahn": 120,
    "gray-scott": 600, "fitzhugh-nagumo": 240, "schroedinger": 100, "nonlinear-schroedinger": 600, "paraxial": 60,
}  # fmt: skip
"""How long each has something to show on a small grid; boards are planned for this many steps."""


def gallery(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the page and its pictures.")] = Path("build/gallery"),
    board: BoardName = "ulx3s-25f",
    only: Annotated[list[str] | None, typer.Option("--only", help="A ready equation (npde derive list); may be repeated, all by default.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Time steps of every equation; by default each one's own.")] = None,
    json: AsJson = False,
) -> None:
    """Run the ready equations on a virtual board over its wire, compare with golden and float64, and write a page of it."""
    from npde.equation.catalogue import CATALOGUE, find
    from npde.report.gallery import Exhibit, Refused, write_page
    from npde_hdl import board as boards

    chosen = boards.get(board)
    names = list(dict.fromkeys(only or CATALOGUE))
    for name in names:
        find(name)
    writable(output / "index.html")
    rows: list[Exhibit | Refused] = []
    with bar("gallery", len(names) * (SNAPSHOTS + 1)) as tick:
        for number, name in enumerate(names):
            tick(0, description=f"{name}: simulator")
            try:
                rows.append(exhibit(name, board, steps, partial(tick, description=name)))
            except FitError as error:
                rows.append(Refused(name, find(name).equation, str(error)))
            tick(0, completed=(number + 1) * (SNAPSHOTS + 1))
    page = write_page(rows, output, board=board, clock=chosen.clock)
    shown = [row for row in rows if isinstance(row, Exhibit)]
    refused = [row for row in rows if isinstance(row, Refused)]
    wrong = sum(row.mismatches for row in shown)
    values = {
        "page": str(page),
        "equations": len(shown),
        "do not fit": [row.name for row in refused] if json else ", ".join(row.name for row in refused) or "none",
        "integers compared": sum(row.golden.size for row in shown),
        "mismatches": wrong,
    }
    if json:
        values["rows"] = [{key.replace(" ", "_"): value for key, value in row.as_dict().items()} for row in shown]
    elif shown:
        results.print(_table(shown))
    show(f"gallery on a virtual {board}", values, as_json=json)
    if not shown:
        raise FitError(f"none of the chosen equations fits {board}: {refused[0].sentence}")
    raise typer.Exit(1 if wrong else 0)


def exhibit(name: str, board: str, steps: int | None = None, progress: Callable[[], object] = lambda: None) -> Exhibit:
    """Run a ready equation on a virtual ``board``, by golden and in float64, with snapshots on the way; ``steps`` by default its own.

    ``progress`` is called once the board is there and after every snapshot. Raises :class:`FitError` where the board has no room.
    """
    from npde.equation.catalogue import find, ready, start
    from npde.equation.general import with_times
    from npde.report.gallery import Exhibit
    from npde_hdl import board as boards
    from npde_sim.virtual import VirtualBoard

    entry = find(name)
    planned = STEPS.get(name, entry.steps)
    steps = steps or planned
    equation = ready(name, ROW if entry.shape[0] == 1 else PLANE, times=planned)
    state = start(equation)
    times = sorted({round(k * steps / (SNAPSHOTS - 1)) for k in range(SNAPSHOTS)})
    with VirtualBoard(equation.model.program, board) as virtual:
        plan = virtual.plan
        progress()
        answered = _on_board(virtual.port, plan.baud, equation, state, times, progress)
    wanted, reals = [equation.quantise(state)], [np.asarray(state, np.float64)]
    for before, time in pairwise(times):
        wanted.append(golden.run(with_times(equation.model, time - before), wanted[-1]).output)
        reals.append(equation.reference.run(reals[-1], time - before))
    step = plan.evolved[0]
    budget = boards.get(board).budget.as_dict()
    return Exhibit(
        name, entry.equation, str(equation.model.program.input), equation.fields, equation.dt, equation.h, times,
        np.stack(answered), np.concatenate(wanted), np.concatenate(reals), equation.q,
        {
            "copies": step.copies,
            "cycles per step": round(step.initiation_interval / step.step.times, 2),
            "cell updates per second": round(step.cells_a_cycle * plan.clock),
        },
        {kind: (used, budget[kind]) for kind, used in plan.cost.as_dict().items() if budget[kind]},
        equation.reference.maps[0, :, :, 0] if len(equation.maps) == 1 else None,
    )  # fmt: skip


def _on_board(
    port: str, baud: int, equation: Discretised, state: np.ndarray, times: list[int], progress: Callable[[], object]
) -> list[np.ndarray]:
    """The board's field at each of ``times``, read over the wire."""
    fields = []
    with Board.open(port, baud=baud) as link:
        link.load(equation.model)
        link.write_field(equation.quantise(state)[0])
        for before, time in pairwise([0, *times]):
            if time > before:
                link.step(time - before)
            fields.append(link.read_field())
            progress()
    return fields


def _table(rows: list[Exhibit]) -> Table:
    table = Table("equation", "mismatches", "RMS", "largest", "k", "Mcells/s")
    for row in rows:
        table.add_row(
            row.name, f"{row.mismatches:,}", f"{100 * row.rms:.2g} %", f"{100 * row.largest:.2g} %", f"{row.plan['copies']:,}",
            f"{row.plan['cell updates per second'] / 1e6:,.1f}",
        )  # fmt: skip
    return table
