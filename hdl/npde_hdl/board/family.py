"""What a component costs on each family: DSP and memory blocks exactly, logic by a calibrated formula."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

KINDS = ("logic cells", "multiplier blocks", "block RAMs", "single-port RAMs")
"""What a device has of each, in the words of every report."""


@dataclass(frozen=True)
class Cost:
    """Logic cells (a LUT4 and a flip-flop), multiplier blocks, block RAMs, single-port RAMs."""

    luts: int = 0
    dsps: int = 0
    brams: int = 0
    sprams: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def as_dict(self) -> dict[str, int]:
        """The counts by kind, as reports name them."""
        return dict(zip(KINDS, (self.luts, self.dsps, self.brams, self.sprams), strict=True))

    def fits(self, budget: Cost) -> bool:
        """Whether nothing exceeds ``budget``."""
        return all(getattr(self, f.name) <= getattr(budget, f.name) for f in fields(self))


@dataclass(frozen=True)
class Family:
    """A device family's blocks.

    ``aspects``: the legal (depth, width) of one block RAM. ``products_per_dsp``: signed products of
    8×8 bits (and, second, of up to 18×18 bits) one multiplier block forms. ``spram``: (depth, width).
    ``small``: synthesis keeps a memory out of block RAM that takes no more than the third number of pieces
    of (depth, width) for each block. ``fill``: the part of the logic a plan may ask for, so that it still routes.
    ``dsp_kind``, ``pair_kind``: the kinds of :class:`~npde_hdl.primitive.product.Products` on its blocks, the second
    two products of one operand each, where there is such. ``cells``: nextpnr's name for each of :data:`KINDS`.
    """

    name: str
    aspects: tuple[tuple[int, int], ...]
    products_per_dsp: tuple[int, int]
    spram: tuple[int, int] | None
    small: tuple[int, int, int]
    fill: float
    dsp_kind: str
    pair_kind: str | None
    cells: dict[str, str]

    def brams(self, depth: int, width: int) -> int:
        """Block RAMs of a ``depth × width`` memory at the best single aspect, none for a small one."""
        return 0 if self.pieces(depth, width) else self._blocks(depth, width)

    def pieces(self, depth: int, width: int) -> int:
        """Pieces of distributed memory (or bits in registers) of a small memory, none for one in block RAM."""
        piece_depth, piece_width, most = self.small
        pieces = math.ceil(depth / piece_depth) * math.ceil(width / piece_width)
        return pieces if pieces <= most * self._blocks(depth, width) else 0

    def _blocks(self, depth: int, width: int) -> int:
        return min(math.ceil(depth / d) * math.ceil(width / w) for d, w in self.aspects)

    def sprams(self, depth: int, width: int) -> int:
        """Single-port RAMs of such a memory."""
        if self.spram is None:
            raise ValueError(f"{self.name} has no single-port RAMs")
        return math.ceil(depth / self.spram[0]) * math.ceil(width / self.spram[1])

    def dsps(self, products: int, a_width: int, b_width: int) -> int:
        """Multiplier blocks for that many signed products."""
        narrow = max(a_width, b_width) <= 8
        return math.ceil(products / self.products_per_dsp[0 if narrow else 1])


FAMILIES = {
    "ice40": Family(
        "ice40",
        ((256, 16), (512, 8), (1024, 4), (2048, 2)),
        (2, 1),
        (16384, 16),
        (1, 1, 64),
        1.0,
        "ice40_mac16",
        None,
        dict(zip(KINDS, ("ICESTORM_LC", "ICESTORM_DSP", "ICESTORM_RAM", "ICESTORM_SPRAM"), strict=True)),
    ),
    "ecp5": Family(
        "ecp5",
        ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
        (1, 1),
        None,
        (16, 4, 22),
        0.85,
        "ecp5_mult18",
        "ecp5_mult18_pairs",
        dict(zip(KINDS, ("TRELLIS_COMB", "MULT18X18D", "DP16KD"), strict=False)),
    ),
}
