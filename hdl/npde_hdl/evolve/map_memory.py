"""An update's maps: per-cell constants, read in step with the cells."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from npde.program import Grid
from npde_hdl.config import ConfigBus
from npde_hdl.evolve.note import Note
from npde_hdl.evolve.sized import Sized
from npde_hdl.evolve.walk import Walk


class MapMemory(Sized):
    """Joins the cells of a rigid pipeline with their maps.

    Parameters
    ----------
    grid : Grid
        Of the field.
    bits : int
        Of all maps of a cell together, a word of the memory.
    region : int
        Number on the configuration bus. Several memories may share one and are written alike.
    answers : bool
        Whether this is the one of them that is read back.
    start, step : tuple[int, int]
        See :class:`~npde_hdl.evolve.walk.Walk`.
    planes : int
        Planes held, one for each pass of a frame.
    cell_bits, copies, bus_width : int
        Of the cells, of :class:`Note`, of the bus.

    Members
    -------
    config : In(ConfigBus(bus_width))
        Word ``plane · cells + y · width + x``.
    ce, i, first, note : In(1), In(cell_bits), In(1), In(Note)
        Cells without maps.
    o, o_first, o_note : Out(bits + cell_bits), Out(1), Out(Note)
        The cells with their maps above them, one enabled cycle later.
    """

    delay = 1

    def __init__(self, grid: Grid, bits: int, region: int, answers: bool, start, step, planes: int, cell_bits: int,
                 copies: int, bus_width: int):  # fmt: skip
        self.grid, self.bits, self.region, self.answers, self.planes = grid, bits, region, answers, planes
        self.walk = Walk(grid, start, step, planes)
        super().__init__(
            {
                "config": In(ConfigBus(bus_width)),
                "ce": In(1),
                "i": In(cell_bits),
                "first": In(1),
                "note": In(Note(copies)),
                "o": Out(bits + cell_bits),
                "o_first": Out(1),
                "o_note": Out(Note(copies)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.walk = walk = self.walk
        depth = max(2, self.planes * self.grid.height * self.grid.width)
        m.submodules.memory = memory = Memory(shape=self.bits, depth=depth, init=[])
        read, write = memory.read_port(), memory.write_port()
        config, cell = self.config, Signal(len(self.i))
        m.d.comb += [
            walk.first.eq(self.first),
            walk.fresh.eq(self.note.fresh),
            walk.move.eq(self.ce),
            read.addr.eq(Mux(config.select, config.address, walk.address) if self.answers else walk.address),
            read.en.eq((config.select & ~config.write | self.ce) if self.answers else self.ce),
            write.addr.eq(config.address),
            write.data.eq(config.write_data),
            write.en.eq(config.select & config.write & (config.region == self.region)),
            self.o.eq((read.data << len(self.i)) | cell),
        ]
        with m.If(self.ce):
            m.d.sync += [cell.eq(self.i), self.o_first.eq(self.first), self.o_note.eq(self.note)]
        if self.answers:
            mine = Signal(reset_less=True)
            m.d.sync += mine.eq(config.select & (config.region == self.region))
            m.d.comb += config.read_data.eq(Mux(mine, read.data, 0))
        return m
