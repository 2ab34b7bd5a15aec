"""Signed integers to the bits of a payload and back: the first value in the lowest bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Lanes:
    """``count`` two's-complement values of ``bits`` bits each (unsigned ones if ``signed`` is False)."""

    bits: int
    count: int = 1
    signed: bool = True

    def pack(self, values: Sequence[int]) -> int:
        """One word."""
        word = 0
        for lane, value in enumerate(values):
            word |= (int(value) & ((1 << self.bits) - 1)) << (lane * self.bits)
        return word

    def unpack(self, word: int) -> list[int]:
        """The values of a word."""
        mask, half = (1 << self.bits) - 1, 1 << (self.bits - 1)
        values = [(word >> (lane * self.bits)) & mask for lane in range(self.count)]
        return [(value ^ half) - half for value in values] if self.signed else values

    def words(self, values: Iterable[int]) -> Iterator[int]:
        """A run of values as words; their number is a multiple of ``count``."""
        flat = [int(value) for value in values]
        for at in range(0, len(flat), self.count):
            yield self.pack(flat[at : at + self.count])


BYTES = Lanes(8, signed=False)
