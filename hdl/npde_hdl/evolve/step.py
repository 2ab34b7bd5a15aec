"""An evolution as a stream of cells in and a stream of cells out."""

from __future__ import annotations

from amaranth.hdl import Module, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from npde.program import Evolve, Grid
from npde_hdl.config import ConfigBus
from npde_hdl.evolve.cascade import Cascade, Regions
from npde_hdl.evolve.coefficients import Coefficients
from npde_hdl.evolve.resident import Command, Resident
from npde_hdl.evolve.sized import Sized
from npde_hdl.evolve.streamed import Streamed


class EvolveStep(Sized):
    """Coefficients, a cascade of copies of the time step, and (unless it streams) the field memory.

    Streaming needs a copy for every time step and boundaries that do not wrap: frames then pass back to back,
    one cell a cycle, and only rows are held, so the grid may be larger than any memory. With the field memory
    a frame takes :meth:`~npde_hdl.evolve.resident.Resident.cycles`.

    Parameters
    ----------
    evolve, grid : Evolve, Grid
        The step.
    kinds : tuple[str, ...]
        The multipliers of each copy.
    streams : bool
        No field memory.
    commanded : bool
        Only what ``command`` says is done with the field; else every frame is taken, evolved and given out.
    regions, bus_width : Regions, int
        On the configuration bus.

    Members
    -------
    command : In(stream.Signature(Command()))
        See :class:`~npde_hdl.evolve.resident.Resident`; ignored unless ``commanded``.
    cells_in, values : In, Out(stream.Signature(ArrayLayout(signed(bits), channels)))
        The field before and after, in raster order, a whole cell at a time.
    config : In(ConfigBus(bus_width))
        Coefficients and maps. Whoever selects it holds the pipeline in reset meanwhile.
    """

    def __init__(self, evolve: Evolve, grid: Grid, kinds: tuple[str, ...], *, streams: bool = False, commanded: bool = False,
                 regions: Regions | None = None, bus_width: int = 32):  # fmt: skip
        self.evolve, self.grid, self.kinds, self.streams, self.commanded = evolve, grid, kinds, streams, commanded
        self.regions = regions or Regions()
        self.bus_width = bus_width
        self.cascade = Cascade(evolve, grid, kinds, self.regions, bus_width)
        if streams and (len(kinds) != evolve.times or self.cascade.roll != (0, 0) or commanded):
            raise ValueError(f"{evolve.times} time steps do not stream through {len(kinds)} copies")
        cells = stream.Signature(data.ArrayLayout(signed(grid.q.width), grid.channels))
        super().__init__(
            {
                "command": In(stream.Signature(Command())),
                "cells_in": In(cells),
                "values": Out(cells),
                "config": In(ConfigBus(bus_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        cascade, config = self.cascade, self.config
        m.submodules.coefficients = coefficients = Coefficients(self.evolve, self.regions.coefficients, self.bus_width)
        for component in (coefficients, cascade):
            for member in ("select", "region", "address", "write", "write_data"):
                m.d.comb += getattr(component.config, member).eq(getattr(config, member))
        m.d.comb += [
            config.read_data.eq(coefficients.config.read_data | cascade.config.read_data),
            cascade.coefficients.eq(coefficients.coefficients),
            cascade.biases.eq(coefficients.biases),
        ]
        if self.streams:
            m.submodules.field = field = Streamed(cascade, self.grid.height * self.grid.width)
        else:
            m.submodules.field = field = Resident(cascade)
            if self.commanded:
                connect(m, flipped(self.command), field.command)
            else:
                command = field.command.payload
                m.d.comb += [field.command.valid.eq(1), command.load.eq(1), command.emit.eq(1), command.times.eq(self.evolve.times)]
        m.d.comb += [
            field.i.valid.eq(self.cells_in.valid),
            field.i.payload.eq(self.cells_in.payload),
            self.cells_in.ready.eq(field.i.ready),
            self.values.valid.eq(field.o.valid),
            self.values.payload.as_value().eq(field.o.payload),
            field.o.ready.eq(self.values.ready),
        ]
        return m
