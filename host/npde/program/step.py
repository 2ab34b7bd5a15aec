"""The steps a stencil-update program is made of: their shapes, formats and exact widths, never their weights."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from npde.errors import ProgramError
from npde.fixed import Q, signed_width
from npde.program.phi import Identity, Phi, Table, check_phi

Boundary = Literal["periodic", "dirichlet", "neumann"]
Tap = tuple[int, int]

CENTRE: Tap = (0, 0)
MOORE: tuple[Tap, ...] = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
CROSS: tuple[Tap, ...] = ((-1, 0), (0, -1), (0, 0), (0, 1), (1, 0))

WEIGHT_BITS = range(2, 17)
FIELD_BITS = range(2, 19)
ACCUMULATOR_BITS = 62


class Grid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``height × width`` cells of ``channels`` fields each, every value in format ``q``."""

    height: int
    width: int
    channels: int
    q: Q

    def __post_init__(self) -> None:
        for name in ("height", "width", "channels"):
            if not 1 <= getattr(self, name) <= 65535:
                raise ProgramError(f"a grid's {name} is 1 to 65535, not {getattr(self, name)}")
        if self.q.width not in FIELD_BITS:
            raise ProgramError(f"a field is {FIELD_BITS[0]} to {FIELD_BITS[-1]} bits wide, not {self.q.width}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)``."""
        return self.height, self.width, self.channels

    @property
    def size(self) -> int:
        """The number of values in one frame."""
        return self.height * self.width * self.channels

    def __str__(self) -> str:
        return f"{self.height}×{self.width}×{self.channels} {self.q}"


class Stencil(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="stencil", kw_only=True):
    """One explicit time step of a neural PDE on every cell of the grid.

    ``acc[o,y,x] = bias[o] + Σ_i Σ_tap kernel[o,i,tap]·u[i, y·stride+dy, x·stride+dx] (+ u[o,y,x] if skip)``
    ``u'[o,y,x] = saturate(φ(rescale(acc)))``

    The accumulator has ``weight.frac + in.frac`` fractional bits and is exact. ``kernel`` has shape
    ``(out_channels, in_channels, len(taps))`` in format ``weight``, ``bias`` has shape
    ``(out_channels,)`` in format ``bias``; both live in the model, not here. ``repeat`` applies the
    same weights that many times. A coarsened grid has ``ceil(height/stride) × ceil(width/stride)`` cells.
    """

    out_channels: int
    taps: tuple[Tap, ...]
    weight: Q
    bias: Q
    out: Q
    phi: Phi = Identity()
    boundary: Boundary = "neumann"
    stride: int = 1
    skip: bool = False
    repeat: int = 1

    def grid_after(self, grid: Grid, where: str) -> Grid:
        """The grid after this step on ``grid``; raises :class:`ProgramError` where the two do not fit."""
        self._check_shape(grid, where)
        self._check_formats(grid, where)
        return Grid(-(-grid.height // self.stride), -(-grid.width // self.stride), self.out_channels, self.out)

    def _check_shape(self, grid: Grid, where: str) -> None:
        if not 1 <= self.out_channels <= 65535:
            raise ProgramError(f"{where}: out_channels is 1 to 65535, not {self.out_channels}")
        if not self.taps:
            raise ProgramError(f"{where}: a stencil needs at least one tap (dy, dx)")
        if len(set(self.taps)) != len(self.taps):
            raise ProgramError(f"{where}: a tap stands twice in {self.taps}")
        for dy, dx in self.taps:
            if (abs(dy) >= grid.height and dy) or (abs(dx) >= grid.width and dx):
                raise ProgramError(f"{where}: tap ({dy}, {dx}) reaches across the whole {grid.height}×{grid.width} grid")
        if not 1 <= self.stride <= max(grid.height, grid.width):
            raise ProgramError(f"{where}: stride {self.stride} on a {grid.height}×{grid.width} grid")
        if self.boundary not in get_args(Boundary):
            raise ProgramError(f"{where}: boundary {self.boundary!r} is none of periodic, dirichlet and neumann")
        if not 1 <= self.repeat <= 65535:
            raise ProgramError(f"{where}: repeat is 1 to 65535, not {self.repeat}")
        keeps_grid = self.stride == 1 and self.out_channels == grid.channels
        if self.skip and not keeps_grid:
            raise ProgramError(
                f"{where}: skip needs stride 1 and as many output as input channels, "
                f"not stride {self.stride} and {grid.channels} → {self.out_channels} channels"
            )
        if self.repeat > 1 and not (keeps_grid and self.out == grid.q):
            raise ProgramError(
                f"{where}: repeat {self.repeat} needs the output grid to equal the input grid, but "
                f"{grid} becomes {self.out_channels} channels of {self.out} at stride {self.stride}"
            )

    def _check_formats(self, grid: Grid, where: str) -> None:
        if self.weight.width not in WEIGHT_BITS:
            raise ProgramError(f"{where}: weights are 2 to 16 bits wide, not {self.weight.width}")
        if self.out.width not in FIELD_BITS:
            raise ProgramError(f"{where}: fields are 2 to 18 bits wide, not {self.out.width}")
        if not 2 <= self.bias.width <= 32:
            raise ProgramError(f"{where}: biases are 2 to 32 bits wide, not {self.bias.width}")
        check_phi(self.phi, self.out, where)
        frac = self.accumulator_frac(grid)
        if self.bias.frac > frac:
            raise ProgramError(
                f"{where}: bias {self.bias} is finer than the accumulator, which has {frac} fractional bits"
            )
        if self.skip and self.weight.frac < 0:
            raise ProgramError(f"{where}: skip needs weights with no negative fractional bits, not {self.weight}")
        if self.shift(grid) < 0:
            target = self.phi.input if isinstance(self.phi, Table) else self.out
            raise ProgramError(f"{where}: {target} is finer than the accumulator, which has {frac} fractional bits")
        if self.accumulator_width(grid) > ACCUMULATOR_BITS:
            raise ProgramError(
                f"{where}: the accumulator would need {self.accumulator_width(grid)} bits; {ACCUMULATOR_BITS} is the most"
            )

    def accumulator_frac(self, grid: Grid) -> int:
        """Fractional bits of the exact accumulator."""
        return self.weight.frac + grid.q.frac

    def shift(self, grid: Grid) -> int:
        """The right shift of the rescale, to the output format or to the table's input format."""
        target = self.phi.input if isinstance(self.phi, Table) else self.out
        return self.accumulator_frac(grid) - target.frac

    def bias_shift(self, grid: Grid) -> int:
        """The left shift that aligns a bias with the accumulator."""
        return self.accumulator_frac(grid) - self.bias.frac

    def accumulator_width(self, grid: Grid) -> int:
        """Bits that hold the accumulator, rounding constant included, for ANY weights, biases and inputs."""
        products = grid.channels * len(self.taps)
        high = products * self.weight.low * grid.q.low + (self.bias.high << self.bias_shift(grid))
        least = min(self.weight.low * grid.q.high, self.weight.high * grid.q.low)  # the wider format's low end counts
        low = products * least + (self.bias.low << self.bias_shift(grid))
        if self.skip:
            high += grid.q.high << self.weight.frac
            low += grid.q.low << self.weight.frac
        return signed_width(low, high + (1 << max(self.shift(grid) - 1, 0)))

    def macs(self, grid: Grid) -> int:
        """Multiply-accumulates per frame, every tap of every output cell counted, repeats included."""
        after = self.grid_after(grid, "step")
        return after.size * grid.channels * len(self.taps) * self.repeat


class Pool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="pool", kw_only=True):
    """Sum or maximum over tiles of ``size × size`` cells that do not overlap, rescaled to ``out``.

    A tile at the right or lower edge that the grid does not fill is dropped, as in every deep
    learning library. A sum has the input's fractional bits; average pooling by ``2**k`` cells is a
    sum whose output format is read with ``k`` more of them.
    """

    kind: Literal["sum", "max"]
    size: int
    out: Q

    def grid_after(self, grid: Grid, where: str) -> Grid:
        """The grid after pooling ``grid``; raises :class:`ProgramError` where it does not fit."""
        height, width = self.tile(grid)
        if self.kind not in ("sum", "max"):
            raise ProgramError(f"{where}: a pool takes the sum or the max of a tile, not the {self.kind!r}")
        if not 1 <= self.size <= max(grid.height, grid.width):
            raise ProgramError(f"{where}: tiles of {self.size} cells on a {grid.height}×{grid.width} grid")
        if self.out.width not in FIELD_BITS:
            raise ProgramError(f"{where}: fields are 2 to 18 bits wide, not {self.out.width}")
        if self.shift(grid) < 0:
            raise ProgramError(f"{where}: {self.out} is finer than the pooled {grid.q}")
        if self.accumulator_width(grid) > ACCUMULATOR_BITS:
            raise ProgramError(
                f"{where}: the accumulator would need {self.accumulator_width(grid)} bits; {ACCUMULATOR_BITS} is the most"
            )
        return Grid(grid.height // height, grid.width // width, grid.channels, self.out)

    def tile(self, grid: Grid) -> tuple[int, int]:
        """Tile height and width: a 1-D grid is pooled along its one dimension."""
        return min(self.size, grid.height), min(self.size, grid.width)

    def shift(self, grid: Grid) -> int:
        """The right shift of the rescale."""
        return grid.q.frac - self.out.frac

    def accumulator_width(self, grid: Grid) -> int:
        """Bits that hold a tile's sum (or maximum), rounding constant included."""
        height, width = self.tile(grid)
        cells = height * width if self.kind == "sum" else 1
        return signed_width(cells * grid.q.low, cells * grid.q.high + (1 << max(self.shift(grid) - 1, 0)))

    def macs(self, grid: Grid) -> int:
        """Pooling multiplies nothing."""
        return 0


class FullKernel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What steps have in common whose outputs see all values of one cell."""

    out_channels: int
    weight: Q
    bias: Q
    out: Q
    phi: Phi = Identity()

    def as_stencil(self) -> Stencil:
        """The same step as a stencil with the one tap (0, 0) on that cell."""
        return Stencil(
            out_channels=self.out_channels,
            taps=(CENTRE,),
            weight=self.weight,
            bias=self.bias,
            out=self.out,
            phi=self.phi,
        )


class Dense(FullKernel, frozen=True, tag="dense"):
    """The full-size kernel: every output sees every value of the grid, in (y, x, channel) order.

    It is a :class:`Stencil` with the one tap (0, 0) on a ``1×1`` grid of ``height·width·channels``
    channels (Guo, Huang and Xu: the MLP as the neural PDE with a full-size kernel), and
    :meth:`as_stencil` says so. ``kernel`` has shape ``(out_channels, values, 1)``.
    """

    @staticmethod
    def flatten(grid: Grid) -> Grid:
        """``grid`` as one cell."""
        return Grid(1, 1, grid.size, grid.q)

    def grid_after(self, grid: Grid, where: str) -> Grid:
        """The ``1×1`` grid of outputs."""
        if grid.size > 65535:
            raise ProgramError(f"{where}: a dense step sees at most 65535 values, not {grid.size}")
        return self.as_stencil().grid_after(self.flatten(grid), where)

    def macs(self, grid: Grid) -> int:
        """Multiply-accumulates per frame."""
        return grid.size * self.out_channels
