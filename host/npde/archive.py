"""Arrays out of .npy and .npz files that may say anything of themselves: no pickles, and never more memory than their bytes stand for."""

from __future__ import annotations

import gzip
import io
import math
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from npde.errors import one_line

LARGEST = 1 << 31
"""Bytes of an array at the most."""
INFLATION = 1032
"""How many bytes one of a deflated stream can stand for at the most (zlib's technical details)."""
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: str | os.PathLike[str], keys: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays named ``keys``, those of them that are there; all without.

    Raises :class:`ValueError`, one sentence that does not name the file, for whatever is wrong with it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            held = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            return {key: _member(archive, held[key]) for key in (held if keys is None else keys) if key in held}
    except Exception as error:  # what a hostile archive makes zipfile, zlib and numpy raise is no short list
        raise ValueError(one_line(error)) from error


def read_npy(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array of a .npy file; raises as :func:`read_npz` does."""
    try:
        size = Path(path).stat().st_size
        with Path(path).open("rb") as file:
            _judge(file, size)
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:
        raise ValueError(one_line(error)) from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{info.filename} is compressed by method {info.compress_type}, neither stored nor deflated")
    if info.file_size > INFLATION * (info.compress_size + 1):
        raise ValueError(f"{info.filename} claims {info.file_size} bytes, more than its {info.compress_size} can stand for")
    with archive.open(info) as stream:
        _judge(stream, info.file_size)
    with archive.open(info) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _judge(stream: IO[bytes], size: int) -> None:
    """Raise :class:`ValueError` unless the header describes just the ``size`` bytes there are."""
    version = np.lib.format.read_magic(stream)
    if version not in HEADERS:
        raise ValueError(f"an array of format version {version[0]}.{version[1]}")
    try:
        shape, _, dtype = HEADERS[version](stream)
    except Exception as error:  # whatever stands there instead of a dictionary of literals
        raise ValueError("its header describes no array") from error
    if dtype.hasobject:
        raise ValueError("an array of Python objects, which would be executed")
    wanted, there = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if wanted > LARGEST:
        raise ValueError(f"an array of {wanted} bytes; {LARGEST} is the most")
    if wanted != there:
        raise ValueError(f"an array of {wanted} bytes where there are {there}")


def inflated(compressed: bytes, most: int) -> bytes:
    """Gzip's content, its first ``most`` bytes and one more: who gets more than ``most`` knows that there were more."""
    with gzip.GzipFile(fileobj=io.BytesIO(compressed)) as file:
        return file.read(most + 1)

