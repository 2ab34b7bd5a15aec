"""The commands: reads requests from the ring, acts, answers. One byte at a time, one command at a time."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from npde.link.protocol import (
    FLAG_RATE,
    FRAME_BYTES,
    HASH_BYTES,
    LEAST_CYCLES,
    PAYLOAD,
    REPLY,
    VERSION,
    Info,
    Status,
)
from npde_hdl.config import READ_LATENCY, ConfigBus
from npde_hdl.link.enframe import Item
from npde_hdl.link.kept import Kept
from npde_hdl.link.request import Request
from npde_hdl.link.word import WordPlace


class Executor(wiring.Component):
    """Acts on the frames in the ring of a :class:`~npde_hdl.link.deframe.Deframer`, in order.

    Parameters
    ----------
    info : Info
        What the board says of itself; its ``ring`` and ``answers`` size the rings.
    config_width : int
        Width of the configuration bus, whole bytes.
    slowest : int
        Most clock cycles per bit that ``RATE`` may ask for.

    Members
    -------
    read, data, limit, dropped
        The deframer's ring.
    items : Out(stream.Signature(Item))
        Answers, to the enframer.
    config : Out(ConfigBus(config_width))
        The weight memories.
    samples, answers : Out(stream.Signature(8)), In(stream.Signature(8))
        The pipeline's two streams.
    flush : Out(1)
        Empties the pipeline, from a register; no answer is taken meanwhile.
    cycles, change : Out(range(slowest + 1)), Out(1)
        Clock cycles per bit that were asked for, when ``change`` is high: in the cycle that ends the answer.
    """

    def __init__(self, info: Info, config_width: int, slowest: int = LEAST_CYCLES):
        if config_width % 8:
            raise ValueError(f"a configuration bus has whole bytes, not {config_width} bits")
        self.info, self.config_width, self.slowest = info, config_width, slowest
        super().__init__(
            {
                "read": Out(range(info.ring)),
                "data": In(8),
                "limit": In(range(info.ring)),
                "dropped": In(16),
                "items": Out(stream.Signature(Item)),
                "config": Out(ConfigBus(config_width)),
                "samples": Out(stream.Signature(8)),
                "answers": In(stream.Signature(8)),
                "flush": Out(1),
                "cycles": Out(range(slowest + 1)),
                "change": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        info = self.info
        kind, sequence, expected, status = Signal(8), Signal(8), Signal(8), Signal(Status)
        left = Signal(range(FRAME_BYTES + 1))  # bytes of the request still unread; later, of the answer still free
        region, address, count = Signal(8), Signal(16), Signal(16)
        m.submodules.request = request = Request()
        which, in_turn, committed, fresh = request.which, Signal(), Signal(), Signal()
        m.d.comb += [request.kind.eq(kind), request.left.eq(left), self.cycles.eq(address)]
        m.d.sync += [in_turn.eq(which.SYNC | (sequence == expected)), fresh.eq(1)]
        # What is asked of these counters comes from registers, a cycle late: after a move nobody asks in the next cycle.
        none_left, none_asked = Signal(), Signal()
        m.d.sync += [none_left.eq(left == 0), none_asked.eq(count == 0)]
        # What fans out to the whole pipeline leaves from registers, all of them one cycle late.
        flush, select, write = Signal(), Signal(), Signal()
        m.d.sync += [self.flush.eq(flush), self.config.select.eq(select), self.config.write.eq(write)]

        def consume():
            """Step over the byte in ``data``."""
            m.d.sync += [self.read.eq(self.read + 1), fresh.eq(0), left.eq(left - 1)]

        position_in, pulling, released = Signal(16), Signal(), Signal()
        m.submodules.kept = kept = Kept(info.answers)
        connect(m, flipped(self.answers), kept.answers)
        m.d.comb += [kept.address.eq(address), kept.release.eq(released), kept.hold.eq(pulling | flush | self.flush)]

        identity = bytes(HASH_BYTES) + info.pack()
        m.submodules.identity = memory = Memory(shape=8, depth=1 << (len(identity) - 1).bit_length(), init=identity)
        identity_write, identity_read = memory.write_port(), memory.read_port(transparent_for=())
        m.d.comb += [
            identity_write.addr.eq(address),
            identity_write.data.eq(self.data),
            identity_read.addr.eq(address),
            identity_read.en.eq(1),
        ]
        past, rated = Signal(), Signal()  # a cycle behind the address
        m.d.sync += [past.eq(address >= len(identity)), rated.eq((address >= LEAST_CYCLES) & (address <= self.slowest))]

        # One weight word, shifted through byte by byte: always as often as the bus has bytes.
        word, shifts = Signal(self.config_width), Signal(range(self.config_width // 8 + 1))
        m.submodules.place = place = WordPlace(info.regions, self.config_width // 8, FRAME_BYTES + 1)
        configuring = which.READ | which.WRITE
        m.d.comb += [place.region.eq(region), place.address.eq(address), place.left.eq(left), place.shifts.eq(shifts)]
        m.d.sync += [self.config.region.eq(region), self.config.address.eq(address), self.config.write_data.eq(word)]

        item = self.items.payload
        beat = Signal(4)  # which byte of a fixed run

        def send(byte):
            m.d.comb += [item.byte.eq(byte), self.items.valid.eq(1)]
            return self.items.ready

        def drop_streams():
            m.d.comb += [flush.eq(1), kept.clear.eq(1)]
            m.d.sync += position_in.eq(0)

        with m.FSM():
            with m.State("REST"):
                m.d.sync += [beat.eq(0), status.eq(Status.OK)]
                with m.If(fresh & (self.read != self.limit)):
                    m.next = "HEAD"
            with m.State("HEAD"):
                with m.If(fresh):
                    consume()
                    m.d.sync += beat.eq(beat + 1)
                    with m.Switch(beat):
                        with m.Case(0):
                            m.d.sync += left.eq(self.data)
                        with m.Case(1):
                            m.d.sync += left.eq(Cat(left[:8], self.data))
                        with m.Case(2):
                            m.d.sync += kind.eq(self.data)
                        with m.Case(3):
                            m.d.sync += [sequence.eq(self.data), beat.eq(0)]
                            m.next = "WEIGH"

            with m.State("WEIGH"):
                m.next = "JUDGE"
            with m.State("JUDGE"):
                m.next = "DRAIN"
                with m.If(~in_turn):
                    m.d.sync += status.eq(Status.SEQUENCE)
                with m.Else():
                    m.d.sync += expected.eq(sequence + 1)
                    with m.If(~which.as_value().any()):
                        m.d.sync += status.eq(Status.UNKNOWN)
                    with m.Elif(~request.fits):
                        m.d.sync += status.eq(Status.LENGTH)
                    with m.Else():
                        with m.If(configuring):
                            m.next = "REGION"
                        with m.If(which.PUSH | which.PULL | which.RATE | which.DESCRIBE):
                            m.next = "ADDRESS"
                        with m.If(which.COMMIT | which.RESET):
                            drop_streams()
                        with m.If(which.COMMIT):
                            m.d.sync += address.eq(0)
                            m.next = "COMMIT"
                        with m.If(which.SYNC):
                            m.next = "REPLY"

            with m.State("REGION"):
                with m.If(fresh):
                    consume()
                    drop_streams()
                    m.d.sync += region.eq(self.data)
                    m.next = "ADDRESS"
            with m.State("ADDRESS"):
                m.d.comb += flush.eq(configuring)
                with m.If(fresh):
                    consume()
                    m.d.sync += [address.eq(Cat(address[8:], self.data)), beat.eq(beat + 1)]
                    with m.If(beat[0]):
                        m.next = "COUNT"
                        m.d.sync += beat.eq(0)
                        with m.If(which.WRITE):
                            m.d.sync += committed.eq(0)
                            m.next = "APPROACH"
                        with m.If(which.PUSH):
                            m.next = "PUSH_AT"
                        with m.If(which.RATE):
                            m.next = "RATE"
            with m.State("RATE"):
                m.next = "RATED"
            with m.State("RATED"):
                m.next = "REPLY"
                with m.If(~rated):
                    m.d.sync += status.eq(Status.RANGE)
            with m.State("COUNT"):
                m.d.comb += flush.eq(configuring)
                with m.If(fresh):
                    consume()
                    m.d.sync += [count.eq(Cat(count[8:], self.data)), beat.eq(beat + 1)]
                    with m.If(beat[0]):
                        m.d.sync += [beat.eq(0), left.eq(PAYLOAD - 3)]
                        m.next = "HOLD"
            # No answer comes in from here on, so that what lies ahead is known exactly.
            with m.State("HOLD"):
                m.d.comb += [pulling.eq(1), flush.eq(configuring)]
                m.next = "RANGE"
            with m.State("RANGE"):
                m.d.comb += pulling.eq(1)
                m.next = "REPLY"
                with m.If(which.READ):
                    m.d.comb += flush.eq(1)
                    with m.If(~place.in_region):
                        m.d.sync += status.eq(Status.RANGE)
                with m.Elif(which.PULL):
                    with m.If(kept.beyond):
                        m.d.sync += status.eq(Status.POSITION)
                    with m.Else():
                        m.d.comb += released.eq(1)

            with m.State("APPROACH"):
                m.d.comb += [select.eq(1), flush.eq(1)]
                m.d.sync += shifts.eq(0)
                m.next = "GATHER"
            with m.State("GATHER"):
                m.d.comb += [select.eq(1), flush.eq(1)]
                with m.If(none_left):
                    m.next = "REPLY"
                with m.Elif(~place.in_region):
                    m.d.sync += status.eq(Status.RANGE)
                    m.next = "DRAIN"
                with m.Elif(place.short):
                    m.d.sync += status.eq(Status.LENGTH)
                    m.next = "DRAIN"
                with m.Else():
                    m.next = "SHIFT_IN"
            with m.State("SHIFT_IN"):
                m.d.comb += [select.eq(1), flush.eq(1)]
                with m.If(fresh & place.shifted):
                    m.d.comb += write.eq(1)
                    m.d.sync += address.eq(address + 1)
                    m.next = "APPROACH"
                with m.Elif(fresh):
                    m.d.sync += [shifts.eq(shifts + 1), word.eq(Cat(word[8:], self.data)), fresh.eq(0)]
                    with m.If(~place.beyond):
                        consume()

            with m.State("COMMIT"):
                with m.If(none_left):
                    m.d.sync += committed.eq(1)
                    m.next = "REPLY"
                with m.Elif(fresh):
                    consume()
                    m.d.comb += identity_write.en.eq(1)
                    m.d.sync += address.eq(address + 1)

            with m.State("PUSH_AT"):
                m.next = "DRAIN"
                with m.If(~committed):
                    m.d.sync += status.eq(Status.NO_MODEL)
                with m.Elif(address != position_in):
                    m.d.sync += status.eq(Status.POSITION)
                with m.Else():
                    m.next = "PUSH"
            with m.State("PUSH"):
                m.d.comb += [self.samples.payload.eq(self.data), self.samples.valid.eq(fresh & ~none_left)]
                with m.If(none_left):
                    m.next = "REPLY"
                with m.Elif(self.samples.valid & self.samples.ready):
                    consume()
                    m.d.comb += kept.started.eq(1)
                    m.d.sync += position_in.eq(position_in + 1)
                with m.Elif(fresh & kept.full):
                    # Nothing moves until the host pulls, and it cannot pull before this is answered.
                    m.next = "DRAIN"

            with m.State("DRAIN"):
                with m.If(none_left):
                    m.next = "REPLY"
                with m.Elif(fresh):
                    consume()

            with m.State("REPLY"):
                header = Signal(8)
                with m.Switch(beat):
                    with m.Case(0):
                        m.d.comb += header.eq(kind | REPLY)
                    with m.Case(1):
                        m.d.comb += header.eq(sequence)
                    with m.Default():
                        m.d.comb += header.eq(status)
                with m.If(send(header)):
                    m.d.sync += beat.eq(beat + 1)
                    with m.If(beat == 2):
                        m.d.sync += beat.eq(0)
                        m.next = "END"
                        with m.Switch(status):
                            with m.Case(Status.OK):
                                with m.If(which.SYNC):
                                    m.next = "NONCE"
                                with m.If(which.IDENTIFY | which.STATUS | which.PUSH | which.PULL):
                                    m.next = "FIXED"
                                with m.If(which.READ):
                                    m.next = "FETCH"
                                with m.If(which.DESCRIBE):
                                    m.next = "WAIT"
                            with m.Case(Status.SEQUENCE, Status.POSITION):
                                m.next = "FIXED"

            with m.State("NONCE"):
                with m.If(none_left):
                    with m.If(send(VERSION)):
                        m.next = "END"
                with m.Elif(fresh):
                    with m.If(send(self.data)):
                        consume()

            # Answers of known length, picked byte by byte.
            with m.State("FIXED"):
                byte, last, flags = Signal(8), Signal(), Signal(8)
                m.d.comb += flags.eq(FLAG_RATE | committed)
                with m.If(send(byte)):
                    m.d.sync += beat.eq(beat + 1)
                    with m.If(last):
                        m.d.sync += beat.eq(0)
                        m.next = "END"
                        with m.If(status == Status.OK):
                            with m.If(which.PULL):
                                m.next = "ANSWER"
                            with m.If(which.IDENTIFY):
                                m.d.sync += address.eq(0)
                                m.next = "WAIT"
                fields = (
                    (which.PUSH, position_in),
                    (which.STATUS, Cat(flags, self.dropped, position_in, kept.produced, kept.ended)),
                    (which.IDENTIFY, flags),
                    (which.PULL, Mux(status == Status.OK, address, kept.produced)),
                )
                with m.If(status == Status.SEQUENCE):
                    m.d.comb += [byte.eq(Mux(beat[0], 0, expected)), last.eq(beat[0])]
                with m.Else():
                    for mine, value in fields:
                        with m.If(mine):
                            m.d.comb += [byte.eq(value.word_select(beat, 8)), last.eq(beat == len(value) // 8 - 1)]

            with m.State("WAIT"):
                m.next = "IDENTITY"
            with m.State("IDENTITY"):
                with m.If(past | (which.DESCRIBE & (none_asked | none_left))):
                    m.next = "END"
                with m.Else():
                    with m.If(send(identity_read.data)):
                        m.d.sync += [address.eq(address + 1), count.eq(count - 1), left.eq(left - 1)]
                        m.next = "WAIT"

            with m.State("ANSWER"):
                with m.If(kept.none_ahead | none_asked | none_left):
                    m.next = "END"
                with m.Else():
                    m.next = "ANSWER_BYTE"
            with m.State("ANSWER_BYTE"):
                with m.If(send(kept.data)):
                    m.d.sync += [address.eq(address + 1), count.eq(count - 1), left.eq(left - 1)]
                    m.next = "ANSWER_NEXT"
            with m.State("ANSWER_NEXT"):
                m.next = "ANSWER"

            with m.State("FETCH"):
                m.d.comb += [select.eq(1), flush.eq(1)]
                m.d.sync += [beat.eq(beat + 1), shifts.eq(0)]
                with m.If(~place.in_region | none_asked | place.cramped):
                    m.next = "END"
                with m.Elif(beat == READ_LATENCY + 1):
                    m.d.sync += [word.eq(self.config.read_data), beat.eq(0), count.eq(count - 1)]
                    m.next = "SHIFT_OUT"
            with m.State("SHIFT_OUT"):
                m.d.comb += flush.eq(1)
                with m.If(fresh & place.beyond):
                    m.d.sync += address.eq(address + 1)
                    m.next = "FETCH"
                with m.Elif(fresh):
                    with m.If(send(word[:8])):
                        m.d.sync += [word.eq(word >> 8), shifts.eq(shifts + 1), left.eq(left - 1), fresh.eq(0)]

            with m.State("END"):
                m.d.comb += [item.end.eq(1), self.items.valid.eq(1)]
                with m.If(self.items.ready):
                    m.d.comb += self.change.eq(which.RATE & (status == Status.OK))
                    m.next = "REST"
        return m
