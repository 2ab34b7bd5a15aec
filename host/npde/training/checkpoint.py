"""A descent interrupted and taken up again: parameters, optimiser state and epoch in one .npz without pickles."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npde.archive import read_npz
from npde.training.errors import TrainingError
from npde.wholefile import whole


def run_key(*parts: bytes) -> str:
    """What a descent is: equal keys continue each other bit for bit."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def save(path: Path, key: str, epoch: int, leaves: Sequence[NDArray]) -> None:
    """Write the state after ``epoch`` epochs, whole or not at all; raises :class:`npde.errors.FileError`."""
    arrays: dict[str, Any] = {f"leaf{i}": leaf for i, leaf in enumerate(leaves)}
    with whole(path) as file:
        np.savez(file, key=np.array(key), epoch=np.array(epoch), **arrays)


def load(path: Path, key: str, like: Sequence[NDArray]) -> tuple[int, list[NDArray]] | None:
    """The epoch and state in ``path``, or None where there is no file.

    Raises :class:`TrainingError` when it is not a checkpoint, or one of another run: other recipe,
    seed, data or start.
    """
    if not path.exists():
        return None
    try:
        arrays = read_npz(path)
        stored, epoch = str(arrays["key"]), int(arrays["epoch"])
        leaves = [arrays[f"leaf{i}"] for i in range(len(arrays) - 2)]
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is not a readable checkpoint ({error}); delete it to start over") from error
    if stored != key or [leaf.shape for leaf in leaves] != [np.shape(leaf) for leaf in like]:
        raise TrainingError(f"{path} is a checkpoint of another run (recipe, seed or data differ); delete it to start over")
    return epoch, leaves
