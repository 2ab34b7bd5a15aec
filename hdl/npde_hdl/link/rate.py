"""The line's bit rate now: the first one, or one asked for, as long as whole frames come at it."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Rate(wiring.Component):
    """Holds the clock cycles a bit takes, and goes back to ``first`` by itself.

    The wait begins with a change, and with the first byte or error behind a whole frame; a whole frame ends it.
    A line at rest stays as it is.

    Parameters
    ----------
    first : int
        Clock cycles per bit after a reset, and the most there are.
    hold : int
        Clock cycles to wait for a whole frame at another rate.

    Members
    -------
    asked, change : In(range(first + 1)), In(1)
        The rate wanted; high for one cycle once the answer that still goes at the rate before is with the enframer.
    idle : In(1)
        That answer has left, its last stop bit included.
    heard, whole : In(1)
        High for a cycle when a byte or an error comes, and when a byte ends a whole frame.
    bit : Out(range(first + 1))
        Clock cycles per bit.
    """

    def __init__(self, first: int, hold: int):
        self.first, self.hold = first, hold
        cycles = range(first + 1)
        super().__init__(
            {
                "asked": In(cycles),
                "change": In(1),
                "idle": In(1),
                "heard": In(1),
                "whole": In(1),
                "bit": Out(cycles, init=first),
            }
        )

    def elaborate(self, platform):
        m = Module()
        wanted, pending = Signal.like(self.asked), Signal()
        waiting, left, over = Signal(), Signal(range(self.hold)), Signal()
        # What is asked of the counter comes from a register, a cycle late.
        m.d.sync += over.eq(waiting & (left == 0))
        with m.If(waiting & ~over):
            m.d.sync += left.eq(left - 1)
        with m.If(self.heard & ~waiting):
            m.d.sync += [waiting.eq(self.bit != self.first), left.eq(self.hold - 1)]
        with m.If(self.whole):
            m.d.sync += waiting.eq(0)
        with m.If(over & waiting):
            m.d.sync += [self.bit.eq(self.first), waiting.eq(0)]
        with m.If(pending & self.idle):
            m.d.sync += [self.bit.eq(wanted), pending.eq(0), waiting.eq(wanted != self.first), left.eq(self.hold - 1)]
        with m.If(self.change):
            m.d.sync += [wanted.eq(self.asked), pending.eq(1)]
        return m
