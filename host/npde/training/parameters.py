"""Float parameters of a program: how they start, the file they are kept in between training and quantising, and their integers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from npde import tensorfile
from npde.equation.reaction_diffusion import isotropic_laplacian
from npde.errors import ProgramError, one_line
from npde.model import Model, Preprocess, Weights
from npde.program import MOORE, Program, Stencil
from npde.training.recipe import Recipe

FORMAT = "npde-float-1"

Tensors = Mapping[str, NDArray[np.floating]]


@dataclass(frozen=True)
class FloatModel:
    """A trained network before quantisation.

    ``tensors``: real ``"{index}.kernel"``, ``"{index}.bias"`` and ``"{index}.maps"`` for each step of ``program`` that
    has them, shaped as :meth:`npde.program.Program.tensors` says, float32. Raises :class:`ProgramError`
    for another set of tensors, other shapes or types, or values that are not finite.
    """

    program: Program
    tensors: Tensors
    preprocess: Preprocess
    recipe: Recipe
    notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shapes = tensor_shapes(self.program)
        if {name: tensor.shape for name, tensor in self.tensors.items()} != shapes:
            raise ProgramError(
                f"float parameters {({n: t.shape for n, t in self.tensors.items()})} do not fit program "
                f"{self.program.name!r}, which needs {shapes}"
            )
        for name, tensor in self.tensors.items():
            if tensor.dtype != np.float32:
                raise ProgramError(f"float parameters {name} are {tensor.dtype}, not float32")
            if not np.isfinite(tensor).all():
                raise ProgramError(
                    f"float parameters {name} hold {np.count_nonzero(~np.isfinite(tensor))} value(s) that are NaN or infinite"
                )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file, whole or not at all: arrays and a text header, nothing that executes."""
        header = {
            "format": FORMAT,
            "program": self.program.encode().decode(),
            "preprocess": msgspec.json.encode(self.preprocess).decode(),
            "recipe": msgspec.json.encode(self.recipe).decode(),
            "notes": msgspec.json.encode(dict(self.notes)).decode(),
        }
        tensors = {name: np.ascontiguousarray(tensor, np.float32) for name, tensor in self.tensors.items()}
        tensorfile.write(path, header, tensors)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FloatModel:
        """Read and check such a file; raises :class:`ProgramError` for whatever is wrong with it."""
        where = Path(path)
        header, tensors = tensorfile.read(where, FORMAT, "float parameter file")
        try:
            preprocess = msgspec.json.decode(header.get("preprocess", ""), type=Preprocess)
            recipe = msgspec.json.decode(header.get("recipe", ""), type=Recipe)
            notes = msgspec.json.decode(header.get("notes", "{}"), type=dict[str, str])
        except (msgspec.DecodeError, ValueError) as error:
            if isinstance(error, ProgramError):
                raise
            raise ProgramError(f"{where} is not a readable float parameter file: {one_line(error)}") from error
        return cls(Program.decode(header.get("program", "")), tensors, preprocess, recipe, notes)


def tensor_shapes(program: Program) -> dict[str, tuple[int, ...]]:
    """The shape of every float tensor of ``program``, by its name."""
    return {f"{index}.{part}": shape for index, parts in program.tensors().items() for part, (shape, _) in parts.items()}


def initialise(program: Program, *, seed: int, diffusion: float = 0.0) -> dict[str, NDArray[np.float32]]:
    """Starting parameters: u' = φ(u + dt·(K∗u + b)) with b = 0 and K random, plus diffusion on Euler steps.

    Kernels are normal with variance 1/fan-in (LeCun 1998), a quarter of it on Euler steps so that
    the field survives many of them; ``diffusion`` adds D·dt/h² times the isotropic Laplacian to
    every Euler step's own field. An evolution's coefficients start like a kernel seen by as many values,
    its biases and maps (a flat potential, planes without an index step) at zero.
    """
    rng = np.random.default_rng(seed)
    tensors: dict[str, NDArray[np.float32]] = {}
    for index, stencil, _grid in program.weighted():
        shape = program.kernel_shapes()[index]
        kernel = rng.normal(size=shape) / np.sqrt(shape[1] * shape[2])
        if stencil.skip:
            kernel *= 0.5
            kernel += diffusion * _own_field_laplacian(stencil, shape)
        tensors[f"{index}.kernel"] = kernel.astype(np.float32)
        tensors[f"{index}.bias"] = np.zeros(shape[0], np.float32)
    for index, evolve, _grid in program.evolutions():
        for part, (size, _) in program.tensors()[index].items():
            drawn = rng.normal(size=size) / evolve.coefficients if part == "kernel" else np.zeros(size)
            tensors[f"{index}.{part}"] = drawn.astype(np.float32)
    return tensors


def rounded(program: Program, tensors: Tensors) -> dict[int, Weights]:
    """Real parameters as integers of their formats; raises :class:`npde.errors.ProgramError` for NaN."""
    return {
        index: Weights(**{part: q.quantise(tensors[f"{index}.{part}"]) for part, (_, q) in parts.items()})
        for index, parts in program.tensors().items()
    }


def reals(model: Model) -> dict[str, NDArray[np.float32]]:
    """A model's integers as the real parameters they stand for, ``"{index}.{part}"``."""
    return {
        f"{index}.{part}": q.real(model.weights[index].parts()[part]).astype(np.float32)
        for index, parts in model.program.tensors().items()
        for part, (_, q) in parts.items()
    }


def _own_field_laplacian(stencil: Stencil, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    if set(stencil.taps) != set(MOORE):
        return np.zeros(shape)
    laplacian = isotropic_laplacian()
    row = np.array([float(laplacian[tap]) for tap in stencil.taps])
    return np.eye(shape[0])[:, :, None] * row
