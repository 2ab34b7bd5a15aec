"""Files of arrays with a text header (safetensors), written whole or not at all, read without executing anything."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from npde.errors import ProgramError, one_line
from npde.wholefile import whole

LARGEST_FILE = 256 << 20
CHECKSUM = "checksum"


def write(path: str | os.PathLike[str], header: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write ``tensors`` and ``header``, of which ``format`` names what the file is; raises :class:`FileError`."""
    stated = {**header, CHECKSUM: _checksum(header, tensors)}
    with whole(path) as file:
        file.write(safetensors.numpy.save(dict(tensors), metadata=stated))


def read(path: str | os.PathLike[str], form: str, what: str) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """Header and tensors of a ``what`` whose header says ``form``; raises :class:`ProgramError` for anything else."""
    where = Path(path)
    if not os.path.isfile(where):  # Path.is_file raises for a name that is too long
        raise ProgramError(f"no {what} at {where}")
    if where.stat().st_size > LARGEST_FILE:
        raise ProgramError(f"{where} is larger than the {LARGEST_FILE >> 20} MiB a {what} may have")
    try:
        with safetensors.safe_open(where, framework="numpy") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    # AttributeError and KeyError: number formats that safetensors knows and numpy does not.
    except (safetensors.SafetensorError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise ProgramError(f"{where} is not a readable {what}: {one_line(error)}") from error
    if header.get("format") != form:
        raise ProgramError(f"{where} is not an {form} file")
    if header.pop(CHECKSUM, None) != _checksum(header, tensors):
        raise ProgramError(f"{where} is damaged: its content does not have the checksum it states")
    return header, tensors


def _checksum(header: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 over every text and every array; header texts decide answers too (how raw inputs are scaled)."""
    digest = hashlib.sha256()
    for key in sorted(header):
        digest.update(repr((key, header[key])).encode())
    for name in sorted(tensors):
        digest.update(repr((name, tensors[name].dtype.str, tensors[name].shape)).encode())
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()
