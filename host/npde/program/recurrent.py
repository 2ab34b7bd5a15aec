"""The recurrent step: one set of weights for every row of a sequence, the state fed back."""

from __future__ import annotations

from npde.errors import ProgramError
from npde.program.step import FullKernel, Grid


class Recurrent(FullKernel, frozen=True, tag="recurrent"):
    """The same time step once for each row of the grid, which is its source (Guo, Huang and Xu: the RNN).

    The grid of ``T × W × D`` values is a sequence of ``T`` sources ``s_t``, each a row's ``W·D`` values in
    (x, channel) order. From the state ``u_0 = 0`` of ``H = out_channels`` values,

    ``acc[o] = bias[o] + Σ_d kernel[o,d]·s_t[d] + Σ_h kernel[o,W·D+h]·u_t[h]``
    ``u_{t+1}[o] = saturate(φ(rescale(acc[o])))``

    and ``u_T`` is the ``1 × 1 × H`` grid after the step. That is :meth:`as_stencil` on one cell of ``W·D + H``
    channels, :meth:`cell`, whose outputs are its own last inputs. The source stands first because it is there
    while the state is still being computed. State and source share one format, so ``out`` equals the grid's.
    ``kernel`` has shape ``(H, W·D + H, 1)`` in format ``weight``, ``bias`` ``(H,)`` in format ``bias``.
    """

    def cell(self, grid: Grid) -> Grid:
        """Source and state of one time step as one cell: the source's channels first."""
        return Grid(1, 1, grid.width * grid.channels + self.out_channels, grid.q)

    def grid_after(self, grid: Grid, where: str) -> Grid:
        """The ``1×1`` grid of the last state; raises :class:`ProgramError` where step and grid do not fit."""
        if not 1 <= self.out_channels <= 65535:
            raise ProgramError(f"{where}: out_channels is 1 to 65535, not {self.out_channels}")
        seen = self.out_channels + grid.width * grid.channels
        if seen > 65535:
            raise ProgramError(f"{where}: a recurrent step sees at most 65535 values, state and row together, not {seen}")
        if self.out != grid.q:
            raise ProgramError(f"{where}: state and source share one format, but the state is {self.out} and the grid {grid.q}")
        return self.as_stencil().grid_after(self.cell(grid), where)

    def macs(self, grid: Grid) -> int:
        """Multiply-accumulates per frame: all rows."""
        return grid.height * self.out_channels * self.cell(grid).channels
