"""A step's weights: read by the pipeline every cycle, written and read back over the configuration bus."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npde_hdl.config import ConfigBus
from npde_hdl.primitive.spram import SinglePortMemory


class WeightMemory(wiring.Component):
    """One single-port memory with two users, of whom ``config.select`` chooses.

    Parameters
    ----------
    region : int
        Its number on the configuration bus.
    depth, width : int
        Words, bits in a word.
    kind : str
        ``"block"``, ``"spram"`` or ``"generic"``; see :class:`~npde_hdl.primitive.spram.SinglePortMemory`.
    bus_width : int
        Width of the configuration bus.

    Members
    -------
    config : In(ConfigBus(bus_width))
        ``read_data`` is zero unless this region is addressed.
    address, enable : In(range(depth)), In(1)
        The pipeline's read; ``word`` follows one enabled cycle later and stays while not enabled.
    word : Out(width)
        The weights.
    """

    def __init__(self, region: int, depth: int, width: int, kind: str, bus_width: int):
        if width > bus_width:
            raise ValueError(f"words of {width} bits do not fit a configuration bus of {bus_width}")
        self.region, self.depth, self.width, self.kind = region, depth, width, kind
        super().__init__(
            {
                "config": In(ConfigBus(bus_width)),
                "address": In(range(depth)),
                "enable": In(1),
                "word": Out(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = SinglePortMemory(self.depth, self.width, self.kind)
        # The pipeline is in reset while it is configured; what answers the bus must not be.
        mine = Signal(reset_less=True)
        m.d.sync += mine.eq(self.config.select & (self.config.region == self.region))
        m.d.comb += [
            memory.address.eq(Mux(self.config.select, self.config.address, self.address)),
            memory.enable.eq(self.config.select | self.enable),
            memory.write.eq(self.config.write & (self.config.region == self.region)),
            memory.write_data.eq(self.config.write_data),
            self.word.eq(memory.read_data),
            self.config.read_data.eq(Mux(mine, memory.read_data, 0)),
        ]
        return m
