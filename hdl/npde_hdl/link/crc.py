"""The frames' CRC-32, a byte in eight cycles: a line that takes eighty for a byte needs no wider one."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out


class ByteCrc(wiring.Component):
    """Amaranth's bit-serial CRC, fed from a register.

    Members
    -------
    byte, valid : In(8), In(1)
        A byte to add, in a cycle in which ``busy`` is low.
    start : In(1)
        Begin anew.
    busy : Out(1)
        The last byte is not yet added.
    crc : Out(32)
        Of all bytes since ``start``.
    match : Out(1)
        Those bytes end in the CRC of the ones before.
    """

    byte: In(8)
    valid: In(1)
    start: In(1)
    busy: Out(1)
    crc: Out(32)
    match: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.serial = serial = CRC32_ISO_HDLC(data_width=1).create()
        shifter, bits = Signal(8), Signal(range(9))
        m.d.comb += [
            self.busy.eq(bits != 0), self.crc.eq(serial.crc), self.match.eq(serial.match_detected),
            serial.data.eq(shifter[0]), serial.valid.eq(self.busy), serial.start.eq(self.start),
        ]  # fmt: skip
        with m.If(self.busy):
            m.d.sync += [bits.eq(bits - 1), shifter.eq(shifter >> 1)]
        with m.If(self.valid):
            m.d.sync += [bits.eq(8), shifter.eq(self.byte)]
        return m
