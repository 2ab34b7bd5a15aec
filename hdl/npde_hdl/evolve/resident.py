"""A field that stays in memory while a cascade runs it, pass after pass, as many time steps as are asked for."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from npde_hdl.evolve.cascade import Cascade
from npde_hdl.evolve.sized import Sized
from npde_hdl.evolve.walk import Walk

TIMES_BITS = 32


class Command(data.StructLayout):
    """What to do with the field: take a new one first, run ``times`` time steps, give it out."""

    def __init__(self):
        super().__init__({"load": 1, "emit": 1, "times": TIMES_BITS})


class Resident(Sized):
    """The field memory, in place: a pass reads a cell in every cycle and writes one a constant number of cycles later.

    A pass follows the one before without a gap, as soon as a frame has as many cells as the cascade delays;
    ``ceil(times / copies)`` passes of ``cells`` cycles are thus sustained, with one :attr:`lag` at the end. In place is
    exact: a cell is written after this pass has read it, and before the next does. Every pass leaves the frame
    rolled by the cascade's roll in the memory's own true places, so nothing is ever moved back.

    A new field is taken while the old one is given out, cell for cell, if both are asked for.

    Parameters
    ----------
    cascade : Cascade
        What a pass goes through.

    Members
    -------
    command : In(stream.Signature(Command()))
        Taken (``ready``) when it has been carried out, but for the cells still to be given out.
    i, o : In, Out(stream.Signature(bits))
        Fields that come and go, in raster order.
    """

    def __init__(self, cascade: Cascade):
        self.cascade, self.grid = cascade, cascade.grid
        self.bits = len(cascade.cell)
        super().__init__(
            {
                "command": In(stream.Signature(Command())),
                "i": In(stream.Signature(self.bits)),
                "o": Out(stream.Signature(self.bits)),
            }
        )

    @property
    def lag(self) -> int:
        """Cycles from asking the memory for a cell until its successor is written: three registers, the memory, the cascade."""
        return self.cascade.delay + 5

    @property
    def frames_a_pass(self) -> int:
        """Frames' time from pass to pass: one, unless the cascade holds more than a frame."""
        return -(-(self.lag + 1) // (self.grid.height * self.grid.width))

    def cycles(self, times: int) -> int:
        """Cycles from one frame to the next, loading while the last is given out."""
        cells, passes = self.grid.height * self.grid.width, -(-times // self.cascade.copies)
        run = (passes - 1) * self.frames_a_pass * cells + cells + self.lag if passes else 0
        return run + cells + 3

    def elaborate(self, platform):
        m = Module()
        m.submodules.cascade = cascade = self.cascade
        cells, copies = self.grid.height * self.grid.width, cascade.copies
        m.submodules.field = field = Memory(shape=self.bits, depth=max(2, cells), init=[])
        read, write = field.read_port(), field.write_port()
        m.d.comb += cascade.ce.eq(1)

        # Given out and taken in: two pointers, the second behind the first.
        given, taken = Signal(range(cells + 1), init=cells), Signal(range(cells + 1), init=cells)
        turning, running = Signal(), Signal()  # never both: the memory's ports are the pointers' or the passes'
        give, free = Signal(), Signal()
        # What the memory gave while nobody took it is set aside, so that the way from ``o.ready``, which comes through
        # the whole link, ends in one register and not at the enable of every block of the memory.
        here, aside, aside_data = Signal(), Signal(), Signal(self.bits, reset_less=True)
        take = Signal()
        m.d.comb += [
            free.eq(~here | ~aside),
            give.eq(turning & (given != cells) & free),
            self.o.valid.eq(here | aside),
            self.o.payload.eq(Mux(aside, aside_data, read.data)),
            self.i.ready.eq(turning & (taken != cells) & ((given == cells) | (taken < given))),
            take.eq(self.i.valid & self.i.ready),
        ]
        with m.If(give):
            m.d.sync += [given.eq(given + 1), here.eq(1)]
        with m.Elif(free):
            m.d.sync += here.eq(0)
        with m.If(~aside):
            m.d.sync += [aside_data.eq(read.data), aside.eq(here & ~self.o.ready)]
        with m.Elif(self.o.ready):
            m.d.sync += aside.eq(0)
        with m.If(take):
            m.d.sync += taken.eq(taken + 1)

        # A pass: which cell is asked for, and what is said with the first of them.
        m.submodules.reads = reads = Walk(self.grid, step=cascade.roll)
        left, under_way = Signal(TIMES_BITS), Signal(range(3 + self.lag // cells + 1))
        place, frame = Signal(range(cells)), Signal(range(self.frames_a_pass))
        begin, fresh = Signal(), Signal()
        asked, asked_first, read_first = Signal(range(max(2, cells))), Signal(), Signal()
        now = Signal(range(copies + 1))
        said = Signal(cascade.note.shape())
        m.d.comb += [
            begin.eq(running & (place == 0) & (frame == 0) & (left != 0)),
            now.eq(Mux(left > copies, copies, left)),
            reads.first.eq(begin), reads.fresh.eq(fresh), reads.move.eq(running),
            read.addr.eq(Mux(running, asked, given)),
            read.en.eq(running | give),
        ]  # fmt: skip
        m.d.sync += [asked.eq(reads.address), asked_first.eq(begin), read_first.eq(asked_first)]
        # The memory's blocks lie apart and take half a cycle to read; the cascade begins with a register.
        cell, cell_first = Signal(self.bits, reset_less=True), Signal()
        m.d.sync += [cell.eq(read.data), cell_first.eq(read_first)]
        m.d.comb += [cascade.cell.eq(cell), cascade.first.eq(cell_first), cascade.note.eq(said)]
        with m.If(begin):
            m.d.sync += [left.eq(left - now), fresh.eq(0), said.left.eq(now), said.fresh.eq(fresh)]
        with m.If(running):
            m.d.sync += place.eq(Mux(place == cells - 1, 0, place + 1))
            with m.If(place == cells - 1):
                m.d.sync += frame.eq(Mux(frame == self.frames_a_pass - 1, 0, frame + 1))

        # And written back, in the order in which it leaves the cascade.
        m.submodules.writes = writes = Walk(self.grid, start=cascade.roll, step=cascade.roll)
        owed = Signal(range(cells + 1))
        back, put, put_at = Signal(), Signal(), Signal(range(max(2, cells)))
        put_data = Signal(self.bits, reset_less=True)
        ends = Signal()
        m.d.comb += [
            writes.first.eq(cascade.o_first), writes.fresh.eq(cascade.o_note.fresh), writes.move.eq(1),
            ends.eq(Mux(cascade.o_first, cells, owed) == 1),
            back.eq(cascade.o_first | (owed != 0)),
            write.en.eq(put), write.addr.eq(put_at), write.data.eq(put_data),
        ]  # fmt: skip
        m.d.sync += [
            put.eq(back | take),
            put_at.eq(Mux(back, writes.address, taken)),
            put_data.eq(Mux(back, cascade.o, self.i.payload)),
        ]
        with m.If(cascade.o_first):
            m.d.sync += owed.eq(cells - 1)
        with m.Elif(owed != 0):
            m.d.sync += owed.eq(owed - 1)
        m.d.sync += under_way.eq(under_way + begin - ends)

        with m.FSM():
            with m.State("REST"):
                m.d.comb += turning.eq(1)
                # The last field, if it is still to be given out, leaves while the next command's is taken.
                with m.If(self.command.valid):
                    m.d.sync += [taken.eq(Mux(self.command.payload.load, 0, cells)), left.eq(self.command.payload.times)]
                    m.next = "LOAD"
            with m.State("LOAD"):
                m.d.comb += turning.eq(1)
                with m.If((taken == cells) & (given == cells) & free):
                    m.d.sync += [place.eq(0), frame.eq(0), fresh.eq(1)]
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += running.eq(1)
                with m.If((left == 0) & (under_way == 0)):
                    m.next = "WRITTEN"
            with m.State("WRITTEN"):  # the last cell reaches the memory
                m.next = "DONE"
                with m.If(self.command.payload.emit):
                    m.d.sync += given.eq(0)
            with m.State("DONE"):
                # What is emitted need not have left: the next command waits for it, and loads behind it.
                m.d.comb += [turning.eq(1), self.command.ready.eq(1)]
                m.next = "REST"
        return m
