"""``npde demo``: the whole chain on real data, from training to answers over a serial port."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from npde import golden
from npde.cli.hardware import BoardName
from npde.cli.output import AsJson, bar, complaints, show, writable
from npde.data import load_data
from npde.link.board import Board


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the model and the picture.")] = Path("build/demo"),
    board: BoardName = "icebreaker",
    json: AsJson = False,
) -> None:
    """Train on the 8×8 digits, quantise, generate the gateware, run it as a virtual board, infer the test set."""
    from npde.report.evolution import draw_evolution
    from npde.training import learn
    from npde.training.recipe import recipe
    from npde_sim.virtual import VirtualBoard

    chosen, data = recipe("digits"), load_data("digits")
    picture = writable(output / "evolution.png")
    with bar("training", chosen.descent.epochs) as tick:
        trained = learn.train(chosen, data, progress=lambda done, loss: tick(0, completed=done))
    with bar("quantising", chosen.finetune.epochs) as tick:
        model = learn.quantise(trained, data, progress=lambda done, loss: tick(0, completed=done))
    model.save(output / "digits.npde")
    with complaints.status("generating and verilating the SoC"):
        virtual = VirtualBoard(model.program, board)
    with virtual:
        with Board.open(virtual.port, baud=virtual.plan.baud) as link, bar("inferring over the wire", len(data.test_x)) as tick:
            link.load(model)
            answer = link.infer(data.test_x, progress=tick)
        plan, speed = virtual.plan, virtual.stop()
    wanted = golden.run(model, model.quantise_input(data.test_x))
    wrong = (answer.output != wanted.output).any(axis=(1, 2, 3)) | (answer.label != wanted.label)
    draw_evolution(model, data.test_x[:5], picture, labels=data.test_y[:5])
    values = {
        "float accuracy": float(trained.notes["float accuracy"]),
        "quantised accuracy": float(np.mean(wanted.label == data.test_y)),
        "board accuracy": float(np.mean(answer.label == data.test_y)),
        "mismatches against golden": int(wrong.sum()),
        "test images": len(data.test_x),
        "cycles per inference": plan.initiation_interval,
        "MAC utilisation": round(plan.utilisation, 3),
        "simulation": speed,
        "model": str(output / "digits.npde"),
        "picture": str(picture),
    }
    show(f"8×8 digits on a virtual {board}", values, as_json=json)
    raise typer.Exit(1 if wrong.any() else 0)
