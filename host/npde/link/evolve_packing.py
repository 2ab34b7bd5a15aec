"""How an evolution's integers lie in a board's regions: coefficients and biases in registers, maps in memories."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npde.model import Weights
from npde.program import Evolve, Grid


@dataclass(frozen=True)
class CoefficientPacking:
    """One word each: the coefficients, then the biases of all updates in turn, each in its own format's low bits."""

    evolve: Evolve

    @property
    def depth(self) -> int:
        """Words."""
        return self.evolve.coefficients + self.evolve.biases

    @property
    def width(self) -> int:
        """Bits in a word."""
        return max(self.evolve.weight.width, self.evolve.bias.width if self.evolve.biases else 0)

    def pack(self, weights: Weights) -> bytes:
        """The words as they travel, ``ceil(width / 8)`` bytes each, little-endian."""
        size = -(-self.width // 8)
        kernel = (int(value) & ((1 << self.evolve.weight.width) - 1) for value in weights.kernel.ravel())
        bias = (int(value) & ((1 << self.evolve.bias.width) - 1) for value in weights.bias.ravel())
        return b"".join(value.to_bytes(size, "little") for value in (*kernel, *bias))


@dataclass(frozen=True)
class MapPacking:
    """One word a cell in raster order, map 0 in the lowest bits; with ``planes``, plane behind plane.

    Copy ``copy`` of ``copies`` does the time steps ``copy``, ``copy + copies`` …, and keeps their planes; those
    beyond the last time step are zero. One set for all time steps is the same in every copy.
    """

    evolve: Evolve
    grid: Grid
    copies: int
    copy: int

    @property
    def planes(self) -> int:
        """Planes in the memory."""
        return -(-self.evolve.times // self.copies) if self.evolve.planes else 1

    @property
    def depth(self) -> int:
        """Words."""
        return self.planes * self.grid.height * self.grid.width

    @property
    def width(self) -> int:
        """Bits in a word."""
        return self.evolve.maps * self.evolve.map.width

    def pack(self, weights: Weights) -> bytes:
        """The words as they travel, ``ceil(width / 8)`` bytes each, little-endian."""
        assert weights.maps is not None
        mine: NDArray[np.int64] = weights.maps[self.copy :: self.copies] if self.evolve.planes else weights.maps
        planes = np.zeros((self.planes, *mine.shape[1:]), np.int64)
        planes[: len(mine)] = mine
        bits = (planes[..., None] >> np.arange(self.evolve.map.width)) & 1
        return np.packbits(bits.reshape(self.depth, self.width).astype(np.uint8), axis=1, bitorder="little").tobytes()


def mapped(evolve: Evolve, grid: Grid) -> bool:
    """Whether any update reads a map."""
    return any(form.channel >= grid.channels for update in evolve.body for form in update.forms)


def packings(evolve: Evolve, grid: Grid, copies: int) -> Iterator[tuple[int, CoefficientPacking | MapPacking]]:
    """Every region of an evolution, with the number of its ``copy`` field: 0 the coefficients, from 1 on the maps."""
    yield 0, CoefficientPacking(evolve)
    if mapped(evolve, grid):
        for copy in range(copies if evolve.planes else 1):
            yield 1 + copy, MapPacking(evolve, grid, copies, copy)
