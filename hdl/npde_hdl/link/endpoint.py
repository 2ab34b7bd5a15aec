"""The link as one component: serial pins on one side, the pipeline's streams and weights on the other."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from npde.link.protocol import RATE_HOLD_MS, Info
from npde_hdl.config import ConfigBus
from npde_hdl.link.deframe import Deframer
from npde_hdl.link.enframe import Enframer
from npde_hdl.link.executor import Executor
from npde_hdl.link.rate import Rate
from npde_hdl.link.uart import UartReceiver, UartTransmitter


class Link(wiring.Component):
    """UART, framing and commands.

    Parameters
    ----------
    info : Info
        What the board says of itself.
    divisor : int
        Clock cycles per bit at first; ``RATE`` may ask for fewer.
    config_width : int
        Width of the configuration bus, whole bytes.

    Members
    -------
    rx, tx : In(1), Out(1)
        The serial line, idle high.
    config : Out(ConfigBus(config_width))
        The weight memories; ``flush`` is high while it is selected.
    samples, answers : Out(stream.Signature(8)), In(stream.Signature(8))
        The pipeline's input and output.
    flush : Out(1)
        Empties the pipeline.
    """

    def __init__(self, info: Info, *, divisor: int, config_width: int):
        self.info, self.divisor, self.config_width = info, divisor, config_width
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "config": Out(ConfigBus(config_width)),
                "samples": Out(stream.Signature(8)),
                "answers": In(stream.Signature(8)),
                "flush": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(self.divisor)
        m.submodules.deframer = deframer = Deframer(self.info.ring)
        m.submodules.executor = executor = Executor(self.info, self.config_width, self.divisor)
        m.submodules.enframer = enframer = Enframer()
        m.submodules.transmitter = transmitter = UartTransmitter(self.divisor)
        m.submodules.rate = rate = Rate(self.divisor, max(1, self.info.clock * RATE_HOLD_MS // 1000))
        # An answer's byte passes through a register, so that no path runs from what the executor does through the enframer
        # and back. The enframer takes three cycles a byte; this one and its neighbours meet every second one.
        passing, passed = Signal(), Signal.like(executor.items.payload)
        with m.If(~passing):
            m.d.sync += [passing.eq(executor.items.valid), passed.eq(executor.items.payload)]
        with m.Elif(enframer.items.ready):
            m.d.sync += passing.eq(0)
        m.d.comb += [executor.items.ready.eq(~passing), enframer.items.valid.eq(passing), enframer.items.payload.eq(passed)]
        m.d.comb += [
            rate.asked.eq(executor.cycles),
            rate.change.eq(executor.change),
            rate.idle.eq(enframer.idle & ~passing & transmitter.bytes.ready),
            rate.heard.eq(receiver.valid | receiver.error),
            rate.whole.eq(deframer.whole),
            receiver.bit.eq(rate.bit),
            transmitter.bit.eq(rate.bit),
            receiver.rx.eq(self.rx),
            deframer.byte.eq(receiver.byte),
            deframer.valid.eq(receiver.valid),
            deframer.error.eq(receiver.error),
            deframer.read.eq(executor.read),
            executor.data.eq(deframer.data),
            executor.limit.eq(deframer.limit),
            executor.dropped.eq(deframer.dropped),
            self.tx.eq(transmitter.tx),
            self.flush.eq(executor.flush),
        ]
        connect(m, enframer.bytes, transmitter.bytes)
        for mine, its in ((self.samples, executor.samples), (self.answers, executor.answers), (self.config, executor.config)):
            connect(m, its, flipped(mine))
        return m
