"""Copies of a time step one behind the other: a frame that passes through has done that many of them."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from npde.program import Evolve, Grid
from npde_hdl.config import ConfigBus
from npde_hdl.evolve.map_memory import MapMemory
from npde_hdl.evolve.note import Note
from npde_hdl.evolve.sized import Sized
from npde_hdl.evolve.stage import Stage


@dataclass(frozen=True)
class Regions:
    """Numbers on the configuration bus: of the coefficients; of the maps, one for all copies or (planes) one for each."""

    coefficients: int = 0
    maps: tuple[int, ...] = ()

    def of_copy(self, copy: int) -> int:
        """The maps' region for that copy."""
        return self.maps[copy if len(self.maps) > 1 else 0]


def planes_held(evolve: Evolve, copies: int) -> int:
    """Planes of maps each copy keeps: copy ``c`` does time steps ``c``, ``c + copies`` …"""
    return -(-evolve.times // copies) if evolve.planes else 1


class Cascade(Sized):
    """A rigid pipeline of ``len(kinds)`` copies of a time step, all updates of the body each.

    Parameters
    ----------
    evolve, grid : Evolve, Grid
        What a time step is.
    kinds : tuple[str, ...]
        The multipliers of each copy.
    regions : Regions
        On the configuration bus.
    bus_width : int
        Its width.

    Members
    -------
    config : In(ConfigBus(bus_width))
        The maps. Copies that share a region are written alike; the first of them is read back.
    ce, cell, first, note : In(1), In(bits), In(1), In(Note)
        Frames; ``note.left`` time steps are done to each, the copies behind them pass it through.
    coefficients, biases : In(ArrayLayout(signed(width), count))
        Of all updates.
    o, o_first, o_note : Out(bits), Out(1), Out(Note)
        The frames, :attr:`delay` enabled cycles later, in an order rolled by :attr:`roll`.
    """

    def __init__(self, evolve: Evolve, grid: Grid, kinds: tuple[str, ...], regions: Regions, bus_width: int):
        self.evolve, self.grid, self.kinds, self.regions = evolve, grid, kinds, regions
        self.copies = len(kinds)
        bits = grid.channels * grid.q.width
        parts: list[MapMemory | Stage] = []
        rows = columns = 0
        answering = set()
        body = [Stage(evolve, update, grid, self.copies) for update in evolve.body]
        step = self.copies * sum(s.roll[0] for s in body), self.copies * sum(s.roll[1] for s in body)
        for copy, kind in enumerate(kinds):
            for number, update in enumerate(evolve.body):
                stage = Stage(evolve, update, grid, self.copies, number == len(evolve.body) - 1, kind)
                if stage.mapped:
                    region = regions.of_copy(copy)
                    parts.append(
                        MapMemory(grid, evolve.maps * evolve.map.width, region, region not in answering, (rows, columns), step,
                                  planes_held(evolve, self.copies), bits, self.copies, bus_width)
                    )  # fmt: skip
                    answering.add(region)
                parts.append(stage)
                rows, columns = rows + stage.roll[0], columns + stage.roll[1]
        self.parts, self.roll = parts, (rows, columns)
        super().__init__(
            {
                "config": In(ConfigBus(bus_width)),
                "ce": In(1),
                "cell": In(bits),
                "first": In(1),
                "note": In(Note(self.copies)),
                "coefficients": In(data.ArrayLayout(signed(evolve.weight.width), evolve.coefficients)),
                "biases": In(data.ArrayLayout(signed(evolve.bias.width), max(1, evolve.biases))),
                "o": Out(bits),
                "o_first": Out(1),
                "o_note": Out(Note(self.copies)),
            }
        )

    @property
    def stages(self) -> list[Stage]:
        """The parts that are updates."""
        return [part for part in self.parts if isinstance(part, Stage)]

    @property
    def delay(self) -> int:
        """Enabled cycles from a frame's first cell to the first that leaves."""
        return sum(part.delay for part in self.parts)

    def elaborate(self, platform):
        m = Module()
        cell, first, note = self.cell, self.first, self.note
        coefficients, biases = self.coefficients, self.biases
        read_data, number = 0, 0
        for place, part in enumerate(self.parts):
            m.submodules[f"{'maps' if isinstance(part, MapMemory) else 'stage'}{place}"] = part
            m.d.comb += [part.ce.eq(self.ce), part.first.eq(first), part.note.eq(note)]
            if isinstance(part, MapMemory):
                m.d.comb += part.i.eq(cell)
                for member in ("select", "region", "address", "write", "write_data"):
                    m.d.comb += getattr(part.config, member).eq(getattr(self.config, member))
                read_data |= part.config.read_data
            else:
                low = number % max(1, self.evolve.biases)
                number += len(part.update.biased)
                m.d.comb += [part.cell.eq(cell), part.coefficients.eq(coefficients)]
                for index in range(len(part.update.biased)):
                    m.d.comb += part.biases[index].eq(biases[low + index])
                coefficients, biases = self._handed_on(m, place, coefficients), self._handed_on(m, place, biases)
            cell, first, note = part.o, part.o_first, part.o_note
        m.d.comb += [self.o.eq(cell), self.o_first.eq(first), self.o_note.eq(note), self.config.read_data.eq(read_data)]
        return m

    @staticmethod
    def _handed_on(m, place, constants):
        """What never changes while frames pass, in registers of the next stage's own: one set would be far from most of them.

        They follow while the pipeline is held in reset, and reach a stage before its first frame can.
        """
        own = Signal.like(constants, name=f"constants{place}", reset_less=True)
        m.d.sync += own.eq(constants)
        return own
