"""From the line's bytes to whole, checked frames in a ring: nothing of a bad frame is ever seen behind it."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from npde.link.protocol import CRC_BYTES, FRAME_BYTES, OVERHEAD_BYTES
from npde_hdl.link.crc import ByteCrc

HEADER = 2
"""Bytes before each frame in the ring: the length of what follows, little-endian, CRC left out."""


class Deframer(wiring.Component):
    """Unstuffs COBS, checks the CRC, and keeps frames until they are read.

    Bytes are written into the ring as they come, behind what the reader may see. A frame's good end
    moves the reader's limit past it; a bad one moves the writer back.

    Parameters
    ----------
    ring : int
        Bytes held, a power of two.

    Members
    -------
    byte, valid, error : In
        The :class:`~npde_hdl.link.uart.UartReceiver`'s. A byte may come every 16 cycles.
    read : In(range(ring))
        Address of the byte the reader wants; every byte before it may be overwritten.
    data : Out(8)
        That byte, one cycle later.
    limit : Out(range(ring))
        Address behind the last whole frame: a frame waits while it differs from ``read``.
    dropped : Out(16)
        Frames dropped so far, modulo 65536.
    whole : Out(1)
        High for a cycle with each whole frame.
    """

    def __init__(self, ring: int):
        if ring < FRAME_BYTES + HEADER or ring & (ring - 1):
            raise ValueError(f"a ring is a power of two of more than {FRAME_BYTES} bytes, not {ring}")
        self.ring = ring
        super().__init__(
            {
                "byte": In(8),
                "valid": In(1),
                "error": In(1),
                "read": In(range(ring)),
                "data": Out(8),
                "limit": Out(range(ring)),
                "dropped": Out(16),
                "whole": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=8, depth=self.ring, init=[])
        writer, reader = memory.write_port(), memory.read_port(transparent_for=())
        m.d.comb += [reader.addr.eq(self.read), reader.en.eq(1), self.data.eq(reader.data)]

        m.submodules.crc = crc = ByteCrc()

        write = Signal(range(self.ring))
        length = Signal(range(FRAME_BYTES + 2))
        remaining, unstuffs = Signal(8), Signal()  # bytes left of the COBS block; whether a zero follows it
        empty, bad = Signal(init=1), Signal()
        full, good = Signal(), Signal()
        # From registers, which lag a cycle behind: between two bytes, and between the header's places, there is one to spare.
        long = Signal()
        m.d.sync += [
            full.eq((self.read - write - 1)[: len(write)] == 0),
            long.eq(length == FRAME_BYTES),
            good.eq(~bad & (remaining == 0) & (length >= OVERHEAD_BYTES) & crc.match),
        ]
        put = Signal.like(writer.data, name="put")
        m.d.sync += [writer.addr.eq(write), writer.data.eq(put), writer.en.eq(0)]
        m.d.comb += put.eq(self.byte)

        def append(byte):
            """Write the next byte of the frame, or find that it cannot be one."""
            with m.If(full | long):
                m.d.sync += bad.eq(1)
            with m.Elif(~bad):
                m.d.comb += [put.eq(byte), crc.byte.eq(byte), crc.valid.eq(1)]
                m.d.sync += [writer.en.eq(1), write.eq(write + 1), length.eq(length + 1)]

        def begin(at):
            m.d.sync += [write.eq(at), length.eq(0), remaining.eq(0), unstuffs.eq(0), empty.eq(1), bad.eq(0)]
            m.d.comb += crc.start.eq(1)

        with m.FSM():
            with m.State("BYTE"):
                with m.If(self.error):
                    m.d.sync += [bad.eq(1), empty.eq(0)]
                with m.Elif(self.valid):
                    with m.If(self.byte == 0):
                        with m.If(empty):
                            begin(self.limit)
                        with m.Elif(good):
                            m.d.sync += [write.eq(self.limit), length.eq(length - CRC_BYTES), bad.eq(0)]
                            m.next = "LENGTH_LOW"
                        with m.Else():
                            m.d.sync += self.dropped.eq(self.dropped + 1)
                            begin(self.limit)
                    with m.Else():
                        m.d.sync += empty.eq(0)
                        with m.If(empty):
                            m.next = "ROOM"
                        with m.If(remaining == 0):
                            m.d.sync += [remaining.eq(self.byte - 1), unstuffs.eq(self.byte != 0xFF)]
                            with m.If(unstuffs):
                                append(0)
                        with m.Else():
                            m.d.sync += remaining.eq(remaining - 1)
                            append(self.byte)
            # The header's two places are asked for one by one, so that the writer never oversteps the reader.
            with m.State("ROOM"):
                m.d.sync += [write.eq(write + 1), bad.eq(bad | full)]
                m.next = "LOOK"
            with m.State("LOOK"):
                m.next = "MORE_ROOM"
            with m.State("MORE_ROOM"):
                m.d.sync += [write.eq(Mux(full, write, write + 1)), bad.eq(bad | full)]
                m.next = "BYTE"
            with m.State("LENGTH_LOW"):
                m.d.comb += put.eq(length[:8])
                m.d.sync += [writer.en.eq(1), write.eq(write + 1)]
                m.next = "LENGTH_HIGH"
            with m.State("LENGTH_HIGH"):
                m.d.comb += self.whole.eq(1)
                after = (write + length + 1)[: len(write)]
                m.d.comb += put.eq(length[8:])
                m.d.sync += [writer.en.eq(1), self.limit.eq(after)]
                begin(after)
                m.next = "BYTE"
        return m
