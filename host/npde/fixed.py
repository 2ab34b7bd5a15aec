"""Fixed-point formats: the only thing every implementation of the numeric contract shares."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npde.errors import ProgramError


@dataclass(frozen=True, slots=True)
class Q:
    """A two's-complement format: ``width`` bits in all, ``frac`` of them behind the binary point.

    An integer ``v`` of this format stands for the real number ``v / 2**frac``. ``frac`` may be
    negative or exceed ``width``: the binary point need not lie inside the word.
    """

    width: int
    frac: int

    def __post_init__(self) -> None:
        if not 1 <= self.width <= 64:
            raise ProgramError(f"a format is 1 to 64 bits wide, not {self.width}")
        if not -32 <= self.frac <= 63:
            raise ProgramError(f"a format has -32 to 63 fractional bits, not {self.frac}")

    @property
    def low(self) -> int:
        """The smallest integer of the format."""
        return -(1 << (self.width - 1))

    @property
    def high(self) -> int:
        """The largest integer of the format."""
        return (1 << (self.width - 1)) - 1

    @property
    def step(self) -> Fraction:
        """The real value of one unit in the last place, exactly."""
        return Fraction(1, 1 << self.frac) if self.frac >= 0 else Fraction(1 << -self.frac)

    def quantise(self, real: ArrayLike) -> NDArray[np.int64]:
        """Real numbers to the nearest integers of the format (half up), saturated.

        Raises :class:`ProgramError` when a value is not finite.
        """
        value = np.asarray(real, dtype=np.float64)
        if not np.isfinite(value).all():
            raise ProgramError(f"{np.count_nonzero(~np.isfinite(value))} value(s) to quantise are NaN or infinite")
        beyond = -float(self.low)  # a power of two: exact in floats of any width, which ``high`` is not
        with np.errstate(over="ignore"):
            scaled = np.clip(np.ldexp(value, self.frac), -beyond, beyond)
        # Not floor(scaled + 0.5): that sum is itself rounded, and takes 0.49999999999999994 to 1.
        whole = np.floor(scaled)
        whole += scaled - whole >= 0.5
        return np.where(whole < beyond, np.where(whole < beyond, whole, 0).astype(np.int64), self.high)

    def real(self, integer: ArrayLike) -> NDArray[np.float64]:
        """Integers of the format to the real numbers they stand for."""
        return np.ldexp(np.asarray(integer, dtype=np.float64), -self.frac)

    def __str__(self) -> str:
        return f"Q({self.width},{self.frac})"

    @classmethod
    def parse(cls, text: str) -> Q:
        """The format written ``Q(8,7)``."""
        match = re.fullmatch(r"Q\((-?\d{1,4}),\s*(-?\d{1,4})\)", text)
        if match is None:
            raise ProgramError(f"{text[:40]!r} is not a format; one is written Q(8,7)")
        return cls(int(match[1]), int(match[2]))


def signed_width(low: int, high: int) -> int:
    """The bits a two's-complement integer needs to hold every value from ``low`` to ``high``."""
    return max(1 + (~low if low < 0 else low).bit_length(), 1 + (~high if high < 0 else high).bit_length())
