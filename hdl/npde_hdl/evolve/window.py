"""The window of an update: one cell a cycle in, every tap of its forms at once out."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from npde.program import Grid, Tap, Update
from npde_hdl.evolve.axis import Axis
from npde_hdl.evolve.note import Note
from npde_hdl.evolve.sized import Sized


class Window(Sized):
    """Rows in block RAM, then columns in registers; see :class:`~npde_hdl.evolve.axis.Axis` for boundaries and order.

    Rows held: twice the vertical reach, and as many again with a periodic boundary. No cycle is wasted.

    Parameters
    ----------
    update, grid : Update, Grid
        Whose taps, and on what.
    bits : int
        Of a cell: all channels and maps, of whatever layout.
    copies : int
        Of :class:`Note`.
    far : bool
        Whether what takes the window lies so far from memories that these need registers.

    Members
    -------
    ce, cell, first, note : In(1), In(bits), In(1), In(Note)
        A rigid pipeline's input; see :class:`~npde_hdl.evolve.axis.Axis`.
    rows : Out(ArrayLayout(ArrayLayout(bits, columns), rows))
        The window; :meth:`tap` finds a cell in it.
    o_first, o_note : Out(1), Out(Note)
        Beside the first centre of a frame, :attr:`delay` enabled cycles later.
    """

    def __init__(self, update: Update, grid: Grid, bits: int, copies: int, far: bool = False):
        self.update, self.grid, self.bits = update, grid, bits
        taps = [self.place(tap) for form in update.forms for tap in form.taps]
        self.up = max(abs(dy) for dy, _ in taps)
        self.left = max(abs(dx) for _, dx in taps)
        self.vertical = Axis(bits, grid.height, grid.width, self.up, update.boundary, copies, far)
        self.horizontal = Axis(bits * (2 * self.up + 1), grid.width, 1, self.left, update.boundary, copies, far)
        columns = data.ArrayLayout(data.ArrayLayout(bits, 2 * self.up + 1), 2 * self.left + 1)
        super().__init__(
            {
                "ce": In(1),
                "cell": In(bits),
                "first": In(1),
                "note": In(Note(copies)),
                "columns": Out(columns),
                "o_first": Out(1),
                "o_note": Out(Note(copies)),
            }
        )

    @property
    def delay(self) -> int:
        """Enabled cycles from a frame's first cell to its first centre."""
        return self.vertical.delay + self.horizontal.delay

    @property
    def roll(self) -> tuple[int, int]:
        """Rows and columns by which the order of the centres begins later than that of the cells."""
        return self.vertical.roll, self.horizontal.roll

    def place(self, tap: Tap) -> Tap:
        """The nearest tap that means the same: on a periodic axis a step forward may be shorter as one back."""
        if self.update.boundary != "periodic":
            return tap
        sizes = self.grid.height, self.grid.width
        dy, dx = ((distance + size // 2) % size - size // 2 for distance, size in zip(tap, sizes, strict=True))
        return dy, dx

    def tap(self, tap: Tap):
        """The neighbour at ``tap`` of the centre now in the window."""
        dy, dx = self.place(tap)
        return self.columns[self.left + dx][self.up + dy]

    def elaborate(self, platform):
        m = Module()
        m.submodules.vertical, m.submodules.horizontal = rows, columns = self.vertical, self.horizontal
        m.d.comb += [
            rows.ce.eq(self.ce), rows.i.eq(self.cell), rows.first.eq(self.first), rows.note.eq(self.note),
            columns.ce.eq(self.ce), columns.i.eq(rows.o), columns.first.eq(rows.o_first), columns.note.eq(rows.o_note),
            self.columns.eq(columns.o), self.o_first.eq(columns.o_first), self.o_note.eq(columns.o_note),
        ]  # fmt: skip
        return m
