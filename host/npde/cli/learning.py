"""``npde train`` and ``npde quantise``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from npde.cli.output import AsJson, bar, show, writable
from npde.data import Dataset, load_data
from npde.errors import DataError, Interrupted

if TYPE_CHECKING:
    from npde.training.parameters import FloatModel
    from npde.training.recipe import Recipe

SOLVED = ("pil", "pilae", "random")
STRATEGIES = ("adam", "lbfgs", *SOLVED)

SOURCES = "digits, digits@HEIGHTxWIDTH, oscillations, a folder of IDX files, or an .npz file."
DataSource = Annotated[str, typer.Option("--data", help=SOURCES)]
TestSamples = Annotated[bool, typer.Option("--test/--no-test", help="Whether to look at the test samples, once, at the end.")]
Checkpoint = Annotated[Path | None, typer.Option(help="Resume from and save to this file after every epoch.")]


def _check_places(output: Path, checkpoint: Path | None) -> None:
    """Refuses what could not be written, before hours go into it."""
    writable(output)
    if checkpoint is not None:
        writable(checkpoint)


def _samples(data: str | None, recipe: Recipe) -> Dataset:
    from npde.training.recipe import FOLDER

    if data is None and recipe.data == FOLDER:
        raise DataError(f"recipe {recipe.name!r} takes a folder of IDX files, which --data names")
    return load_data(data or recipe.data)


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
    output: Annotated[Path | None, typer.Argument(help="Where the float parameters go.")] = None,
    data: Annotated[str | None, typer.Option(help=f"{SOURCES} The recipe's own by default.")] = None,
    recipe: Annotated[str, typer.Option(help="A built-in recipe; list shows them all.")] = "digits",
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed than the recipe's.")] = None,
    epochs: Annotated[int | None, typer.Option(min=0, help="Another number of epochs than the recipe's.")] = None,
    strategy: Annotated[str | None, typer.Option(help=f"{', '.join(STRATEGIES)}; by default the recipe's own descent.")] = None,
    validation: Annotated[float | None, typer.Option(help="Another share of training samples held out than the recipe's.")] = None,
    test: TestSamples = True,
    checkpoint: Checkpoint = None,
    json: AsJson = False,
) -> None:
    """Train a neural PDE in floating point; --recipe list names the recipes."""
    from npde.training import learn
    from npde.training import recipe as recipes

    if recipe == "list":
        show("recipes", {name: f"for {known.data}" for name, known in recipes.RECIPES.items()}, as_json=json)
        return
    if output is None:
        raise typer.BadParameter("the file the float parameters go to is missing")
    chosen = recipes.recipe(recipe)
    if strategy is not None and strategy not in STRATEGIES:
        raise typer.BadParameter(f"no strategy {strategy!r}; there are {', '.join(STRATEGIES)}")
    solved = strategy in SOLVED
    if strategy is not None and not solved:
        chosen = chosen.by(strategy)
    if validation is not None:
        chosen = msgspec.structs.replace(chosen, validation=validation)
    if seed is not None:
        chosen = msgspec.structs.replace(chosen, seed=seed)
    if epochs is not None:
        chosen = msgspec.structs.replace(chosen, descent=msgspec.structs.replace(chosen.descent, epochs=epochs))
    _check_places(output, checkpoint)
    samples = _samples(data, chosen)
    if solved:
        trained = _solve(chosen, samples, strategy, test)
    else:
        with _resumable(checkpoint), bar("training", chosen.descent.epochs) as tick:
            trained = learn.train(
                chosen, samples, test=test, checkpoint_path=checkpoint,
                progress=lambda done, loss: tick(0, completed=done, description=f"training, loss {loss:.4f}"),
            )  # fmt: skip
    trained.save(output)
    show(str(output), {"weights": trained.program.weight_count, **trained.notes}, as_json=json)


def _solve(recipe: Recipe, samples: Dataset, strategy: str | None, test: bool) -> FloatModel:
    """Layer by layer, without gradients."""
    from npde.training.pseudoinverse import learn as solve

    with bar("solving", 1) as tick:
        return solve(
            recipe, samples, strategy, test=test,  # type: ignore[arg-type]
            progress=lambda done, wrong: tick(0, completed=done, description=f"solving, validation error {wrong:.2%}"),
        )  # fmt: skip


def quantise(
    source: Annotated[Path, typer.Argument(help="Float parameters from npde train.")],
    output: Annotated[Path, typer.Argument(help="Where the model of integers goes.")],
    data: Annotated[str | None, typer.Option(help=f"{SOURCES} The recipe's own by default.")] = None,
    round_only: Annotated[bool, typer.Option(help="Round as it is, without quantisation-aware training.")] = False,
    test: TestSamples = True,
    checkpoint: Checkpoint = None,
    json: AsJson = False,
) -> None:
    """Fine-tune through the quantiser and round to the contract's integers."""
    from npde.training import learn
    from npde.training.parameters import FloatModel

    trained = FloatModel.load(source)
    _check_places(output, checkpoint)
    samples = None if round_only else _samples(data, trained.recipe)
    with _resumable(checkpoint), bar("quantising", trained.recipe.finetune.epochs) as tick:
        model = learn.quantise(
            trained, samples, test=test, checkpoint_path=checkpoint,
            progress=lambda done, loss: tick(0, completed=done, description=f"quantising, loss {loss:.4f}"),
        )  # fmt: skip
    model.save(output)
    show(str(output), {"hash": model.content_hash.hex(), "weights": model.program.weight_count, **model.notes}, as_json=json)
