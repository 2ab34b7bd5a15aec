"""``npde load``, ``infer``, ``info``, ``bench`` and ``serve-virtual``: what is said to a board."""

from __future__ import annotations

import json as jsonlib
import re
import signal
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from npde import golden
from npde.cli.hardware import BoardName, ModelSource
from npde.cli.output import AsJson, bar, complaints, results, show, writable
from npde.data import load_data
from npde.errors import LinkError
from npde.link.board import BAUD, Board
from npde.link.port import of_model
from npde.model import Model
from npde.models import load_model
from npde.program import Program
from npde.wholefile import whole

Port = Annotated[str, typer.Option("--port", help="/dev/ttyUSB1, virtual:icebreaker (virtual:BOARD:MODEL), or firmware:posix (firmware:BOARD:MODEL).")]


def _rate(text: str) -> int:
    """A bit rate; 0 for ``auto``."""
    if text == AUTO:
        return 0
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < SLOWEST:
        raise typer.BadParameter(f"a bit rate is {SLOWEST} or more, or {AUTO}, not {text}")
    return int(text)


AUTO, SLOWEST = "auto", 300
Baud = Annotated[
    int,
    typer.Option(
        parser=_rate, metavar="RATE|auto",
        help=f"Bit rate of the port; auto begins at {BAUD} and takes the fastest that board, port and cable bear.",
    ),
]  # fmt: skip


def open_board(port: str, baud: int, model: str, program: Program) -> Board:
    """The board on ``port``; one made for it is made for ``model``, and one that takes programs is given its ``program``."""
    return Board.open(of_model(port, model), program, baud=baud or None)


def _test_samples(model: Model, data: str, count: int | None) -> tuple[np.ndarray, np.ndarray]:
    found = load_data(data)
    return found.test_x[:count], found.test_y[:count]


def load(
    model: ModelSource,
    port: Port,
    baud: Baud = AUTO,  # type: ignore[assignment]
    json: AsJson = False,
) -> None:
    """Give a board a model: its program, where the board takes programs at run time and has another, then its weights."""
    subject = load_model(model)
    with Board.open(of_model(port, model), baud=baud or None) as board:
        program = "was there"
        if board.info.shape != subject.program.shape_hash:
            board.adopt(subject.program)
            program = "loaded"
        board.load(subject)
        room = board.room
    values: dict[str, object] = {"program": program, "weights": "loaded and read back", "hash": subject.content_hash.hex()}
    if room is not None:
        values["memory for programs"] = room.memory
    show(f"{model} on {port}", values, as_json=json)


def infer(
    model: ModelSource,
    port: Port = "virtual:icebreaker",
    data: Annotated[str, typer.Option(help="digits, a folder of IDX files, or an .npz file: its test samples.")] = "digits",
    count: Annotated[int | None, typer.Option(min=1, help="The first so many, all by default.")] = None,
    baud: Baud = AUTO,  # type: ignore[assignment]
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write outputs and labels to this .npz.")] = None,
    json: AsJson = False,
) -> None:
    """Load a model onto a board and infer a data set's test samples over the wire, compared with golden."""
    subject = load_model(model)
    samples, labels = _test_samples(subject, data, count)
    fields = subject.quantise_input(samples)
    if output is not None:
        writable(output)
    with open_board(port, baud, model, subject.program) as board:
        board.load(subject)
        with bar("inferring", len(samples)) as tick:
            answer = board.infer(samples, progress=tick)
    wanted = golden.run(subject, fields)
    wrong = (answer.output != wanted.output).any(axis=(1, 2, 3))
    values: dict[str, object] = {"samples": len(samples), "mismatches": int(wrong.sum())}
    if answer.label is not None:
        values["accuracy"] = float(np.mean(answer.label == labels))
    if output is not None:
        arrays: dict[str, Any] = {"output": answer.output} | ({} if answer.label is None else {"label": answer.label})
        with whole(output) as file:
            np.savez(file, **arrays)
        values["written to"] = str(output)
    if json and answer.label is not None:
        values["labels"] = answer.label.tolist()
    show(f"{model} on {port}", values, as_json=json)
    if wrong.any():
        raise LinkError(f"the board on {port} answered {int(wrong.sum())} of {len(samples)} samples differently from golden")


