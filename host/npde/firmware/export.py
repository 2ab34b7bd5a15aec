"""A folder that any C compiler builds: the model's tables, the runtime, the link and the boards' own few files."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

from npde.errors import FileError
from npde.firmware.empty import empty_header, empty_source
from npde.firmware.tables import model_header, model_source
from npde.model import Model
from npde.wholefile import whole

PARTS = ("include", "src", "board", "Makefile")


def runtime() -> Path:
    """The folder of the runtime's C sources: in the package where it was installed, else beside it in the repository."""
    packaged = Path(str(resources.files("npde.firmware").joinpath("c")))
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "firmware"


def sources(model: Model | None) -> dict[str, str]:
    """``model.c`` and ``model.h``; without a model, room for a program that comes at run time."""
    if model is None:
        return {"model.c": empty_source(), "model.h": empty_header()}
    return {"model.c": model_source(model), "model.h": model_header(model)}


def export(model: Model | None, folder: Path) -> list[Path]:
    """Write ``model`` and everything it needs into ``folder``; what was written, folders as one.

    Without a model the firmware has none, and takes programs over the link.

    Raises :class:`npde.errors.FitError` for a program that the link cannot describe, :class:`FileError` where the folder
    cannot be written.
    """
    texts = sources(model)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            origin = runtime() / part
            if origin.is_dir():
                shutil.copytree(origin, folder / part, dirs_exist_ok=True)
            else:
                shutil.copyfile(origin, folder / part)
    except OSError as error:
        raise FileError(f"{folder} cannot be written: {error.strerror or error}") from error
    for name, text in texts.items():
        with whole(folder / name) as file:
            file.write(text.encode())
    return [folder / name for name in ("model.c", "model.h", *PARTS)]
