"""How a step's integers lie in its weight memory: the one agreement between host and gateware on folding.

A step with ``PE`` output lanes and ``SIMD`` input lanes reads one word a cycle. Word by word, for
each output fold ``of`` (channels ``of·PE …``): first ``bias_beats`` words of bias, most significant
part first; then for each of :attr:`Packing.beat_taps`, for each input fold ``f`` (channels
``f·SIMD …``), the ``PE × SIMD`` weights. Lane ``(p, s)`` lies at bits ``(p·SIMD + s)·weight.width`` of the word.
In a bias word, output lane ``p`` has the ``SIMD·weight.width`` bits that its weights have elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from npde.errors import ProgramError
from npde.model import Weights
from npde.program import CENTRE, Grid, Stencil, Tap

MULTIPLY = 3
"""Cycles from a word to its products, at most."""
OUTLOOK = 5
"""Cycles in which a line buffer works out the next cell's window: no cell has fewer words."""


@dataclass(frozen=True)
class Fold:
    """``pe`` output lanes × ``simd`` input lanes; they divide the output and the input channels."""

    pe: int
    simd: int

    @property
    def multipliers(self) -> int:
        """Products formed in one cycle."""
        return self.pe * self.simd


@dataclass(frozen=True)
class Packing:
    """The layout of one weighted step (a dense one flattened) under one folding.

    Raises :class:`ProgramError` when the lanes do not divide the channels.
    """

    stencil: Stencil
    grid: Grid
    fold: Fold

    def __post_init__(self) -> None:
        pe, simd = self.fold.pe, self.fold.simd
        if pe < 1 or self.stencil.out_channels % pe:
            raise ProgramError(f"{pe} output lanes do not divide {self.stencil.out_channels} output channels")
        if simd < 1 or self.grid.channels % simd:
            raise ProgramError(f"{simd} input lanes do not divide {self.grid.channels} input channels")

    @property
    def input_folds(self) -> int:
        """Words that hold one cell's input channels."""
        return self.grid.channels // self.fold.simd

    @property
    def output_folds(self) -> int:
        """Passes over a window until all output channels are done."""
        return self.stencil.out_channels // self.fold.pe

    @property
    def settle(self) -> int:
        """Cycles a bias or a centre value must stay held behind the word that brought it: the lanes' latency at most."""
        return MULTIPLY + (self.fold.simd - 1).bit_length()

    @property
    def leading_taps(self) -> int:
        """Taps of weight zero before the program's own, where a fold would be over before its lanes or the outlook have settled."""
        folds = self.input_folds
        short = max(0, self.settle - folds * len(self._own_taps), OUTLOOK - 1 - folds * len(self._own_taps))
        if self.stencil.skip:
            short = max(short, self.settle - self.bias_beats - folds * self._own_taps.index(CENTRE))
        return -(-short // folds)

    @property
    def _own_taps(self) -> tuple[Tap, ...]:
        taps = self.stencil.taps
        return taps if not self.stencil.skip or CENTRE in taps else (*taps, CENTRE)

    @property
    def beat_taps(self) -> tuple[Tap, ...]:
        """The taps as read: leading ones of weight zero, the program's, and the centre if only skip wants it."""
        return (CENTRE,) * self.leading_taps + self._own_taps

    @property
    def centre_tap(self) -> int:
        """Which of :attr:`beat_taps` carries the centre value that skip adds."""
        return self.leading_taps + self._own_taps.index(CENTRE)

    @property
    def lane_bits(self) -> int:
        """Bits of a word that belong to one output lane."""
        return self.fold.simd * self.stencil.weight.width

    @property
    def bias_beats(self) -> int:
        """Words that hold the biases of one output fold."""
        return -(-self.stencil.bias.width // self.lane_bits)

    @property
    def beats(self) -> int:
        """Words, and so cycles, for one output fold of one cell."""
        return self.bias_beats + len(self.beat_taps) * self.input_folds

    @property
    def depth(self) -> int:
        """Words in the memory."""
        return self.output_folds * self.beats

    @property
    def width(self) -> int:
        """Bits in a word."""
        return self.fold.pe * self.lane_bits

    @property
    def initiation_interval(self) -> int:
        """Cycles from one frame to the next when nothing stalls."""
        after = self.stencil.grid_after(self.grid, "step")
        return after.height * after.width * self.depth

    def pack(self, weights: Weights) -> bytes:
        """The memory's content as it travels: ``depth`` words of ``ceil(width / 8)`` bytes, little-endian."""
        stencil, fold = self.stencil, self.fold
        padding = (self.leading_taps, len(self._own_taps) - len(stencil.taps))
        kernel = np.pad(weights.kernel, ((0, 0), (0, 0), padding))
        lanes = kernel.reshape(self.output_folds, fold.pe, self.input_folds, fold.simd, len(self.beat_taps))
        products = lanes.transpose(0, 4, 2, 1, 3).reshape(self.output_folds, -1, fold.pe, fold.simd)
        bits = _bits(products, stencil.weight.width).reshape(self.output_folds, -1, self.width)
        chunks = _bits(weights.bias, self.bias_beats * self.lane_bits).reshape(
            self.output_folds, fold.pe, self.bias_beats, self.lane_bits
        )
        biases = chunks[:, :, ::-1].transpose(0, 2, 1, 3).reshape(self.output_folds, self.bias_beats, self.width)
        words = np.concatenate([biases, bits], axis=1).reshape(self.depth, self.width)
        return np.packbits(words, axis=1, bitorder="little").tobytes()


def _bits(values: np.ndarray, width: int) -> np.ndarray:
    """The two's-complement bits of each value, least significant first, along a new last axis."""
    return ((values[..., None] >> np.arange(width)) & 1).astype(np.uint8)
