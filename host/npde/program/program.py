"""The stencil-update program: an input grid, a list of steps, a readout. The one IR of the project."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import msgspec

from npde.errors import ProgramError, one_line
from npde.fixed import Q
from npde.program.evolve import Evolve
from npde.program.recurrent import Recurrent
from npde.program.step import Dense, Grid, Pool, Stencil

Step = Stencil | Pool | Dense | Evolve | Recurrent
Tensor = tuple[tuple[int, ...], Q]
"""A tensor's shape and the format of its integers."""

HASH_BYTES = 16
MOST_STEPS = 256
"""As many as a board names in a byte."""


class Program(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything about a model but its weights; two models of one program run on one bitstream.

    ``input`` is the grid the board receives, value by value in (y, x, channel) order. ``argmax``
    adds the index of the greatest output (the first of equals) to the answer; it needs a last
    grid of ``1×1`` cells. Construction validates the whole chain and raises
    :class:`ProgramError` with one sentence.
    """

    name: str
    input: Grid
    steps: tuple[Step, ...]
    argmax: bool = False

    def __post_init__(self) -> None:
        if not self.steps:
            raise ProgramError(f"program {self.name!r} has no steps")
        if len(self.steps) > MOST_STEPS:
            raise ProgramError(f"program {self.name!r} has {len(self.steps)} steps; {MOST_STEPS} is the most")
        last = self.grids()[-1]
        if self.argmax and (last.height, last.width) != (1, 1):
            raise ProgramError(f"program {self.name!r}: argmax needs a 1×1 grid, but the last step leaves {last}")
        if self.argmax and last.channels > 65535:
            raise ProgramError(f"program {self.name!r}: argmax chooses among at most 65535 outputs")

    def grids(self) -> list[Grid]:
        """The grid before each step, and the one after the last: ``len(steps) + 1`` of them."""
        grids = [self.input]
        for index, step in enumerate(self.steps):
            grids.append(step.grid_after(grids[-1], f"step {index} ({kind(step)})"))
        return grids

    @property
    def output(self) -> Grid:
        """The grid the board answers with."""
        return self.grids()[-1]

    def weighted(self) -> Iterator[tuple[int, Stencil, Grid]]:
        """``(index, stencil, grid before it)`` of each stencil step; dense and recurrent ones as stencils on one cell."""
        for index, (step, grid) in enumerate(zip(self.steps, self.grids(), strict=False)):
            match step:
                case Stencil():
                    yield index, step, grid
                case Dense():
                    yield index, step.as_stencil(), Dense.flatten(grid)
                case Recurrent():
                    yield index, step.as_stencil(), step.cell(grid)
                case Pool() | Evolve():
                    pass

    def evolutions(self) -> Iterator[tuple[int, Evolve, Grid]]:
        """``(index, evolution, grid)`` of each evolution."""
        for index, (step, grid) in enumerate(zip(self.steps, self.grids(), strict=False)):
            if isinstance(step, Evolve):
                yield index, step, grid

    def tensors(self) -> dict[int, dict[str, Tensor]]:
        """Shape and format of ``kernel``, ``bias`` and (where there are any) ``maps``, by step; see the steps themselves."""
        found: dict[int, dict[str, Tensor]] = {}
        for index, stencil, grid in self.weighted():
            shape = (stencil.out_channels, grid.channels, len(stencil.taps))
            found[index] = {"kernel": (shape, stencil.weight), "bias": (shape[:1], stencil.bias)}
        for index, evolve, grid in self.evolutions():
            found[index] = {"kernel": ((evolve.coefficients, 1, 1), evolve.weight), "bias": ((evolve.biases,), evolve.bias)}
            if evolve.maps:
                times = evolve.times if evolve.planes else 1
                found[index]["maps"] = ((times, grid.height, grid.width, evolve.maps), evolve.map)
        return found

    def kernel_shapes(self) -> dict[int, tuple[int, int, int]]:
        """``(out_channels, in_channels, taps)`` of each stencil step, by its index."""
        return {index: (s.out_channels, grid.channels, len(s.taps)) for index, s, grid in self.weighted()}

    @property
    def weight_count(self) -> int:
        """Kernel weights and map values in all, biases not counted."""
        return sum(
            math.prod(shape) for parts in self.tensors().values() for part, (shape, _) in parts.items() if part != "bias"
        )

    @property
    def macs(self) -> int:
        """Multiply-accumulates per frame."""
        return sum(step.macs(grid) for step, grid in zip(self.steps, self.grids(), strict=False))

    def encode(self) -> bytes:
        """Canonical JSON: equal programs give equal bytes."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def decode(cls, text: bytes | str) -> Program:
        """The program of that JSON; raises :class:`ProgramError` for anything else."""
        try:
            return msgspec.json.decode(text, type=cls, strict=True)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ProgramError(f"not a stencil-update program: {one_line(error)}") from error

    @property
    def shape_hash(self) -> bytes:
        """What a bitstream is built for: 16 bytes over everything but the name."""
        return hashlib.sha256(msgspec.structs.replace(self, name="").encode()).digest()[:HASH_BYTES]


def kind(step: Step) -> str:
    """The step's tag, for messages and tables: ``stencil``, ``pool``, ``dense``, ``evolve`` or ``recurrent``."""
    return str(type(step).__struct_config__.tag)
