"""``npde train`` and ``npde quantise``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from npde.cli.output import AsJson, bar, show, writable
from npde.data import load_data
from npde.errors import Interrupted

DataSource = Annotated[str, typer.Option("--data", help="digits, a folder of IDX files, or an .npz file.")]
Checkpoint = Annotated[Path | None, typer.Option(help="Resume from and save to this file after every epoch.")]


def _check_places(output: Path, checkpoint: Path | None) -> None:
    """Refuses what could not be written, before hours go into it."""
    writable(output)
    if checkpoint is not None:
        writable(checkpoint)


@contextmanager
def _resumable(checkpoint: Path | None) -> Iterator[None]:
    """Says, when interrupted, what is left to go on from."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if checkpoint is None or not checkpoint.exists():
            raise Interrupted("interrupted; nothing is kept (--checkpoint keeps every epoch that ends)") from interrupt
        raise Interrupted(
            f"interrupted; {checkpoint} holds every epoch that ended, and the same command goes on from there"
        ) from interrupt


def train(
    output: Annotated[Path, typer.Argument(help="Where the float parameters go.")],
    data: DataSource = "digits",
    recipe: Annotated[str, typer.Option(help="A built-in recipe: digits or fashion.")] = "digits",
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed than the recipe's.")] = None,
    epochs: Annotated[int | None, typer.Option(min=0, help="Another number of epochs than the recipe's.")] = None,
    checkpoint: Checkpoint = None,
    json: AsJson = False,
) -> None:
    """Train a neural PDE with Adam in floating point."""
    from npde.training import learn
    from npde.training import recipe as recipes

    chosen = recipes.recipe(recipe)
    if seed is not None:
        chosen = msgspec.structs.replace(chosen, seed=seed)
    if epochs is not None:
        chosen = msgspec.structs.replace(chosen, descent=msgspec.structs.replace(chosen.descent, epochs=epochs))
    _check_places(output, checkpoint)
    samples = load_data(data)
    with _resumable(checkpoint), bar("training", chosen.descent.epochs) as tick:
        trained = learn.train(
            chosen, samples, checkpoint_path=checkpoint,
            progress=lambda done, loss: tick(0, completed=done, description=f"training, loss {loss:.4f}"),
        )  # fmt: skip
    trained.save(output)
    show(str(output), {"weights": trained.program.weight_count, **trained.notes}, as_json=json)


def quantise(
    source: Annotated[Path, typer.Argument(help="Float parameters from npde train.")],
    output: Annotated[Path, typer.Argument(help="Where the model of integers goes.")],
    data: DataSource = "digits",
    round_only: Annotated[bool, typer.Option(help="Round as it is, without quantisation-aware training.")] = False,
    checkpoint: Checkpoint = None,
    json: AsJson = False,
) -> None:
    """Fine-tune through the quantiser and round to the contract's integers."""
    from npde.training import learn
    from npde.training.parameters import FloatModel

    trained = FloatModel.load(source)
    _check_places(output, checkpoint)
    samples = None if round_only else load_data(data)
    with _resumable(checkpoint), bar("quantising", trained.recipe.finetune.epochs) as tick:
        model = learn.quantise(
            trained, samples, checkpoint_path=checkpoint,
            progress=lambda done, loss: tick(0, completed=done, description=f"quantising, loss {loss:.4f}"),
        )  # fmt: skip
    model.save(output)
    show(str(output), {"hash": model.content_hash.hex(), "weights": model.program.weight_count, **model.notes}, as_json=json)
