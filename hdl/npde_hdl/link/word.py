"""One word of a weight memory on its way over the link: which memory, whether it has that word, how many bytes it takes."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npde.link.protocol import Region


class WordPlace(wiring.Component):
    """What is asked of a region, address and counters, from registers: whoever moves those waits a cycle before looking.

    Parameters
    ----------
    regions : Sequence[Region]
        The weight memories by number.
    bus_bytes : int
        Bytes of the configuration bus.
    left_range : int
        One more than ``left`` can be.

    Members
    -------
    region, address : In(8), In(16)
        A memory's number, a word in it.
    left : In(range(left_range))
        Bytes of the request still unread, or of the answer still free.
    shifts : In(range(bus_bytes + 1))
        Bytes of the word that have been shifted in or out.
    in_region : Out(1)
        There is such a word.
    short, cramped : Out(1), Out(1)
        ``left`` is less than a word of that memory; than a word of the bus.
    beyond, shifted : Out(1), Out(1)
        The word's own bytes have all been shifted; as many as the bus has.
    """

    def __init__(self, regions: Sequence[Region], bus_bytes: int, left_range: int):
        self.regions, self.bus_bytes = regions, bus_bytes
        super().__init__(
            {
                "region": In(8),
                "address": In(16),
                "left": In(range(left_range)),
                "shifts": In(range(bus_bytes + 1)),
                **{member: Out(1) for member in ("in_region", "short", "cramped", "beyond", "shifted")},
            }
        )

    def elaborate(self, platform):
        m = Module()
        depth, size = Signal(16), Signal(range(self.bus_bytes + 1))
        with m.Switch(self.region):
            for number, region in enumerate(self.regions):
                with m.Case(number):
                    m.d.sync += [depth.eq(region.depth), size.eq(region.word_bytes)]
            with m.Default():
                m.d.sync += depth.eq(0)
        m.d.sync += [
            self.in_region.eq(self.address < depth),
            self.short.eq(self.left < size),
            self.cramped.eq(self.left < self.bus_bytes),
            self.beyond.eq(self.shifts >= size),
            self.shifted.eq(self.shifts == self.bus_bytes),
        ]
        return m
