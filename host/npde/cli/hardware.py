"""``npde plan``, ``verify``, ``build`` and ``flash``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from npde.cli.output import AsJson, bar, complaints, results, show, writable
from npde.models import load_model

ModelSource = Annotated[str, typer.Argument(help="A model file, or a shipped one: digits, fashion.")]
BoardName = Annotated[str, typer.Option("--board", help="icebreaker, hx8k, ulx3s-25f, … (docs/boards.md has all of them).")]
Clock = Annotated[float | None, typer.Option(min=0.1, help="Pipeline clock in MHz, the board's by default.")]
Baud = Annotated[int | None, typer.Option(min=300, help="Bit rate of the UART, the board's by default.")]


def _hertz(clock: float | None) -> int | None:
    return round(clock * 1e6) if clock else None


def _plan(model: str, board: str, clock: float | None, baud: int | None):
    from npde_hdl import board as boards
    from npde_hdl.plan import plan_for

    return plan_for(load_model(model).program, boards.get(board), clock=_hertz(clock), baud=baud)


def plan(
    model: ModelSource,
    board: BoardName = "icebreaker",
    clock: Clock = None,
    baud: Baud = None,
    pareto: Annotated[bool, typer.Option("--pareto", help="All foldings worth having: frames a second against resources.")] = False,
    picture: Annotated[Path, typer.Option(help="Where --pareto draws them.")] = Path("pareto.png"),
    json: AsJson = False,
) -> None:
    """How the model is folded onto a board, and what that costs and yields."""
    from npde_hdl import board as boards

    if pareto:
        _pareto(model, board, clock, baud, picture, json)
        return
    chosen = _plan(model, board, clock, baud)
    budget = boards.get(board).budget.as_dict()
    used = {kind: f"{count:,} of {budget[kind]:,}" for kind, count in chosen.cost.as_dict().items() if budget[kind]}
    values = {
        "board": chosen.board,
        "clock": chosen.clock,
        "initiation interval": chosen.initiation_interval,
        "frames per second": round(chosen.frames_per_second, 2),
        "frames per second the wire allows": round(chosen.wire_frames_per_second, 2),
        "multipliers": chosen.multipliers,
        "utilisation": round(chosen.utilisation, 4),
        "resources": chosen.cost.as_dict() if json else used,
    }
    steps = [
        {
            "step": step.index, "lanes": f"{step.packing.fold.pe}×{step.packing.fold.simd}", "multiplier": step.multiplier,
            "memory": step.memory, "cycles": step.initiation_interval,
        }
        for step in chosen.weighted
    ] + [
        {
            "step": step.index, "lanes": f"{step.copies} × time step", "multiplier": step.kinds[0],
            "memory": "rows" if step.streams else "field and rows", "cycles": step.initiation_interval,
        }
        for step in chosen.evolved
    ]  # fmt: skip
    steps.sort(key=lambda row: row["step"])
    if chosen.evolved:
        # A pipeline runs at the pace of its slowest step.
        updates = sum(step.step.times * step.grid.height * step.grid.width for step in chosen.evolved)
        values["cell updates per second"] = round(updates * chosen.frames_per_second)
    if json:
        values["steps"] = steps
    show(f"{model} on {board}", values, as_json=json)
    if not json and steps:
        table = Table(*steps[0])
        for row in steps:
            table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in row.values()))
        results.print(table)


def _pareto(model: str, board: str, clock: float | None, baud: int | None, picture: Path, json: bool) -> None:
    from npde.report.pareto import draw
    from npde_hdl import board as boards
    from npde_hdl.plan.pareto import frontier

    writable(picture)
    on = boards.get(board)
    plans = frontier(load_model(model).program, on, clock=_hertz(clock), baud=baud)
    budget = {kind: count for kind, count in on.budget.as_dict().items() if count}
    shares = [{kind: 100 * plan.cost.as_dict()[kind] / count for kind, count in budget.items()} for plan in plans]
    title = f"{model} on {board} at {plans[0].clock / 1e6:g} MHz"
    draw(title, [(plan.frames_per_second, share) for plan, share in zip(plans, shares, strict=True)], plans[0].wire_frames_per_second, picture)
    rows = [
        {
            "frames per second": round(plan.frames_per_second, 1), "cycles": plan.initiation_interval,
            "multipliers": plan.multipliers, "utilisation": round(plan.utilisation, 3),
            **{kind: plan.cost.as_dict()[kind] for kind in budget},
        }
        for plan in plans
    ]  # fmt: skip
    if json:
        show(title, {"foldings": rows, "picture": str(picture)}, as_json=True)
        return
    table = Table(*rows[0], title=title)
    for row, share in zip(rows, shares, strict=True):
        table.add_row(*(f"{share[kind]:.0f} %" if kind in share else f"{value:,}" for kind, value in row.items()))
    results.print(table)
    results.print(f"{picture}: frames per second against each resource; the wire allows {plans[0].wire_frames_per_second:,.1f}")


def verify(
    model: ModelSource,
    board: BoardName = "icebreaker",
    data: Annotated[str | None, typer.Option(help="Use these test samples; random fields by default.")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of the random fields.")] = 0,
    waveform: Annotated[Path, typer.Option(help="Where a frame that differs leaves its waveform.")] = Path("mismatch.vcd"),
    json: AsJson = False,
) -> None:
    """Run the whole SoC in Verilator, pin by pin, and compare every output integer with the golden model."""
    from npde_sim.verify import compare, samples_for, trace
    from npde_sim.virtual import VirtualBoard

    subject = load_model(model)
    samples = samples_for(subject, data, count, seed)
    with complaints.status("building the simulator"):
        virtual = VirtualBoard(subject.program, board)
    with virtual, bar("verifying", len(samples)) as tick:
        outcome = compare(virtual.port, virtual.plan.baud, subject, samples, tick)
        speed = virtual.stop()
    show(f"{model} on {board}", {**outcome.as_dict(), "simulation": speed}, as_json=json)
    if outcome.frame is not None:
        complaints.print(f"npde: {outcome.first}", markup=False, soft_wrap=True)
        with complaints.status("running that frame again, traced"):
            again = trace(subject, board, samples[outcome.frame : outcome.frame + 1], writable(waveform))
        came = "that frame alone" if again.mismatches else "that frame alone, which then gave golden's answer"
        complaints.print(f"npde: {waveform} has the waveform of {came}", markup=False, soft_wrap=True)
        sys.exit(1)


def build(
    model: ModelSource,
    board: BoardName = "icebreaker",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for everything that is made.")] = Path("build"),
    clock: Clock = None,
    baud: Baud = None,
    seeds: Annotated[int, typer.Option(min=1, help="Placement seeds to try until the clock is met.")] = 8,
    jobs: Annotated[int, typer.Option(min=1, help="Seeds to try at once; an ECP5 takes 1 GB for each.")] = 1,
    json: AsJson = False,
) -> None:
    """Make the bitstream for a model's program: synthesis, place-and-route, packing."""
    from npde_hdl.build import build as run_tools

    chosen = _plan(model, board, clock, baud)
    with complaints.status("starting") as status:
        report = run_tools(chosen, output, seeds=seeds, jobs=jobs, progress=status.update)
    values = {
        "bitstream": str(output / report.bitstream),
        "fmax": f"{report.fmax / 1e6:.2f} MHz" if not json else report.fmax,
        "clock": f"{report.clock / 1e6:g} MHz" if not json else report.clock,
        "meets timing": report.meets_timing,
        "seed": report.seed,
    }
    for kind, entry in report.resources.items():
        if entry.available:
            values[kind] = (
                {"used": entry.used, "available": entry.available, "predicted": report.predicted[kind]}
                if json
                else f"{entry.used:,} of {entry.available:,} ({entry.used / entry.available:.0%}; {report.predicted[kind]:,} predicted)"
            )
    values["seconds"] = report.seconds
    show(f"{model} on {board}", values, as_json=json)


def flash(
    bitstream: Annotated[Path, typer.Argument(help="The .bin or .bit that npde build made.")],
    board: BoardName = "icebreaker",
    volatile: Annotated[bool, typer.Option(help="Load the device only; it forgets at power-down.")] = False,
) -> None:
    """Write a bitstream onto a board with openFPGALoader."""
    from npde_hdl.build import flash as write

    write(bitstream, board, volatile=volatile)
    results.print(f"{bitstream} is on the {board}")
