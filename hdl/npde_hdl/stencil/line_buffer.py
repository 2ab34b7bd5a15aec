"""The minimal reuse buffer of a stencil: rows stream in, windows stream out, no frame is ever stored."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from npde.link.packing import OUTLOOK, Fold, Packing
from npde_hdl.stencil.reach import Reach

SIDES = ("left", "right", "up", "down")
END = data.StructLayout({"row": 1, "frame": 1})
"""Whether a cell is its row's last, and its frame's."""


class Beat(data.StructLayout):
    """One word of a window on its way to the lanes.

    Members
    -------
    lanes : ArrayLayout(signed(field bits), simd)
        The values, zero where a Dirichlet tap lies outside the grid; undefined in a bias beat.
    bias : unsigned(1)
        The weight memory's word is a bias, not a row of weights.
    first, last : unsigned(1)
        The first and the last product of an output fold.
    centre : unsigned(1)
        The word holds values of the centre cell that skip adds in this output fold.
    group : range(simd // pe)
        Which ``pe`` of the lanes those are, where there are more input than output lanes.
    """

    def __init__(self, bits: int, fold: Fold):
        super().__init__(
            {
                "lanes": data.ArrayLayout(signed(bits), fold.simd),
                "bias": 1,
                "first": 1,
                "last": 1,
                "centre": 1,
                "group": range(max(1, fold.simd // fold.pe)),
            }
        )


class LineBuffer(wiring.Component):
    """A circular buffer of ``2**k`` words that holds just the rows a window spans, and the walk over them.

    For each output cell in raster order and each output fold, the beats of :class:`~npde.link.packing.Packing`
    come out one a cycle as soon as the window has arrived: the bias beats, then tap by tap the input
    folds. Out-of-grid taps are clamped (Neumann), wrapped (periodic) or zero (Dirichlet). Addresses
    are differences modulo the buffer's size.

    Three parts, each short between registers. The writer takes cells while there is room. The outlook
    works out, while one cell's beats are issued, where the next cell lies, what its window needs and
    whether that has come: :data:`~npde.link.packing.OUTLOOK` cycles, no more than any cell has beats, so the
    walk never waits for it. The walk issues the beats; it is a rigid pipeline, nothing in it moves while ``enable`` is
    low, and reading takes :attr:`LATENCY` cycles from its counters. A cell that arrives late is
    walked over :attr:`RETURN` cycles after. Space is given back only when the
    reads that needed it have been made, so a stall of any length overwrites nothing.

    Parameters
    ----------
    packing : Packing
        The step and its folding.
    cells : int
        Cells to hold at least; see :class:`Reach`. Raises :class:`ValueError` below ``least_cells``.

    Members
    -------
    cells_in : In(stream.Signature(ArrayLayout(signed(bits), simd)))
        Cells in raster order, each ``input_folds`` words.
    enable : In(1)
        The walk may move.
    beat, valid : Out(Beat), Out(1)
        The beat now at the memory's output.
    weight_address : Out(range(depth))
        Address of the weight word that belongs to the *next* beat: set it on a memory of latency
        one that is enabled with the walk, and word and beat come out together.
    """

    LATENCY = 4
    RETURN = 3

    def __init__(self, packing: Packing, cells: int):
        self.packing = packing
        stencil, grid = packing.stencil, packing.grid
        self.reach = Reach(grid, packing.beat_taps, stencil.boundary, stencil.stride)
        if cells < self.reach.least_cells:
            raise ValueError(f"a line buffer of {cells} cells blocks itself; this step needs {self.reach.least_cells}")
        self.words = words_for(packing, cells)
        self.cells = self.words // packing.input_folds
        pe, simd = packing.fold.pe, packing.fold.simd
        ratio = max(pe, simd) // min(pe, simd)
        if stencil.skip and (max(pe, simd) % min(pe, simd) or ratio & (ratio - 1)):
            raise ValueError(f"skip needs output and input lanes in a ratio that is a power of two, not {pe} to {simd}")
        lanes = data.ArrayLayout(signed(grid.q.width), simd)
        super().__init__(
            {
                "cells_in": In(stream.Signature(lanes)),
                "enable": In(1),
                "beat": Out(Beat(grid.q.width, packing.fold)),
                "valid": Out(1),
                "weight_address": Out(range(packing.depth)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        packing, reach = self.packing, self.reach
        folds, step, words = packing.input_folds, packing.stencil.stride, self.words
        width = self.beat.lanes.shape().size

        m.submodules.rows = rows = Memory(shape=width, depth=words, init=[])
        write, read = rows.write_port(), rows.read_port()
        address_bits = (words - 1).bit_length()

        # --- Writer: takes a word whenever the cell it begins or continues has room, which a register says.
        # A step that coarsens moves on over cells that have yet to arrive: they need no room that is taken now.
        leap = max(reach.line_step, reach.frame_step, step)
        room = Signal(range(self.cells - reach.behind + leap + 1), init=self.cells - reach.behind)
        roomy, continuing, arriving = Signal(init=1), Signal(), Signal(range(folds))
        accept, begins, last_word = Signal(), Signal(), Signal()
        m.d.comb += [
            self.cells_in.ready.eq(roomy | continuing),
            accept.eq(self.cells_in.valid & self.cells_in.ready),
            begins.eq(accept & ~continuing),
            last_word.eq(arriving == folds - 1),
            write.en.eq(accept),
            write.data.eq(self.cells_in.payload),
        ]
        arrived = Signal()
        m.d.sync += [arrived.eq(accept & last_word), roomy.eq((room[1:] != 0) | (room[0] & ~begins))]
        with m.If(accept):
            m.d.sync += [write.addr.eq(write.addr + 1), continuing.eq(~last_word)]
            m.d.sync += arriving.eq(Mux(last_word, 0, arriving + 1))

        # --- Outlook: the next cell's place, edges and need, a register after each.
        take, taken = Signal(), Signal()
        m.d.sync += taken.eq(take)
        x, y = Signal(range(reach.cols)), Signal(range(reach.rows))
        next_row, next_centre = Signal(address_bits), Signal(address_bits)
        edges = self._registered(m, self._edges(x, y), "next")
        end = Signal(END)
        m.d.sync += [end.row.eq(x == reach.cols - 1), end.frame.eq((x == reach.cols - 1) & (y == reach.rows - 1))]
        _, right, _, down = edges
        need = Signal(range(reach.ahead + 1))
        if reach.whole_frame:
            m.d.comb += need.eq(reach.frame_cells)
        else:
            m.d.sync += need.eq(_nearest(down, reach.grid.width, reach.down) + _nearest(right, 1, reach.right) + 1)

        # `ahead` counts the whole cells from that cell's centre on (from the frame's start, if windows wrap).
        most = self.cells + leap
        ahead = Signal(Shape.cast(range(-most, most)))
        m.d.sync += ahead.eq(ahead - Mux(taken, self._moved(end), 0) + arrived)
        settled, here = Signal(OUTLOOK - 2), Signal()
        m.d.sync += [
            settled.eq(Mux(take, 0, Cat(Const(1, 1), settled))),
            here.eq(~take & settled[-1] & (ahead >= need)),
        ]
        with m.If(taken):
            m.d.sync += [x.eq(x + 1), next_centre.eq(next_centre + step * folds)]
            with m.If(end.row):
                leap_of_row = Signal(address_bits)
                m.d.comb += leap_of_row.eq(next_row + Mux(end.frame, reach.frame_step * folds, reach.row_step * folds))
                m.d.sync += [x.eq(0), y.eq(y + 1), next_row.eq(leap_of_row), next_centre.eq(leap_of_row)]
            with m.If(end.frame):
                m.d.sync += y.eq(0)

        # --- Walk: counters of the beat to issue, and beside each whether it is at its last.
        taps, passes, biases = len(packing.beat_taps), packing.output_folds, packing.bias_beats
        busy, issue, bias = Signal(), Signal(), Signal(init=1)
        fold, tap, pass_ = Signal(range(max(folds, biases))), Signal(range(taps)), Signal(range(passes))
        last_fold, last_tap, last_pass = Signal(init=biases == 1), Signal(init=taps == 1), Signal(init=passes == 1)
        last_beat, end_of_cell = Signal(), Signal()
        m.d.comb += [
            issue.eq(self.enable & busy),
            last_beat.eq(~bias & last_tap & last_fold),
            end_of_cell.eq(last_beat & last_pass),
            take.eq(here & (~busy | (issue & end_of_cell))),
        ]
        with m.If(issue):
            m.d.sync += [fold.eq(fold + 1), last_fold.eq(Mux(bias, fold == biases - 2, fold == folds - 2))]
            with m.If(last_fold):
                m.d.sync += [fold.eq(0), bias.eq(last_beat), last_fold.eq(Mux(last_beat, biases == 1, folds == 1))]
                with m.If(~bias):
                    m.d.sync += [tap.eq(tap + 1), last_tap.eq(tap == taps - 2)]
                with m.If(last_beat):
                    m.d.sync += [tap.eq(0), last_tap.eq(taps == 1), pass_.eq(pass_ + 1), last_pass.eq(pass_ == passes - 2)]
                    with m.If(last_pass):
                        m.d.sync += [pass_.eq(0), last_pass.eq(passes == 1), busy.eq(0)]
        centre, ended = Signal(address_bits), Signal(END)
        with m.If(take):
            m.d.sync += [busy.eq(1), centre.eq(next_centre), ended.eq(end)]
            left, right, up, down = self._registered(m, edges, "here")

        # --- Stage 1: where the tap lies relative to the centre, and which word of it.
        row_offset, col_offset = Signal(address_bits), Signal(address_bits)
        outside = Signal()
        with m.Switch(tap):
            for index, (dy, dx) in enumerate(packing.beat_taps):
                with m.Case(index):
                    row, row_outside = self._offset(dy, up, down, reach.grid.height, reach.grid.width * folds)
                    col, col_outside = self._offset(dx, left, right, reach.grid.width, folds)
                    m.d.comb += [row_offset.eq(row), col_offset.eq(col), outside.eq(row_outside | col_outside)]
        flags = data.StructLayout(
            {"valid": 1, "bias": 1, "first": 1, "last": 1, "centre": 1, "group": self.beat.group.shape()}
            | {"outside": 1, "begin": 1, "over": 1}
        )
        stage = [Signal(flags, name=f"stage{i}") for i in range(1, self.LATENCY + 1)]
        row_part, col_part, base = Signal(address_bits), Signal(address_bits), Signal(address_bits)
        with m.If(self.enable):
            m.d.sync += [
                row_part.eq(row_offset),
                col_part.eq(col_offset),
                base.eq(centre + fold),
                stage[0].valid.eq(busy),
                stage[0].bias.eq(bias),
                stage[0].first.eq(~bias & (tap == 0) & (fold == 0)),
                stage[0].last.eq(last_beat),
                stage[0].outside.eq(outside),
                stage[0].begin.eq((pass_ == 0) & bias & (fold == 0)),
                stage[0].over.eq(busy & end_of_cell),
            ]
            if packing.stencil.skip:
                pe, simd = packing.fold.pe, packing.fold.simd
                here_too = (fold >> _log2(pe // simd)) == pass_ if pe >= simd else fold == (pass_ >> _log2(simd // pe))
                m.d.sync += [
                    stage[0].centre.eq(~bias & (tap == packing.centre_tap) & here_too),
                    stage[0].group.eq(pass_),
                ]

        # --- Stages 2 and 3: the address, one addition each. Stage 4: the word.
        row_address, col_later, address = Signal(address_bits), Signal(address_bits), Signal(address_bits)
        m.d.comb += [read.addr.eq(address), read.en.eq(self.enable)]
        with m.If(self.enable):
            m.d.sync += [row_address.eq(base + row_part), col_later.eq(col_part), address.eq(row_address + col_later)]
            m.d.sync += [later.eq(earlier) for earlier, later in pairwise(stage)]
            with m.If(stage[1].valid):
                m.d.sync += self.weight_address.eq(Mux(stage[1].begin, 0, self.weight_address + 1))
        # No other cell comes to its end before this one's last beat has been read.
        over, freed = Signal(END), Signal()
        with m.If(issue & end_of_cell):
            m.d.sync += over.eq(ended)
        m.d.sync += freed.eq(self.enable & stage[2].over)
        m.d.sync += room.eq(room - begins + Mux(freed, self._moved(over), 0))

        last, values = stage[-1], read.data
        if packing.stencil.boundary == "dirichlet":
            values = Mux(last.outside, 0, read.data)
        m.d.comb += [
            self.valid.eq(last.valid),
            self.beat.lanes.as_value().eq(values),
            self.beat.bias.eq(last.bias),
            self.beat.first.eq(last.first),
            self.beat.last.eq(last.last),
            self.beat.centre.eq(last.centre),
            self.beat.group.eq(last.group),
        ]
        return m

    def _moved(self, end):
        """Cells from the centre of a cell with that ``end`` to the next (frames, where windows wrap)."""
        reach, step = self.reach, self.packing.stencil.stride
        if reach.whole_frame:
            return Mux(end.frame, reach.frame_cells, 0)
        last_line = reach.frame_step - (reach.cols - 1) * step
        return Mux(end.row, Mux(end.frame, last_line, reach.line_step), step)

    @staticmethod
    def _registered(m, edges, name):
        """The four sides' ``edges`` a cycle later."""
        held = [{d: Signal(name=f"{name}_{side}{d}") for d in found} for side, found in zip(SIDES, edges)]
        for mine, found in zip(held, edges):
            m.d.sync += [mine[d].eq(found[d]) for d in found]
        return held

    def _edges(self, x, y):
        """For each distance ``d`` a tap reaches, whether a tap at that distance leaves the grid on that side."""
        reach, step = self.reach, self.packing.stencil.stride
        height, width = reach.grid.height, reach.grid.width

        def low(position, reached):
            return {d: position <= -(-d // step) - 1 for d in range(1, reached + 1)}

        def high(position, reached, size, count):
            bound = {d: (size - 1 - d) // step + 1 for d in range(1, reached + 1)}
            return {d: (position >= b) if b < count else Const(0) for d, b in bound.items()}

        return (
            low(x, reach.left),
            high(x, reach.right, width, reach.cols),
            low(y, reach.up),
            high(y, reach.down, height, reach.rows),
        )

    def _offset(self, distance, before, after, size, unit):
        """A tap's effective distance along one axis in units of words, and whether it counts as outside (zero)."""
        sign, crossing = (1, after) if distance > 0 else (-1, before)
        reached = abs(distance)
        if reached == 0:
            return 0, 0
        match self.packing.stencil.boundary:
            case "periodic":
                return Mux(crossing[reached], (distance - sign * size) * unit, distance * unit), 0
            case "dirichlet":
                return distance * unit, crossing[reached]
            case _:
                return _nearest(crossing, sign * unit, reached), 0


def _nearest(crossing, unit, reached):
    """``unit`` times the greatest distance up to ``reached`` that does not cross the edge."""
    value = 0
    for d in range(1, reached + 1):
        value = Mux(crossing[d], value, d * unit)
    return value


def _log2(power):
    return power.bit_length() - 1


def words_for(packing: Packing, cells: int) -> int:
    """Words of a buffer that holds ``cells`` cells: a power of two, so that addresses wrap by themselves."""
    return 1 << max(1, (cells * packing.input_folds - 1).bit_length())
