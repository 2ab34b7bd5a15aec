"""``npde export``: a model as source for another machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from npde.cli.output import AsJson, show
from npde.models import load_model


class Language(StrEnum):
    """What a model can be written in."""

    c = "c"


def export(
    language: Annotated[Language, typer.Argument(help="c: tables for the runtime, beside it and a Makefile for each board.")],
    model: Annotated[str, typer.Argument(help="A model file, a shipped model's name, or none: programs then come over the link (npde load).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the sources.")] = Path("build/firmware"),
    json: AsJson = False,
) -> None:
    """Write a model and all it needs as C; `make -C FOLDER BOARD=posix` (or pico, mps2-an386 …) builds it."""
    from npde.firmware.boards import BOARDS
    from npde.firmware.empty import NONE
    from npde.firmware.export import export as write

    written = write(None if model == NONE else load_model(model), output)
    boards: object = list(BOARDS) if json else ", ".join(BOARDS)
    show(f"{model} in {language.value}", {"model": str(written[0]), "folder": str(output), "boards": boards}, as_json=json)
