"""An asynchronous serial line, 8N1: a receiver that samples mid-bit and a transmitter, at a rate that may change between bytes."""

from amaranth.hdl import C, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from npde.link.protocol import LEAST_CYCLES

BITS = 10
"""Start, eight data, stop."""


def _check(slowest: int) -> None:
    if slowest < LEAST_CYCLES:
        raise ValueError(f"a bit takes at least {LEAST_CYCLES} clock cycles, not {slowest}: choose a lower baud or a faster clock")


class UartReceiver(wiring.Component):
    """Bytes from a serial line.

    Parameters
    ----------
    slowest : int
        Most clock cycles per bit, at least 4.

    Members
    -------
    bit : In(range(slowest + 1))
        Clock cycles per bit now, at least 4.
    rx : In(1)
        The line, idle high, asynchronous.
    byte : Out(8)
        The byte received, least significant bit first on the line.
    valid, error : Out(1), Out(1)
        High for one cycle when ``byte`` has come, or when its stop bit was low (and the byte is lost).
        Nobody can hold a serial line up, so this is no stream.
    """

    def __init__(self, slowest: int):
        _check(slowest)
        self.slowest = slowest
        super().__init__(
            {"bit": In(range(slowest + 1), init=slowest), "rx": In(1, init=1), "byte": Out(8), "valid": Out(1), "error": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        line = Signal(init=1)
        m.submodules.synchronise = FFSynchronizer(self.rx, line, init=1)
        timer, place = Signal(range(self.slowest)), Signal(range(BITS))

        with m.FSM():
            # After a break or a framing error the line must come to rest before a start bit counts.
            with m.State("SETTLE"):
                with m.If(line):
                    m.next = "REST"
            with m.State("REST"):
                m.d.sync += [timer.eq((self.bit >> 1) - 1), place.eq(0)]
                with m.If(~line):
                    m.next = "BITS"
            with m.State("BITS"):
                with m.If(timer != 0):
                    m.d.sync += timer.eq(timer - 1)
                with m.Else():
                    m.d.sync += [timer.eq(self.bit - 1), place.eq(place + 1)]
                    with m.If(place == BITS - 1):
                        m.d.comb += [self.valid.eq(line), self.error.eq(~line)]
                        # Straight back to rest: from a fast sender the next start bit may begin in the next cycle.
                        m.next = "SETTLE"
                        with m.If(line):
                            m.next = "REST"
                    with m.Elif(place != 0):
                        m.d.sync += self.byte.eq(Cat(self.byte[1:], line))
                    with m.Elif(line):
                        m.next = "REST"
        return m


class UartTransmitter(wiring.Component):
    """Bytes onto a serial line.

    Parameters
    ----------
    slowest : int
        Most clock cycles per bit, at least 4.

    Members
    -------
    bit : In(range(slowest + 1))
        Clock cycles per bit now, at least 4.
    tx : Out(1)
        The line, idle high.
    bytes : In(stream.Signature(8))
        What to send; ready once per byte.
    """

    def __init__(self, slowest: int):
        _check(slowest)
        self.slowest = slowest
        super().__init__(
            {"bit": In(range(slowest + 1), init=slowest), "tx": Out(1, init=1), "bytes": In(stream.Signature(8))}
        )

    def elaborate(self, platform):
        m = Module()
        timer, left = Signal(range(self.slowest)), Signal(range(BITS + 1))
        bits = Signal(BITS, init=(1 << BITS) - 1)
        m.d.comb += [self.tx.eq(bits[0]), self.bytes.ready.eq(left == 0)]
        with m.If(left == 0):
            with m.If(self.bytes.valid):
                m.d.sync += [bits.eq(Cat(C(0, 1), self.bytes.payload, C(1, 1))), left.eq(BITS), timer.eq(self.bit - 1)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [bits.eq(Cat(bits[1:], C(1, 1))), left.eq(left - 1), timer.eq(self.bit - 1)]
        return m
