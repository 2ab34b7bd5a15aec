"""A model: a stencil-update program and the integers that fill it; its file format and content hash."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from npde import tensorfile
from npde.errors import ProgramError, one_line
from npde.fixed import Q
from npde.program import Program
from npde.program.program import HASH_BYTES
from npde.program.stability import check_stability

FORMAT = "npde-model-1"


class Preprocess(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a raw input becomes a field: ``real = raw * scale + offset``, then quantised to the input format."""

    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and math.isfinite(self.offset)):
            raise ProgramError(f"a preprocess's scale and offset are finite numbers, not {self.scale} and {self.offset}")

    def quantise(self, raw: ArrayLike, q: Q) -> NDArray[np.int64]:
        """Raw values to integers of ``q``."""
        return q.quantise(np.asarray(raw, np.float64) * self.scale + self.offset)


@dataclass(frozen=True)
class Weights:
    """One step's integers, int64: ``kernel``, ``bias`` and (evolutions alone) ``maps``, shaped as :meth:`Program.tensors` says."""

    kernel: NDArray[np.int64]
    bias: NDArray[np.int64]
    maps: NDArray[np.int64] | None = None

    def parts(self) -> dict[str, NDArray[np.int64]]:
        """The tensors there are, by name."""
        parts = {"kernel": self.kernel, "bias": self.bias}
        return parts if self.maps is None else {**parts, "maps": self.maps}


@dataclass(frozen=True)
class Model:
    """A program with weights for each weighted step (by index), ready for golden, board and file.

    ``notes`` carries what a reader wants to know (data set, accuracies, seed); it is no part of the
    hash. Raises :class:`ProgramError` when a tensor is missing, misshapen, not integer or out of
    its format's range, or when a repeated linear step would be unstable (``force`` allows it).
    """

    program: Program
    weights: Mapping[int, Weights]
    preprocess: Preprocess = Preprocess()
    notes: Mapping[str, str] = field(default_factory=dict)
    force: bool = False

    def __post_init__(self) -> None:
        expected = self.program.tensors()
        if set(self.weights) != set(expected):
            raise ProgramError(
                f"model {self.program.name!r} has weights for steps {sorted(self.weights)}; "
                f"its program has weighted steps {sorted(expected)}"
            )
        for index, parts in expected.items():
            held = self.weights[index].parts()
            if set(held) != set(parts):
                raise ProgramError(f"step {index} has tensors {sorted(held)}; its program needs {sorted(parts)}")
            for part, (shape, q) in parts.items():
                _check_tensor(f"step {index} {part}", held[part], shape, q)
        if not self.force:
            for index, stencil, grid in self.program.weighted():
                check_stability(stencil, grid, self.weights[index].kernel, f"step {index}")

    @property
    def content_hash(self) -> bytes:
        """16 bytes over the program and every integer: what a board echoes once it holds this model."""
        digest = hashlib.sha256(self.program.shape_hash)
        for index in sorted(self.weights):
            for tensor in self.weights[index].parts().values():
                digest.update(np.ascontiguousarray(tensor, dtype="<i4").tobytes())
        return digest.digest()[:HASH_BYTES]

    def quantise_input(self, raw: ArrayLike) -> NDArray[np.int64]:
        """Raw samples, ``(batch, height, width[, channels])``, to integers of the input format.

        Raises :class:`ProgramError` for another shape or values that are not finite.
        """
        samples = np.asarray(raw, dtype=np.float64)
        grid = self.program.input
        if samples.ndim == 3 and grid.channels == 1:
            samples = samples[..., None]
        if samples.ndim != 4 or samples.shape[1:] != grid.shape:
            raise ProgramError(
                f"model {self.program.name!r} takes samples of shape (batch, {grid.height}, {grid.width}, "
                f"{grid.channels}), not {np.asarray(raw).shape}"
            )
        return self.preprocess.quantise(samples, grid.q)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file whole or not at all: safetensors with the program in its header."""
        tensors = {}
        for index, tensors_of_step in self.weights.items():
            for part, tensor in tensors_of_step.parts().items():
                tensors[f"{index}.{part}"] = tensor.astype(np.int32)
        header = {
            "format": FORMAT,
            "program": self.program.encode().decode(),
            "preprocess": msgspec.json.encode(self.preprocess).decode(),
            "notes": msgspec.json.encode(dict(self.notes)).decode(),
            "hash": self.content_hash.hex(),
        }
        tensorfile.write(path, header, tensors)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, force: bool = False) -> Model:
        """Read and check a model file; raises :class:`ProgramError` for whatever is wrong with it."""
        where = Path(path)
        header, tensors = tensorfile.read(where, FORMAT, "model file")
        model = cls._from_parts(where, header, tensors, force)
        if model.content_hash.hex() != header.get("hash"):
            raise ProgramError(f"{where} is damaged: its content does not have the hash it states")
        return model

    @classmethod
    def _from_parts(
        cls, where: Path, header: Mapping[str, str], tensors: Mapping[str, NDArray[np.int32]], force: bool
    ) -> Model:
        program = Program.decode(header.get("program", ""))
        try:
            preprocess = msgspec.json.decode(header.get("preprocess", "{}"), type=Preprocess)
            notes = msgspec.json.decode(header.get("notes", "{}"), type=dict[str, str])
        except msgspec.DecodeError as error:
            raise ProgramError(f"{where} has a damaged header: {one_line(error)}") from error
        names = {f"{index}.{part}" for index, parts in program.tensors().items() for part in parts}
        if set(tensors) != names:
            raise ProgramError(f"{where} holds tensors {sorted(tensors)}; its program needs {sorted(names)}")
        for name, tensor in tensors.items():
            if tensor.dtype != np.int32:
                raise ProgramError(f"{where}: tensor {name} is {tensor.dtype}, not int32")
        weights = {
            index: Weights(**{part: tensors[f"{index}.{part}"].astype(np.int64) for part in parts})
            for index, parts in program.tensors().items()
        }
        return cls(program, weights, preprocess, notes, force)


def _check_tensor(where: str, tensor: NDArray[np.int64], shape: tuple[int, ...], q: Q) -> None:
    if not np.issubdtype(tensor.dtype, np.integer):
        raise ProgramError(f"{where} holds {tensor.dtype}, not integers of {q}")
    if tensor.shape != shape:
        raise ProgramError(f"{where} has shape {tensor.shape}, not {shape}")
    if tensor.size and not (q.low <= tensor.min() and tensor.max() <= q.high):
        raise ProgramError(f"{where} spans [{tensor.min()}, {tensor.max()}] and leaves the range of {q}")
