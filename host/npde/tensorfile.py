"""Files of arrays with a text header (safetensors), written whole or not at all, read without executing anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from npde.errors import ProgramError

LARGEST_FILE = 256 << 20


def write(path: str | os.PathLike[str], header: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write ``tensors`` and ``header``, of which ``format`` names what the file is."""
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    safetensors.numpy.save_file(dict(tensors), partial, metadata=dict(header))
    os.replace(partial, target)


def read(path: str | os.PathLike[str], form: str, what: str) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """Header and tensors of a ``what`` whose header says ``form``; raises :class:`ProgramError` for anything else."""
    where = Path(path)
    if not where.is_file():
        raise ProgramError(f"no {what} at {where}")
    if where.stat().st_size > LARGEST_FILE:
        raise ProgramError(f"{where} is larger than the {LARGEST_FILE >> 20} MiB a {what} may have")
    try:
        with safetensors.safe_open(where, framework="numpy") as file:
            header = file.metadata() or {}
            if header.get("format") != form:
                raise ProgramError(f"{where} is not an {form} file")
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (safetensors.SafetensorError, OSError, ValueError, TypeError) as error:
        if isinstance(error, ProgramError):
            raise
        raise ProgramError(f"{where} is not a readable {what}: {error}") from error
