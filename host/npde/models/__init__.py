"""Small quantised models that ship with the package, so that a board's first answer needs no training."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from npde.errors import ProgramError
from npde.model import Model

NAMES = (
    "digits", "fashion", "best", "cnn", "mlp", "mlp-fashion", "rnn", "rnn-fashion", "rnn-oscillations",
    "helmholtz", "helmholtz-fashion", "schroedinger",
)  # fmt: skip


def load_model(source: str, *, force: bool = False) -> Model:
    """The shipped model of that name, or the model file at that path; raises :class:`ProgramError` for neither."""
    if source in NAMES and not os.path.isfile(source):
        return Model.load(Path(str(resources.files(__package__).joinpath(f"{source}.npde"))))
    if not os.path.isfile(source):
        raise ProgramError(f"no model file at {source}; shipped models are {', '.join(NAMES)}")
    return Model.load(source, force=force)
