"""The minimal reuse buffer of a stencil: rows stream in, windows stream out, no frame is ever stored."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Shape, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from npde.link.packing import Fold, Packing
from npde_hdl.stencil.reach import Reach


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
    are differences modulo the buffer's size, so a window costs one addition.

    The walk is a rigid pipeline: nothing in it moves while ``enable`` is low. Reading takes
    :attr:`LATENCY` cycles from the walk's counters. Space is given back only when the reads that
    needed it have been made, so a stall of any length overwrites nothing.

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

    LATENCY = 3

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

        # --- Writer: takes a word whenever the cell it begins or continues has room.
        # A step that coarsens moves on over cells that have yet to arrive: they need no room that is taken now.
        leap = max(reach.line_step, reach.frame_step, step)
        room = Signal(range(self.cells - reach.behind + leap + 1), init=self.cells - reach.behind)
        arriving = Signal(range(folds))
        accept = Signal()
        last_word = arriving == folds - 1
        m.d.comb += [
            self.cells_in.ready.eq((room != 0) | (arriving != 0)),
            accept.eq(self.cells_in.valid & self.cells_in.ready),
            write.en.eq(accept),
            write.data.eq(self.cells_in.payload),
        ]
        begins = accept & (arriving == 0)
        arrived = accept & last_word
        with m.If(accept):
            m.d.sync += [write.addr.eq(write.addr + 1), arriving.eq(Mux(last_word, 0, arriving + 1))]

        # --- Walk: counters of the beat to issue.
        x, y = Signal(range(reach.cols)), Signal(range(reach.rows))
        pass_, tap, fold = (
            Signal(range(packing.output_folds)),
            Signal(range(len(packing.beat_taps))),
            Signal(range(max(folds, packing.bias_beats))),
        )
        bias = Signal(init=1)
        issue, window_here = Signal(), Signal()
        end_of_row, end_of_frame = x == reach.cols - 1, y == reach.rows - 1
        last_fold = fold == Mux(bias, packing.bias_beats - 1, folds - 1)
        last_beat = ~bias & (tap == len(packing.beat_taps) - 1) & last_fold
        end_of_cell = last_beat & (pass_ == packing.output_folds - 1)
        m.d.comb += issue.eq(self.enable & window_here)
        with m.If(issue):
            m.d.sync += fold.eq(Mux(last_fold, 0, fold + 1))
            with m.If(last_fold):
                m.d.sync += bias.eq(last_beat)
                with m.If(~bias):
                    m.d.sync += tap.eq(Mux(last_beat, 0, tap + 1))
            with m.If(last_beat):
                m.d.sync += pass_.eq(Mux(end_of_cell, 0, pass_ + 1))
            with m.If(end_of_cell):
                m.d.sync += x.eq(Mux(end_of_row, 0, x + 1))
                with m.If(end_of_row):
                    m.d.sync += y.eq(Mux(end_of_frame, 0, y + 1))

        # --- Arrival: `ahead` counts the whole cells from the centre on (from the frame's start, if windows wrap).
        most = self.cells + leap
        ahead = Signal(Shape.cast(range(-most, most)))
        moved = Signal(Shape.cast(range(most)))
        with m.If(issue & end_of_cell):
            if reach.whole_frame:
                m.d.comb += moved.eq(Mux(end_of_row & end_of_frame, reach.frame_cells, 0))
            else:
                last_line = reach.frame_step - (reach.cols - 1) * step
                m.d.comb += moved.eq(Mux(end_of_row, Mux(end_of_frame, last_line, reach.line_step), step))
        m.d.sync += ahead.eq(ahead - moved + arrived)
        left, right, up, down = self._edges(x, y)
        need_rows = _nearest(down, reach.grid.width, reach.down)
        need_cols = _nearest(right, 1, reach.right)
        need = reach.frame_cells if reach.whole_frame else need_rows + need_cols + 1
        m.d.comb += window_here.eq(ahead >= need)

        # --- Stage 1: where the tap lies relative to the centre, and which word of it.
        address_bits = (words - 1).bit_length()
        row_base, centre = Signal(address_bits), Signal(address_bits)
        with m.If(issue & end_of_cell):
            m.d.sync += centre.eq(centre + step * folds)
            with m.If(end_of_row):
                next_row = Signal(address_bits)
                m.d.comb += next_row.eq(row_base + Mux(end_of_frame, reach.frame_step * folds, reach.row_step * folds))
                m.d.sync += [row_base.eq(next_row), centre.eq(next_row)]
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
            | {"outside": 1, "begin": 1, "released": moved.shape()}
        )
        stage = [Signal(flags, name=f"stage{i}") for i in (1, 2, 3)]
        offset, base = Signal(address_bits), Signal(address_bits)
        with m.If(self.enable):
            m.d.sync += [
                offset.eq(row_offset + col_offset),
                base.eq(centre + fold),
                stage[0].valid.eq(window_here),
                stage[0].bias.eq(bias),
                stage[0].first.eq(~bias & (tap == 0) & (fold == 0)),
                stage[0].last.eq(last_beat),
                stage[0].outside.eq(outside),
                stage[0].begin.eq((pass_ == 0) & bias & (fold == 0)),
                stage[0].released.eq(moved),
            ]
            if packing.stencil.skip:
                pe, simd = packing.fold.pe, packing.fold.simd
                here = (fold >> _log2(pe // simd)) == pass_ if pe >= simd else fold == (pass_ >> _log2(simd // pe))
                m.d.sync += [
                    stage[0].centre.eq(~bias & (tap == packing.centre_tap) & here),
                    stage[0].group.eq(pass_),
                ]

        # --- Stage 2: the two addresses. Stage 3: the word.
        address = Signal(address_bits)
        m.d.comb += [read.addr.eq(address), read.en.eq(self.enable)]
        with m.If(self.enable):
            m.d.sync += [address.eq(base + offset), stage[1].eq(stage[0]), stage[2].eq(stage[1])]
            with m.If(stage[0].valid):
                m.d.sync += self.weight_address.eq(Mux(stage[0].begin, 0, self.weight_address + 1))
        m.d.sync += room.eq(room - begins + Mux(self.enable & stage[1].valid, stage[1].released, 0))

        values = read.data
        if packing.stencil.boundary == "dirichlet":
            values = Mux(stage[2].outside, 0, read.data)
        m.d.comb += [
            self.valid.eq(stage[2].valid),
            self.beat.lanes.as_value().eq(values),
            self.beat.bias.eq(stage[2].bias),
            self.beat.first.eq(stage[2].first),
            self.beat.last.eq(stage[2].last),
            self.beat.centre.eq(stage[2].centre),
            self.beat.group.eq(stage[2].group),
        ]
        return m

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
