"""How far a stencil reaches around its centre, and what a line buffer must therefore hold."""

from __future__ import annotations

from dataclasses import dataclass

from npde.program import Boundary, Grid, Tap


@dataclass(frozen=True)
class Reach:
    """The cells a window needs before and after its centre in raster order, and how the centre moves.

    All lengths are in cells of the input grid. With ``periodic`` boundaries a window may need any
    row of the frame, so the unit of arrival and of release is the whole frame.
    """

    grid: Grid
    taps: tuple[Tap, ...]
    boundary: Boundary
    stride: int

    @property
    def up(self) -> int:
        """Rows above the centre."""
        return max(0, *(-dy for dy, _ in self.taps))

    @property
    def down(self) -> int:
        """Rows below the centre."""
        return max(0, *(dy for dy, _ in self.taps))

    @property
    def left(self) -> int:
        """Columns left of the centre."""
        return max(0, *(-dx for _, dx in self.taps))

    @property
    def right(self) -> int:
        """Columns right of the centre."""
        return max(0, *(dx for _, dx in self.taps))

    @property
    def rows(self) -> int:
        """Rows of output cells."""
        return -(-self.grid.height // self.stride)

    @property
    def cols(self) -> int:
        """Columns of output cells."""
        return -(-self.grid.width // self.stride)

    @property
    def whole_frame(self) -> bool:
        """Whether a window may wrap around the frame."""
        return self.boundary == "periodic" and any(tap != (0, 0) for tap in self.taps)

    @property
    def frame_cells(self) -> int:
        """Cells of one input frame."""
        return self.grid.height * self.grid.width

    @property
    def behind(self) -> int:
        """Cells before the centre that must still be held."""
        return 0 if self.whole_frame else self.up * self.grid.width + self.left

    @property
    def ahead(self) -> int:
        """Cells from the centre on, itself included, that the largest window waits for."""
        if self.whole_frame:
            return self.frame_cells
        last_row = min(self.down, self.grid.height - 1)
        return min(last_row * self.grid.width + min(self.right, self.grid.width - 1) + 1, self.frame_cells)

    @property
    def row_step(self) -> int:
        """Cells from the first centre of a row to the first of the next."""
        return self.stride * self.grid.width

    @property
    def frame_step(self) -> int:
        """Cells from the first centre of a frame's last row to the first of the next frame."""
        return self.frame_cells - (self.rows - 1) * self.row_step

    @property
    def line_step(self) -> int:
        """Cells from the last centre of a row to the first of the next."""
        return self.row_step - (self.cols - 1) * self.stride

    @property
    def least_cells(self) -> int:
        """Cells a buffer needs so that it can never block itself."""
        return self.behind + self.ahead

    @property
    def smooth_cells(self) -> int:
        """Cells a buffer needs so that the next window has arrived while the last is being computed.

        Two cells of slack; the rows a coarsening step skips, which arrive while it has nothing to
        do; a second frame where windows wrap around the first.
        """
        if self.whole_frame:
            return 2 * self.frame_cells
        return self.least_cells + 2 * self.stride + (self.stride - 1) * self.grid.width
