"""The pointwise reactions φ that follow a rescale, on integers of the step's output format."""

from __future__ import annotations

import msgspec

from npde.errors import ProgramError
from npde.fixed import Q


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="identity"):
    """φ(v) = v; only the saturation that ends every step is left."""


class Relu(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="relu"):
    """φ(v) = max(v, 0)."""


class Clip(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="clip"):
    """φ(v) = min(max(v, low), high), the bounds being integers of the step's output format."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ProgramError(f"a clip needs low < high, not low={self.low} and high={self.high}")


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="table"):
    """φ(v) = entries[v + 2**(input.width - 1)]: any function of one value (tanh, sigmoid, sin).

    Index rule: the accumulator is rescaled to ``input`` (not to the step's output format) and
    saturated to it; that integer, read as an offset from the format's lowest value, is the index.
    ``entries`` holds ``2**input.width`` integers of the step's output format.
    """

    input: Q
    entries: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 2 <= self.input.width <= 12:
            raise ProgramError(f"a table is indexed by 2 to 12 bits, not {self.input.width}")
        if len(self.entries) != 1 << self.input.width:
            raise ProgramError(
                f"a table indexed by {self.input} has {1 << self.input.width} entries, not {len(self.entries)}"
            )


Phi = Identity | Relu | Clip | Table


def check_phi(phi: Phi, out: Q, where: str) -> None:
    """Raise :class:`ProgramError` when φ's constants are no integers of the output format ``out``."""
    if isinstance(phi, Clip) and not (out.low <= phi.low and phi.high <= out.high):
        raise ProgramError(f"{where}: clip [{phi.low}, {phi.high}] leaves the range of {out}, [{out.low}, {out.high}]")
    if isinstance(phi, Table) and not (out.low <= min(phi.entries) and max(phi.entries) <= out.high):
        raise ProgramError(
            f"{where}: table entries span [{min(phi.entries)}, {max(phi.entries)}] and leave the range of {out}"
        )
