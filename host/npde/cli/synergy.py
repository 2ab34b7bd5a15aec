"""``npde synergy``: two models learned together, B from an image to a code and A back, with what they find and clean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np
import typer
from numpy.typing import NDArray

from npde import golden
from npde.cli.learning import SOURCES
from npde.cli.output import AsJson, bar, complaints, show, writable
from npde.data import Dataset, load_data
from npde.errors import DataError
from npde.model import Model

if TYPE_CHECKING:
    from npde.training.synergetic.anomaly import Trial
    from npde.training.synergetic.configuration import Synergy
    from npde.training.synergetic.system import System

PICTURED = 6
SENT = 20
"""Test images that go over the wires of two virtual boards."""


def synergy(
    output: Annotated[Path, typer.Argument(help="Folder for A.npde, B.npde, images.png and roc.png.")],
    data: Annotated[str | None, typer.Option(help=f"{SOURCES} The digits by default.")] = None,
    recipe: Annotated[str | None, typer.Option(help="digits or fashion; by default what the data calls for.")] = None,
    anomaly: Annotated[
        int | None, typer.Option(help="A class no training sample is of, to be found; by default images with a piece of another in them are.")
    ] = None,
    schedule: Annotated[str | None, typer.Option(help="joint, alternating or apart; the recipe's own by default.")] = None,
    code: Annotated[int | None, typer.Option(help="Another number of values in the code than the recipe's.")] = None,
    epochs: Annotated[int | None, typer.Option(min=0, help="Another number of epochs in real numbers than the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed than the recipe's.")] = None,
    board: Annotated[str | None, typer.Option(help=f"Also send {SENT} images through two virtual boards of that name, B's answers to A's.")] = None,
    json: AsJson = False,
) -> None:
    """Learn a reducing and a generating model together; score anomalies and take noise away by their integers."""
    from npde.training.synergetic import anomaly as anomalies
    from npde.training.synergetic import configuration
    from npde.training.synergetic.learn import epochs as all_epochs
    from npde.training.synergetic.learn import learn

    if board is not None:
        from npde_hdl import board as boards

        boards.get(board)  # an unknown one is complained of before anything is learned
    given = {"schedule": schedule, "code": code, "seed": seed}
    chosen = configuration.synergy(recipe or ("digits" if data is None or data.startswith("digits") else "fashion"))
    chosen = msgspec.structs.replace(chosen, **{name: value for name, value in given.items() if value is not None})
    if epochs is not None:
        chosen = msgspec.structs.replace(chosen, descent=msgspec.structs.replace(chosen.descent, epochs=epochs))
    samples = _samples(data, chosen)
    trial = anomalies.trial(samples, anomaly)
    for name in ("A.npde", "B.npde", "images.png", "roc.png"):
        writable(output / name)
    with bar("learning together", all_epochs(chosen)) as tick:
        system = learn(
            chosen, trial.learned,
            progress=lambda done, nats: tick(0, completed=done, description=f"learning together, free energy {nats:.1f} nats"),
        )  # fmt: skip
    system.save(output)
    figures = _measured(system, trial, samples, output)
    if board is not None:
        figures |= _on_boards(system, trial.learned.test_x[:SENT], board)
    show(str(output), figures, as_json=json)


def _samples(data: str | None, chosen: Synergy) -> Dataset:
    from npde.training.recipe import FOLDER

    if data is None and chosen.data == FOLDER:
        raise DataError(f"synergy {chosen.name!r} takes a folder of IDX files, which --data names")
    return load_data(data or chosen.data)


def _measured(system: System, trial: Trial, data: Dataset, folder: Path) -> dict[str, str | int | float]:
    """The figures by golden, and the two pictures in ``folder``."""
    from npde.report.synergy import anomalies, denoising, draw_images, draw_roc
    from npde.training.synergetic.measure import as_units, denoised, measure, measure_components, psnr_of_noise

    found, components = measure(system, trial), measure_components(system.synergy.code, trial)
    name = f"{data.name}, {'patched images' if trial.name == 'patched' else trial.name} strange"
    scores = {f"pair, {what}": values for what, values in found.scores.items()}
    scores |= {f"components, {what}": values for what, values in components.scores.items()}
    draw_roc(scores, trial.strange, folder / "roc.png", title=name)
    cleaned, clean = denoised(system, trial.learned), as_units(trial.learned, trial.learned.test_x)
    shown = slice(PICTURED)
    stranger = system.answer(trial.images[trial.strange][shown])
    columns = [*denoising(clean[shown, ..., 0], cleaned.images[shown, ..., 0], cleaned.generated[shown, ..., 0])]
    if len(stranger.images) == len(columns[0].images):
        columns += anomalies(stranger.images[..., 0], stranger.generated[..., 0])
    draw_images(columns, folder / "images.png", title=name)
    return {
        "A": f"{system.a.program.weight_count:,} weights, {system.a.content_hash.hex()}",
        "B": f"{system.b.program.weight_count:,} weights, {system.b.content_hash.hex()}",
        "code": system.synergy.code,
        "strange": f"{trial.name}, {np.count_nonzero(trial.strange):,} of {len(trial.strange):,} test images",
        **{f"AUC {what}": round(area, 4) for what, area in found.areas.items()},
        **{f"AUC components {what}": round(area, 4) for what, area in components.areas.items()},
        "accuracy": round(found.accuracy or 0.0, 4),
        "PSNR noisy": round(psnr_of_noise(trial.learned), 2),
        "PSNR denoised": round(found.psnr, 2),
        "PSNR linear": round(components.psnr, 2),
    }


def _on_boards(system: System, raw: NDArray, board: str) -> dict[str, int]:
    """Images to a virtual board with B, its answers to another with A; every integer of both compared with golden's."""
    code = _answered(system.b, raw, board)
    wanted = golden.run(system.b, system.b.quantise_input(raw)).output
    out = _answered(system.a, code, board)
    wrong = np.count_nonzero(code != wanted) + np.count_nonzero(out != golden.run(system.a, wanted).output)
    return {"integers compared on two boards": code.size + out.size, "mismatches": int(wrong)}


def _answered(model: Model, raw: NDArray, board: str) -> NDArray[np.int64]:
    from npde.link.board import Board
    from npde_sim.virtual import VirtualBoard

    with complaints.status("building the simulator"):
        virtual = VirtualBoard(model.program, board)
    with virtual, Board.open(virtual.port, baud=virtual.plan.baud) as link:
        link.load(model)
        return link.infer(raw).output
