"""How a microcontroller holds a program's weights: one output lane, and as few input lanes as the link's numbers allow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npde.errors import FitError
from npde.link.evolve_packing import MapPacking, packings
from npde.link.layout import Layout
from npde.link.packing import Fold, Packing
from npde.link.protocol import FRAME_BYTES, HASH_BYTES, INFO, OVERHEAD_BYTES, REGION, Region
from npde.model import Weights
from npde.program import Evolve, Grid, Program, Stencil

MOST_WORDS = 65535
WORD_MOST = FRAME_BYTES - OVERHEAD_BYTES - 3
"""Bytes of a word that one WRITE can bring."""
MOST_REGIONS = (FRAME_BYTES - OVERHEAD_BYTES - 2 - HASH_BYTES - INFO.size) // REGION.size
"""Regions that an answer to IDENTIFY can name in one frame."""


@dataclass(frozen=True)
class Memory:
    """One region: what the link is told of it, how a word divides into ``fields`` integers of ``bits`` bits.

    Regions of one ``place`` are repeats of one step and share their integers.
    """

    region: Region
    layout: Layout
    fields: int
    bits: int
    place: tuple[int, int]

    def integers(self, weights: Weights) -> NDArray[np.int64]:
        """The memory's content, int64 of shape ``(depth, fields)``, each sign-extended from ``bits`` bits."""
        packed = np.frombuffer(self.layout.pack(weights), np.uint8).reshape(self.region.depth, self.region.word_bytes)
        bits = np.unpackbits(packed, axis=1, bitorder="little")[:, : self.fields * self.bits].astype(np.int64)
        fields = bits.reshape(self.region.depth, self.fields, self.bits)
        unsigned = (fields << np.arange(self.bits)).sum(axis=2)
        return np.where(fields[:, :, -1] == 1, unsigned - (1 << self.bits), unsigned)


def memories(program: Program) -> list[Memory]:
    """Every region of the program, in the order the board tells them; raises :class:`FitError` where the link has no room."""
    found: list[Memory] = []
    for index, stencil, grid in program.weighted():
        packing = _narrowest(index, stencil, grid)
        fold, width = packing.fold, stencil.weight.width
        for copy in range(stencil.repeat):
            region = Region(index, copy, fold.pe, fold.simd, packing.depth, packing.width)
            found.append(Memory(region, packing, fold.simd, width, (index, 0)))
    for index, evolve, grid in program.evolutions():
        copies = _map_memories(index, evolve, grid)
        for copy, layout in packings(evolve, grid, copies):
            maps = isinstance(layout, MapPacking)
            region = Region(index, copy, copies, 0, layout.depth, layout.width)
            found.append(Memory(region, layout, evolve.maps if maps else 1, evolve.map.width if maps else layout.width, (index, copy)))
            if region.word_bytes > WORD_MOST:
                raise FitError(f"step {index} has map words of {region.word_bytes} bytes; a frame of the link brings {WORD_MOST}")
    if len(found) > MOST_REGIONS:
        raise FitError(f"program {program.name!r} has {len(found)} weight memories; a board can name {MOST_REGIONS} of them in one frame")
    return found


def _narrowest(index: int, stencil: Stencil, grid: Grid) -> Packing:
    for simd in range(1, grid.channels + 1):
        if grid.channels % simd == 0:
            packing = Packing(stencil, grid, Fold(1, simd))
            if packing.depth <= MOST_WORDS and -(-packing.width // 8) <= WORD_MOST:
                return packing
    raise FitError(f"step {index} has more weights than {MOST_WORDS} words of at most {WORD_MOST} bytes hold")


def _map_memories(index: int, evolve: Evolve, grid: Grid) -> int:
    cells = grid.height * grid.width
    if evolve.maps and cells > MOST_WORDS:
        raise FitError(f"step {index} has maps of {cells} cells; a weight memory has at most {MOST_WORDS} words")
    planes = MOST_WORDS // cells
    return -(-evolve.times // planes) if evolve.planes else 1


def build_id(text: str) -> bytes:
    """Eight bytes that name what was built from ``text``."""
    return hashlib.sha256(text.encode()).digest()[:8]


def element_bytes(bits: int) -> int:
    """Bytes of the C integer that holds ``bits`` bits."""
    return 1 if bits <= 8 else 2 if bits <= 16 else 4

