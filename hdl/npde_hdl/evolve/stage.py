"""One update of a time step: window and arithmetic, or the cells passed through."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from npde.program import Evolve, Grid, Update
from npde_hdl.evolve.arithmetic import Arithmetic
from npde_hdl.evolve.note import Note
from npde_hdl.evolve.sized import Sized
from npde_hdl.evolve.window import Window
from npde_hdl.primitive.product import FAR


class Stage(Sized):
    """A rigid pipeline: cells (and their maps) in, cells after the update out.

    Parameters
    ----------
    evolve, update, grid : Evolve, Update, Grid
        The update of which evolution, on what.
    copies : int
        Of :class:`Note`.
    closes : bool
        Whether the time step ends here, which counts ``note.left`` down.
    kind : str
        Which multiplier.

    Members
    -------
    ce, cell, first, note : In(1), In(bits), In(1), In(Note)
        The grid's channels and, above them, all maps if the update uses any. With ``note.left`` zero
        the frame passes unchanged.
    coefficients, biases : In(ArrayLayout(signed(width), count))
        As :class:`~npde_hdl.evolve.arithmetic.Arithmetic` takes them.
    o, o_first, o_note : Out(bits of the channels), Out(1), Out(Note)
        The frame after the update, :attr:`delay` enabled cycles later, in an order rolled by :attr:`roll`.
    """

    def __init__(self, evolve: Evolve, update: Update, grid: Grid, copies: int, closes: bool = True, kind: str = "generic"):
        self.evolve, self.update, self.grid, self.closes = evolve, update, grid, closes
        self.mapped = any(form.channel >= grid.channels for form in update.forms)
        self.cell_bits = grid.channels * grid.q.width
        bits = self.cell_bits + (evolve.maps * evolve.map.width if self.mapped else 0)
        self.window = Window(update, grid, bits, copies, kind in FAR)
        self.arithmetic = Arithmetic(evolve, update, grid, kind)
        self.copies = copies
        super().__init__(
            {
                "ce": In(1),
                "cell": In(bits),
                "first": In(1),
                "note": In(Note(copies)),
                "coefficients": In(data.ArrayLayout(signed(evolve.weight.width), evolve.coefficients)),
                "biases": In(data.ArrayLayout(signed(evolve.bias.width), max(1, len(update.biased)))),
                "o": Out(self.cell_bits),
                "o_first": Out(1),
                "o_note": Out(Note(copies)),
            }
        )

    @property
    def delay(self) -> int:
        """Enabled cycles from a frame's first cell to the first that leaves."""
        return self.window.delay + self.arithmetic.delay

    @property
    def roll(self) -> tuple[int, int]:
        """Rows and columns by which the order that leaves begins later than the one that entered."""
        return self.window.roll

    def elaborate(self, platform):
        m = Module()
        m.submodules.window, m.submodules.arithmetic = window, arithmetic = self.window, self.arithmetic
        grid, evolve = self.grid, self.evolve
        m.d.comb += [
            window.ce.eq(self.ce), window.cell.eq(self.cell), window.first.eq(self.first), window.note.eq(self.note),
            arithmetic.ce.eq(self.ce), arithmetic.coefficients.eq(self.coefficients), arithmetic.biases.eq(self.biases),
            arithmetic.taps.centre.eq(window.tap((0, 0))[: self.cell_bits]),
        ]  # fmt: skip
        for number, form in enumerate(self.update.forms):
            width = arithmetic.form_bits(form)
            low = form.channel * grid.q.width
            if form.channel >= grid.channels:
                low = self.cell_bits + (form.channel - grid.channels) * evolve.map.width
            for place, tap in enumerate(form.taps):
                m.d.comb += arithmetic.taps[f"form{number}"][place].eq(window.tap(tap)[low : low + width])

        # The frame's first cell is as long in the arithmetic as every other.
        first, note = window.o_first, window.o_note
        for cycle in range(arithmetic.delay):
            first_after, note_after = Signal(name=f"first{cycle}"), Signal(Note(self.copies), name=f"note{cycle}", reset_less=True)
            with m.If(self.ce):
                m.d.sync += [first_after.eq(first), note_after.eq(note)]
            first, note = first_after, note_after
        passing, passed = Signal(), Signal()
        m.d.comb += passing.eq(Mux(first, note.left == 0, passed))
        with m.If(self.ce):
            m.d.sync += passed.eq(passing)
        m.d.comb += [
            self.o.eq(Mux(passing, arithmetic.before, arithmetic.cell)),
            self.o_first.eq(first),
            self.o_note.fresh.eq(note.fresh),
            self.o_note.left.eq(Mux(note.left == 0, 0, note.left - 1) if self.closes else note.left),
        ]
        return m