def info(
    port: Annotated[str | None, typer.Option("--port", help="Ask the board there.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Describe this model file or shipped model.")] = None,
    baud: Baud = AUTO,  # type: ignore[assignment]
    json: AsJson = False,
) -> None:
    """What a board says of itself, what a model holds, or (with neither) which boards and models there are."""
    if model is not None:
        show(model, _describe(load_model(model)), as_json=json)
    if port is not None:
        with Board.open(port, baud=baud or None) as board:
            held, told, counters, room, now = board.held, board.info, board.status(), board.room, board.session.baud
        values = {
            "board": told.board, "build": told.build.hex(), "program": told.shape.hex(), "clock": told.clock, "baud": told.baud,
            "baud now": now,
            "model": held.hex() if held else "none", "sample bytes": told.sample, "answer bytes": told.answer,
            "weight memories": len(told.regions), "frames dropped": counters.dropped,
            "programs": f"loadable, {room.memory} bytes" if room else "built in",
        }  # fmt: skip
        show(port, values, as_json=json)
    if model is None and port is None:
        from npde.models import NAMES
        from npde_hdl.board import BOARDS

        show("npde", {"boards": ", ".join(BOARDS), "models": ", ".join(NAMES)}, as_json=json)


def _describe(model: Model) -> dict[str, object]:
    program = model.program
    return {
        "program": program.name, "hash": model.content_hash.hex(), "shape": program.shape_hash.hex(),
        "input": str(program.input), "output": str(program.output), "steps": len(program.steps),
        "weights": program.weight_count, "multiply-accumulates": program.macs, **model.notes,
    }  # fmt: skip


def bench(
    model: ModelSource,
    port: Port = "virtual:icebreaker",
    data: Annotated[str, typer.Option(help="Whose test samples to send.")] = "digits",
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 50,
    baud: Baud = AUTO,  # type: ignore[assignment]
    json: AsJson = False,
) -> None:
    """Time inference over the wire beside the golden model on this machine, and count cycles a frame."""
    subject = load_model(model)
    samples, _ = _test_samples(subject, data, count)
    with open_board(port, baud, model, subject.program) as board:
        board.load(subject)
        board.infer(samples[:1])
        began = time.perf_counter()
        board.infer(samples)
        wire = time.perf_counter() - began
        clock = board.info.clock
    began = time.perf_counter()
    golden.run(subject, subject.quantise_input(samples))
    local = time.perf_counter() - began
    values = {
        "samples": len(samples),
        "frames per second over the wire": len(samples) / wire,
        "frames per second by golden here": len(samples) / local,
        "ratio": local / wire,
        "board clock": clock,
    }
    show(f"{model} on {port}", values, as_json=json)


def serve_virtual(
    model: ModelSource = "digits",
    board: BoardName = "icebreaker",
    json: AsJson = False,
) -> None:
    """Run a virtual board until interrupted; prints the device path to open."""
    from npde_sim.virtual import VirtualBoard

    program = load_model(model).program
    with complaints.status("building the simulator"):
        virtual = VirtualBoard(program, board)
    with virtual:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            if json:
                print(jsonlib.dumps({"port": virtual.port, "baud": virtual.plan.baud}), flush=True)
            else:
                results.print(f"{board} for {model} is at {virtual.port} ({virtual.plan.baud:,} baud); interrupt to stop")
            status = virtual.process.wait()
        except KeyboardInterrupt:
            complaints.print(virtual.stop(), markup=False, highlight=False)
            return
    # A terminal's interrupt reaches the simulator as well, which then ends with 0, perhaps before this process hears of it.
    if status:
        raise LinkError(f"the virtual board ended by itself (status {status})")


def doctor(
    port: Annotated[str | None, typer.Option("--port", help="Examine the board there; without, list the ports.")] = None,
    baud: Baud = AUTO,  # type: ignore[assignment]
    json: AsJson = False,
) -> None:
    """Find what is wrong with a board's connection, and say what to do."""
    from npde.link.doctor import examine, ports

    findings = ports() if port is None else examine(port, baud or BAUD)
    if json:
        print(jsonlib.dumps({"ok": all(finding.ok for finding in findings), "findings": [finding._asdict() for finding in findings]}))
    else:
        rows = {finding.what: finding.found if finding.ok else f"WRONG: {finding.found}" for finding in findings}
        show(port or "serial ports", rows, as_json=False)
    for finding in findings:
        if not finding.ok:
            raise LinkError(f"{finding.found}; {finding.advice}")
