"""An evolution's coefficients and biases: registers on the configuration bus, one set for all copies."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from npde.program import Evolve
from npde_hdl.config import ConfigBus


class Coefficients(wiring.Component):
    """Word by word the coefficients, then the biases of all updates in turn, each in the low bits of its word.

    Parameters
    ----------
    evolve : Evolve
        Whose.
    region : int
        Number on the configuration bus.
    bus_width : int
        Its width.

    Members
    -------
    config : In(ConfigBus(bus_width))
        ``read_data`` is zero unless this region is addressed.
    coefficients, biases : Out(ArrayLayout(signed(width), count))
        What was written.
    """

    def __init__(self, evolve: Evolve, region: int, bus_width: int):
        self.evolve, self.region = evolve, region
        super().__init__(
            {
                "config": In(ConfigBus(bus_width)),
                "coefficients": Out(data.ArrayLayout(signed(evolve.weight.width), evolve.coefficients)),
                "biases": Out(data.ArrayLayout(signed(evolve.bias.width), max(1, evolve.biases))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        evolve, config = self.evolve, self.config
        words = [
            Signal(signed(q.width), name=f"{name}{index}", reset_less=True)  # the pipeline is in reset while configured
            for name, q, count in (("coefficient", evolve.weight, evolve.coefficients), ("bias", evolve.bias, evolve.biases))
            for index in range(count)
        ]
        mine, word = Signal(reset_less=True), Signal(len(config.read_data), reset_less=True)
        with m.If(config.select & config.write & (config.region == self.region)):
            with m.Switch(config.address):
                for address, register in enumerate(words):
                    with m.Case(address):
                        m.d.sync += register.eq(config.write_data)
        m.d.sync += [
            mine.eq(config.select & (config.region == self.region)),
            word.eq(Array([register.as_unsigned() for register in words])[config.address[: (len(words) - 1).bit_length()]]),
        ]
        m.d.comb += config.read_data.eq(Mux(mine, word, 0))
        for index in range(evolve.coefficients):
            m.d.comb += self.coefficients[index].eq(words[index])
        for index in range(evolve.biases):
            m.d.comb += self.biases[index].eq(words[evolve.coefficients + index])
        return m
