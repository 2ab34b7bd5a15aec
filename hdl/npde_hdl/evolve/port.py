"""The way in and out of a field that stays on the board: headers become commands, each ends in its answer."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from npde.link.protocol import FIELD_EMIT, FIELD_LOAD, FIELD_REPORT, HEADER, answer_bytes, sample_bytes
from npde.program import Grid
from npde_hdl.evolve.resident import Command


class FieldPort(wiring.Component):
    """One sample at a time: header, the field's bytes if it loads one, the answer if it asks for one.

    Parameters
    ----------
    before, after, argmax : Grid, Grid, bool
        The field that is loaded, the answer that is emitted.

    Members
    -------
    samples, answers : In, Out(stream.Signature(8))
        As they travel.
    values, emitted : Out, In(stream.Signature(8))
        The same without headers and reports.
    command : Out(stream.Signature(Command()))
        To :class:`~npde_hdl.evolve.resident.Resident`.
    """

    def __init__(self, before: Grid, after: Grid, argmax: bool):
        self.field_bytes = sample_bytes(before, resident=False)
        self.answer_bytes = answer_bytes(after, argmax)
        super().__init__(
            {
                "samples": In(stream.Signature(8)),
                "answers": Out(stream.Signature(8)),
                "values": Out(stream.Signature(8)),
                "emitted": In(stream.Signature(8)),
                "command": Out(stream.Signature(Command())),
            }
        )

    def elaborate(self, platform):
        m = Module()
        head, came = Signal(8 * HEADER.size), Signal(range(HEADER.size))
        flags, times = head[:8], head[8:]
        load, emit, report = ((flags & flag) != 0 for flag in (FIELD_LOAD, FIELD_EMIT, FIELD_REPORT))
        coming, going = Signal(range(self.field_bytes + 1)), Signal(range(self.answer_bytes + 1))
        done = Signal()
        whole = Signal.like(head)
        m.d.comb += [
            whole.eq(Cat(head[8:], self.samples.payload)),
            self.values.payload.eq(self.samples.payload),
            self.answers.payload.eq(self.emitted.payload),
            self.answers.valid.eq(self.emitted.valid),
            self.emitted.ready.eq(self.answers.ready),
            self.command.payload.load.eq(load),
            self.command.payload.emit.eq(emit),
            self.command.payload.times.eq(times),
        ]
        with m.FSM():
            with m.State("HEADER"):
                m.d.comb += self.samples.ready.eq(1)
                m.d.sync += done.eq(0)
                with m.If(self.samples.valid):
                    m.d.sync += [head.eq(whole), came.eq(came + 1)]
                    with m.If(came == HEADER.size - 1):
                        m.d.sync += came.eq(0)
                        m.d.sync += coming.eq(0)
                        m.d.sync += going.eq(0)
                        with m.If(whole[:8] & FIELD_LOAD):
                            m.d.sync += coming.eq(self.field_bytes)
                        with m.If(whole[:8] & FIELD_EMIT):
                            m.d.sync += going.eq(self.answer_bytes)
                        m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += [
                    self.command.valid.eq(~done),
                    self.values.valid.eq(self.samples.valid & (coming != 0)),
                    self.samples.ready.eq(self.values.ready & (coming != 0)),
                ]
                with m.If(self.samples.valid & self.samples.ready):
                    m.d.sync += coming.eq(coming - 1)
                with m.If(self.answers.valid & self.answers.ready):
                    m.d.sync += going.eq(going - 1)
                with m.If(self.command.valid & self.command.ready):
                    m.d.sync += done.eq(1)
                with m.If(done & (going == 0)):
                    m.next = "HEADER"
                    with m.If(report & ~emit):
                        m.next = "REPORT"
            with m.State("REPORT"):
                m.d.comb += [self.answers.valid.eq(1), self.answers.payload.eq(0)]
                with m.If(self.answers.ready):
                    m.next = "HEADER"
        return m
