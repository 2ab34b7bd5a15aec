"""A window along one axis of a stream of cells: all neighbours up to a reach at once, the boundary included."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from npde.program import Boundary
from npde_hdl.evolve.note import Note
from npde_hdl.evolve.sized import Sized


class Axis(Sized):
    """Words in, ``2·reach + 1`` neighbouring words out, one position a cycle, as a rigid pipeline.

    Positions follow each other ``stride`` cycles apart (the grid's width for rows, one for columns). A frame
    is a run of words that begins with ``first``; behind it may come the next frame or words that mean nothing.

    Neumann and Dirichlet neighbours beyond the edge are chosen by the centre's position; ``2·reach`` strides
    are held, and the centre is ``reach`` of them late. Periodic neighbours cost no cycle either: the order
    is *rolled*. The first ``2·reach`` strides are kept and replayed while those of the next frame arrive, which
    completes the last centres meanwhile; centres therefore come in the order ``reach … n - 1, 0 … reach - 1``,
    and twice as much is held. What follows a periodic frame must be whole frames (of anything) until its last
    centre is out.

    Parameters
    ----------
    bits : int
        Of a word.
    length, stride, reach : int
        Positions along the axis, cycles between them, neighbours to either side (``2·reach <= length`` if periodic).
    boundary : str
        ``"neumann"``, ``"dirichlet"`` or ``"periodic"``.
    copies : int
        Of :class:`Note`.
    far : bool
        Put a register behind each memory, which is then read a cycle earlier; nothing comes later for it.

    Members
    -------
    ce : In(1)
        Everything stands still while low.
    i, first, note : In(bits), In(1), In(Note)
        A word; whether a frame begins with it, and what is to be known about that frame.
    o : Out(ArrayLayout(bits, 2 * reach + 1))
        The neighbours from ``-reach`` to ``+reach``, :attr:`delay` enabled cycles later.
    o_first, o_note : Out(1), Out(Note)
        The same for the frame of centres.
    """

    def __init__(self, bits: int, length: int, stride: int, reach: int, boundary: Boundary, copies: int, far: bool = False):
        periodic = boundary == "periodic" and reach > 0
        if reach < 0 or reach >= length + (reach == 0) or (periodic and 2 * reach > length):
            raise ValueError(f"a reach of {reach} on an axis of {length} positions")
        self.bits, self.length, self.stride, self.reach = bits, length, stride, reach
        self.boundary, self.periodic, self.copies = boundary, periodic, copies
        # Two cycles ahead of a column its word must lie there already, which was written a stride before it.
        self.ahead = 2 if far and stride > 2 else 1
        super().__init__(
            {
                "ce": In(1),
                "i": In(bits),
                "first": In(1),
                "note": In(Note(copies)),
                "o": Out(data.ArrayLayout(bits, 2 * reach + 1)),
                "o_first": Out(1),
                "o_note": Out(Note(copies)),
            }
        )

    @property
    def late(self) -> int:
        """Words from one that enters to the centre that leaves with it."""
        return self.reach * self.stride * (2 if self.periodic else 1)

    @property
    def delay(self) -> int:
        """Enabled cycles from a frame's first word to its first centre."""
        return self.late + 1 if self.reach else 0

    @property
    def roll(self) -> int:
        """Positions by which the order of the centres begins later than that of the words."""
        return self.reach if self.periodic else 0

    def elaborate(self, platform):
        m = Module()
        if self.reach == 0:
            m.d.comb += [self.o[0].eq(self.i), self.o_first.eq(self.first), self.o_note.eq(self.note)]
            return m
        centre_first, held_note = Signal(), Signal(Note(self.copies), reset_less=True)
        until = Signal(range(self.late + 1))
        m.d.comb += centre_first.eq(until == 1)
        with m.If(self.ce):
            m.d.sync += [self.o_first.eq(centre_first), self.o_note.eq(held_note)]
            with m.If(self.first):
                m.d.sync += [until.eq(self.late), held_note.eq(self.note)]
            with m.Elif(until != 0):
                m.d.sync += until.eq(until - 1)

        at = self._column(m)
        depth = 2 * self.reach
        if self.periodic:
            position = self._position(m, self.first, "word")
            heads = [self._kept(m, at, self.i, position == row, self.bits, f"head{row}") for row in range(depth)]
            lines = self._rolled(m, at, position, heads)
        else:
            pushed = Signal(depth * self.bits)
            held = self._kept(m, at, pushed, Const(1), depth * self.bits, "rows")
            lines = [self.i, *(held.word_select(row, self.bits) for row in range(depth))]
            m.d.comb += pushed.eq(Cat(lines[:-1]))
            lines = self._bounded(self._position(m, centre_first, "centre"), lines)
        # What is not the beginning of a frame needs no reset: one to every data register would cross the whole device.
        window = Signal.like(self.o, name="window", reset_less=True)
        m.d.comb += self.o.eq(window)
        with m.If(self.ce):
            # The word that came last is the neighbour farthest ahead.
            m.d.sync += [window[index].eq(lines[depth - index]) for index in range(depth + 1)]
        return m

    def _column(self, m):
        """Which of ``stride`` columns the word now here belongs to, and that :attr:`ahead` of it; any may be the first."""
        column, after = Signal(range(self.stride)), Signal(range(self.stride), init=self.ahead % self.stride)
        for counter in (column, after):
            with m.If(self.ce):
                m.d.sync += counter.eq(Mux(counter == self.stride - 1, 0, counter + 1))
        return column, after

    def _position(self, m, first, name):
        """The position along the axis of the word now here, of a frame that begins with ``first``."""
        counted, now = Signal(range(self.length), name=f"{name}_counted"), Signal(range(self.length), name=name)
        sub, sub_now = Signal(range(self.stride), name=f"{name}_sub"), Signal(range(self.stride), name=f"{name}_sub_now")
        m.d.comb += [now.eq(Mux(first, 0, counted)), sub_now.eq(Mux(first, 0, sub))]
        with m.If(self.ce):
            with m.If(sub_now == self.stride - 1):
                m.d.sync += [sub.eq(0), counted.eq(Mux(now == self.length - 1, 0, now + 1))]
            with m.Else():
                m.d.sync += [sub.eq(sub_now + 1), counted.eq(now)]
        return now

    def _kept(self, m, at, word, write, bits, name):
        """What ``word`` was when it was last written in this column."""
        if self.stride == 1:
            kept = Signal(bits, name=name, reset_less=True)
            with m.If(self.ce & write):
                m.d.sync += kept.eq(word)
            return kept
        column, after = at
        memory = Memory(shape=bits, depth=self.stride, init=[])
        m.submodules[name] = memory
        read, port = memory.read_port(), memory.write_port()
        m.d.comb += [
            read.addr.eq(after),  # ahead, so that the word is here with its successor
            read.en.eq(self.ce),
            port.addr.eq(column),
            port.data.eq(word),
            port.en.eq(self.ce & write),
        ]
        if self.ahead == 1:
            return read.data
        kept = Signal(bits, name=f"{name}_read", reset_less=True)
        with m.If(self.ce):
            m.d.sync += kept.eq(read.data)
        return kept

    def _rolled(self, m, at, position, heads):
        """The lines of the frame whose centres leave: replayed at its end, taken from the kept ones at its beginning."""
        depth = 2 * self.reach
        pushed = Signal(depth * self.bits)
        held = self._kept(m, at, pushed, Const(1), depth * self.bits, "rows")
        lines = [Signal(self.bits, name=f"line{row}") for row in range(depth + 1)]
        m.d.comb += lines[0].eq(self.i)
        for row, head in enumerate(heads):
            with m.If(position == row):
                m.d.comb += lines[0].eq(head)
        begins = position == depth % self.length
        m.d.comb += [
            lines[row].eq(Mux(begins, heads[depth - row], held.word_select(row - 1, self.bits))) for row in range(1, depth + 1)
        ]
        m.d.comb += pushed.eq(Cat(lines[:-1]))
        return lines

    def _bounded(self, centre, lines):
        """The lines with those beyond the first or last position replaced."""
        bounded = list(lines)
        zero = Const(0, self.bits)
        for far in range(1, self.reach + 1):
            for near in range(far):
                before, after = self.reach + far, self.reach - far
                neumann = self.boundary == "neumann"
                bounded[before] = Mux(centre == near, lines[self.reach + near] if neumann else zero, bounded[before])
                beyond = centre == self.length - 1 - near
                bounded[after] = Mux(beyond, lines[self.reach - near] if neumann else zero, bounded[after])
        return bounded
