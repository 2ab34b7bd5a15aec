"""``npde derive`` and ``npde simulate``: from a right-hand side to a model, and the model's field over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from npde.archive import read_npy
from npde.cli.output import AsJson, show, writable
from npde.errors import DataError, ProgramError

TIMES = 1000
"""Time steps of one run where nobody says how many: enough that copies of the step side by side are worth having."""
Pairs = Annotated[
    list[str] | None, typer.Option("--set", help="A constant or parameter, NAME=NUMBER; may be repeated.")
]
MapFiles = Annotated[
    list[str] | None,
    typer.Option("--map", help="A per-cell coefficient, NAME=FILE.npy of (height, width); may be repeated."),
]


def derive(
    equation: Annotated[
        str,
        typer.Argument(help="A ready equation's name (npde derive list), or text: 'u_t = D*laplace(u) - u; v_t = …'."),
    ],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where the model goes.")] = None,
    grid: Annotated[str | None, typer.Option(help="HEIGHTxWIDTH in cells, or WIDTH for a row.")] = None,
    dt: Annotated[float | None, typer.Option(help="The time step.")] = None,
    h: Annotated[float | None, typer.Option(help="The grid spacing.")] = None,
    parameters: Pairs = None,
    map_files: MapFiles = None,
    boundary: Annotated[str | None, typer.Option(help="periodic, dirichlet or neumann.")] = None,
    scheme: Annotated[str, typer.Option(help="euler or leapfrog; a ready equation has its own.")] = "euler",
    times: Annotated[
        int | None,
        typer.Option(help=f"Time steps of one run of the model; by default a ready equation's own number, else {TIMES}."),
    ] = None,
    width: Annotated[int | None, typer.Option(help="Bits of a field, 2 to 18.")] = None,
    largest: Annotated[float | None, typer.Option(help="The greatest magnitude of the fields.")] = None,
    force: Annotated[bool, typer.Option(help="Allow an unstable step.")] = False,
    json: AsJson = False,
) -> None:
    """Derive a model of integers from an equation; prints its orders, stability limit, formats and cost."""
    from npde.equation.catalogue import CATALOGUE, ready
    from npde.equation.general import discretise

    if equation == "list":
        show("ready equations", {name: entry.equation for name, entry in CATALOGUE.items()}, as_json=json)
        return
    chosen: dict[str, Any] = {"dt": dt, "h": h, "boundary": boundary, "width": width, "largest": largest}
    own = CATALOGUE[equation].steps if equation in CATALOGUE else TIMES
    options = {key: value for key, value in chosen.items() if value is not None}
    options |= {"times": own if times is None else times, "force": force}
    constants = {name: _number(value, name) for name, value in _pairs(parameters, "--set")}
    maps = {name: _map(Path(file), name) for name, file in _pairs(map_files, "--map")}
    if "=" not in equation:
        if equation == "paraxial" and "dt" in options:
            options["dz"] = options.pop("dt")
        found = ready(equation, _shape(grid) if grid else None, **options, **constants, **maps)
    else:
        if dt is None:
            raise ProgramError("an equation of one's own needs --dt, the time step")
        found = discretise(
            equation,
            shape=_shape(grid or "64x64"),
            constants=constants,
            maps=maps,
            scheme=scheme,
            notes={"equation": equation},
            **options,
        )
    if output is not None:
        found.model.save(writable(output))
    where = {"model": str(output), "hash": found.model.content_hash.hex()} if output is not None else {}
    show(found.model.program.name, {**found.summary(), **where}, as_json=json)


def simulate(
    model: Annotated[Path, typer.Argument(help="A model from npde derive.")],
    output: Annotated[
        Path, typer.Argument(help="A picture (.png, .svg, …), an animation (.gif), or the fields (.npz).")
    ],
    steps: Annotated[int | None, typer.Option(min=1, help="Time steps; by default the model's.")] = None,
    initial: Annotated[
        str | None, typer.Option(help="FILE.npy of (height, width, fields); by default a ready equation's own start.")
    ] = None,
    count: Annotated[int, typer.Option(min=2, help="Snapshots, the first and the last among them.")] = 6,
    json: AsJson = False,
) -> None:
    """Run a model by golden, the exact integers of the hardware, and draw or keep snapshots of its field."""
    from npde.model import Model
    from npde.program import Evolve
    from npde.report.field import draw_animation, draw_strip, snapshots

    loaded = Model.load(model)
    evolve = loaded.program.steps[0]
    if len(loaded.program.steps) != 1 or not isinstance(evolve, Evolve):
        raise ProgramError(f"{model} is no evolution alone: simulate runs what npde derive writes")
    writable(output)
    name = loaded.notes.get("equation", "")
    state = _initial(loaded, initial, name)
    steps = steps or evolve.times
    times, frames = snapshots(loaded, state, steps, 48 if output.suffix == ".gif" and count == 6 else count)
    fields = loaded.notes.get("fields", ",".join(f"u{k}" for k in range(loaded.program.input.channels))).split(",")
    dt, h = float(loaded.notes.get("dt", 1)), float(loaded.notes.get("h", 1))
    if output.suffix == ".npz":
        np.savez_compressed(output, times=np.array(times) * dt, fields=frames)
    elif output.suffix == ".gif":
        draw_animation(frames, output, fields=fields)
    else:
        maps = loaded.weights[0].maps
        potential = (
            evolve.map.real(maps[0, :, :, 0]) if maps is not None and evolve.maps == 1 and not evolve.planes else None
        )
        draw_strip(
            times,
            frames,
            output,
            fields=fields,
            title=f"{loaded.program.name}, {loaded.program.input}",
            dt=dt,
            h=h,
            potential=potential,
        )
    end = frames[-1]
    values = {
        "steps": steps,
        "time": steps * dt,
        **{f"{field} from": float(end[..., k].min()) for k, field in enumerate(fields)},
        **{f"{field} to": float(end[..., k].max()) for k, field in enumerate(fields)},
        "output": str(output),
    }
    show(str(model), values, as_json=json)


def _initial(loaded: Any, initial: str | None, name: str) -> np.ndarray:
    from npde.equation.catalogue import CATALOGUE, ready, start

    grid = loaded.program.input
    if initial is not None:
        return _array(Path(initial), "the initial state", [grid.shape, grid.shape[:2]]).reshape(grid.shape)
    if name not in CATALOGUE:
        raise ProgramError("an equation of one's own has no start: give --initial FILE.npy of (height, width, fields)")
    return start(ready(name, (grid.height, grid.width)))[0]


def _pairs(given: list[str] | None, option: str) -> list[tuple[str, str]]:
    pairs = []
    for text in given or []:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise ProgramError(f"{option} takes NAME=VALUE, not {text!r}")
        pairs.append((name.strip(), value.strip()))
    return pairs


def _number(text: str, name: str) -> Any:
    """A number as it is written, so that 0.1 is a tenth; a speed is two of them, ``0.5,0.25``; yes and no are flags."""
    if text in ("yes", "no"):
        return text == "yes"
    parts = text.split(",")
    try:
        numbers = tuple(float(part) for part in parts)
    except ValueError as error:
        if text.isidentifier():
            return text
        raise ProgramError(f"{name} is a number, not {text!r}") from error
    return numbers if len(numbers) > 1 else numbers[0]


def _shape(text: str) -> tuple[int, int]:
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):
        raise ProgramError(f"a grid is written HEIGHTxWIDTH, or WIDTH for a row, not {text!r}")
    cells = [int(part) for part in parts]
    return (1, cells[0]) if len(cells) == 1 else (cells[0], cells[1])


def _map(path: Path, name: str) -> np.ndarray:
    return _array(path, f"map {name}", None)


def _array(path: Path, what: str, shapes: list[tuple[int, ...]] | None) -> np.ndarray:
    try:
        array = read_npy(path)
    except ValueError as error:
        raise DataError(f"{what}: {path} cannot be read as an .npy file") from error
    if not isinstance(array, np.ndarray) or not (
        np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)
    ):
        raise DataError(f"{what}: {path} holds no array of real numbers")
    if shapes is not None and array.shape not in shapes:
        raise DataError(f"{what} has shape {array.shape}, not {shapes[0]}")
    return np.asarray(array, np.float64)
