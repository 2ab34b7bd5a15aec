"""The configuration bus: how weights reach the steps' memories at run time, and are read back."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

READ_LATENCY = 4
"""Cycles from a stable region and address to valid ``read_data``."""


class ConfigBus(wiring.Signature):
    """A broadcast bus, seen from the one who asks. Every memory compares ``region`` with its own number.

    Members
    -------
    select : Out(1)
        The bus owns the memories' ports. The pipeline is held in reset meanwhile.
    region : Out(8)
        Which memory.
    address : Out(16)
        Which word of it.
    write : Out(1)
        Write ``write_data`` there in this cycle.
    write_data, read_data : Out(width), In(width)
        A word, in the low bits. ``read_data`` is valid :data:`READ_LATENCY` cycles after region and
        address were set with ``select`` high, and is zero in the bits (and regions) that do not exist.
    """

    def __init__(self, width: int):
        if width < 1:
            raise ValueError(f"a configuration bus is at least 1 bit wide, not {width}")
        self.width = width
        super().__init__(
            {
                "select": Out(1),
                "region": Out(8),
                "address": Out(16),
                "write": Out(1),
                "write_data": Out(width),
                "read_data": In(width),
            }
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConfigBus) and self.width == other.width
