"""From an answer's bytes to a frame on the line: CRC appended, COBS stuffed, delimited."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from npde.link.protocol import CRC_BYTES
from npde_hdl.link.crc import ByteCrc

DEPTH = 512
LONGEST_BLOCK = 0xFF

Item = data.StructLayout({"byte": 8, "end": 1})


class Enframer(wiring.Component):
    """Stuffs bytes into a ring whose open block's length byte is filled in once it is known.

    The transmitter is shown what lies before the open block. A block has at most 255 bytes and the
    ring 512, so the writer may wait for room without ever waiting for itself.

    Members
    -------
    items : In(stream.Signature(Item))
        The frame's bytes; an item with ``end`` set carries none and finishes the frame.
    bytes : Out(stream.Signature(8))
        The line's.
    idle : Out(1)
        Nothing of a finished frame is left here, its last byte included.
    """

    items: In(stream.Signature(Item))
    bytes: Out(stream.Signature(8))
    idle: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=8, depth=DEPTH, init=[])
        writer, reader = memory.write_port(), memory.read_port(transparent_for=())

        write = Signal(range(DEPTH), init=1)
        code = Signal(range(DEPTH))
        count = Signal(8, init=1)

        read, ready = Signal(range(DEPTH)), Signal()
        m.d.comb += [reader.addr.eq(read), reader.en.eq(1), self.bytes.payload.eq(reader.data), self.bytes.valid.eq(ready)]
        with m.If(self.bytes.valid & self.bytes.ready):
            m.d.sync += [read.eq(read + 1), ready.eq(0)]
        with m.Else():
            m.d.sync += ready.eq(read != code)

        m.submodules.crc = crc = ByteCrc()

        byte, tail, ending = Signal(8), Signal(range(CRC_BYTES)), Signal()
        roomy = Signal()
        # From a register, which may be one step of two bytes late; an item needs four.
        m.d.sync += roomy.eq((read - write)[: len(write)] >= 8)

        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += self.idle.eq((read == code) & ~ready)
                m.d.comb += self.items.ready.eq(roomy & ~crc.busy)
                with m.If(self.items.valid & self.items.ready):
                    with m.If(self.items.payload.end):
                        m.d.sync += ending.eq(1)
                        m.next = "CRC"
                    with m.Else():
                        m.d.comb += [crc.byte.eq(self.items.payload.byte), crc.valid.eq(1)]
                        m.d.sync += byte.eq(self.items.payload.byte)
                        m.next = "PUT"
            with m.State("CRC"):
                with m.If(roomy):
                    m.d.sync += byte.eq(crc.crc.word_select(tail, 8))
                    m.next = "PUT"
            with m.State("PUT"):
                m.next = "NEXT"
                with m.If(byte != 0):
                    m.d.comb += [writer.addr.eq(write), writer.data.eq(byte), writer.en.eq(1)]
                    m.d.sync += [write.eq(write + 1), count.eq(count + 1)]
                    with m.If(count == LONGEST_BLOCK - 1):
                        m.next = "CLOSE"
                with m.Else():
                    m.next = "CLOSE"
            with m.State("CLOSE"):
                m.d.comb += [writer.addr.eq(code), writer.data.eq(count), writer.en.eq(1)]
                m.d.sync += [code.eq(write), write.eq(write + 1), count.eq(1)]
                m.next = "NEXT"
            with m.State("NEXT"):
                m.next = "TAKE"
                with m.If(ending):
                    m.d.sync += tail.eq(tail + 1)
                    m.next = "CRC"
                    with m.If(tail == CRC_BYTES - 1):
                        m.next = "LAST"
            with m.State("LAST"):
                m.d.comb += [writer.addr.eq(code), writer.data.eq(count), writer.en.eq(1)]
                m.next = "DELIMIT"
            with m.State("DELIMIT"):
                m.d.comb += [writer.addr.eq(write), writer.data.eq(0), writer.en.eq(1), crc.start.eq(1)]
                m.d.sync += [code.eq(write + 1), write.eq(write + 2), count.eq(1), ending.eq(0)]
                m.next = "TAKE"
        return m
