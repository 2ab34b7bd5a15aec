"""One explicit time step as a stream of cells in and a stream of values out."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from npde.link.packing import Packing
from npde_hdl.config import ConfigBus
from npde_hdl.primitive.product import STEADY
from npde_hdl.stencil.defect import Defect, spoilt
from npde_hdl.stencil.lanes import Lanes
from npde_hdl.stencil.line_buffer import LineBuffer
from npde_hdl.stencil.reaction import Reaction
from npde_hdl.stencil.weight_memory import WeightMemory


class StencilStep(wiring.Component):
    """Line buffer → lanes → reaction, with the weights beside them.

    Parameters
    ----------
    packing : Packing
        The step (a dense one flattened to a single cell) and its folding.
    region : int
        Number of its weight memory on the configuration bus.
    cells : int
        Cells the line buffer holds at least.
    multiplier, memory : str
        Kinds of :class:`~npde_hdl.primitive.product.Products` and
        :class:`~npde_hdl.primitive.spram.SinglePortMemory`.
    multiply : int
        Cycles a product takes.
    defects : Sequence[Defect]
        What is wrong with it on purpose.
    bus_width : int
        Width of the configuration bus.

    Members
    -------
    cells_in : In(stream.Signature(ArrayLayout(signed(in bits), simd)))
        The field before the step: cells in raster order, ``input_folds`` words each, frame after frame.
    values : Out(stream.Signature(ArrayLayout(signed(out bits), reaction_lanes(packing))))
        The field after it, in the same order.
    config : In(ConfigBus(bus_width))
        The weights' way in and back. Whoever selects it holds the pipeline in reset meanwhile.
    """

    def __init__(
        self,
        packing: Packing,
        *,
        region: int = 0,
        cells: int,
        multiplier: str = "generic",
        memory: str = "generic",
        multiply: int = STEADY["generic"],
        defects: Sequence[Defect] = (),
        bus_width: int | None = None,
    ):
        self.packing, self.region, self.multiplier, self.memory = packing, region, multiplier, memory
        self.cells, self.multiply, self.defects = cells, multiply, tuple(defects)
        self.bus_width = bus_width or packing.width
        out = packing.stencil.out.width
        super().__init__(
            {
                "cells_in": In(
                    stream.Signature(data.ArrayLayout(signed(packing.grid.q.width), packing.fold.simd))
                ),
                "values": Out(stream.Signature(data.ArrayLayout(signed(out), reaction_lanes(packing)))),
                "config": In(ConfigBus(self.bus_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        packing = self.packing
        m.submodules.rows = rows = LineBuffer(packing, self.cells)
        m.submodules.lanes = lanes = Lanes(packing, self.multiplier, self.multiply)
        m.submodules.reaction = reaction = Reaction(
            packing.stencil, packing.grid, packing.fold.pe, reaction_lanes(packing)
        )
        m.submodules.weights = weights = WeightMemory(
            self.region, packing.depth, packing.width, self.memory, self.bus_width
        )
        connect(m, flipped(self.cells_in), rows.cells_in)
        connect(m, reaction.values, flipped(self.values))
        connect(m, flipped(self.config), weights.config)

        # Everything up to the accumulators stands still while complete sums wait for the reaction.
        enable = ~lanes.done | reaction.ready
        m.d.comb += [
            rows.enable.eq(enable),
            lanes.enable.eq(enable),
            weights.enable.eq(enable),
            weights.address.eq(rows.weight_address),
            lanes.beat.eq(rows.beat),
            lanes.valid.eq(rows.valid),
            lanes.word.eq(spoilt(weights.word, rows.beat.bias, packing, self.defects)),
            reaction.load.eq(lanes.done),
            reaction.sums.eq(lanes.sums),
            reaction.centre.eq(lanes.centre),
        ]
        return m


def reaction_lanes(packing: Packing) -> int:
    """The fewest values a cycle that keep the reaction ahead of the lanes."""
    pe = packing.fold.pe
    return next(lanes for lanes in range(1, pe + 1) if pe % lanes == 0 and (pe // lanes + 2 <= packing.beats or lanes == pe))
