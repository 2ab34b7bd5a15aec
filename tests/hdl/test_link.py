"""The board's side of the protocol, bit by bit on its serial pins, against the host's framing."""

from __future__ import annotations

import dataclasses
import struct

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator

from npde.link.frame import Frame, decode, encode
from npde.link.protocol import FRAME_BYTES, RATE_HOLD_MS, REPLY, VERSION, Info, Kind, Region, Status
from npde_hdl.link.endpoint import Link

DIVISOR = 4
INFO = Info("bench", b"12345678", b"s" * 16, 24_000_000, 3_000_000, FRAME_BYTES, 1024, 64, 4, 4, (
    Region(0, 0, 1, 2, 5, 16), Region(1, 0, 1, 4, 9, 32), Region(2, 0, 1, 1, 3, 5),
))  # fmt: skip
REGION_BITS = (16, 32, 5)
HASH = bytes(range(16))


class Echo(wiring.Component):
    """A link whose pipeline gives each sample back inverted, and whose weight memories are plain."""

    def __init__(self, info: Info = INFO, divisor: int = DIVISOR):
        self.link = Link(info, divisor=divisor, config_width=32)
        super().__init__({"rx": wiring.In(1, init=1), "tx": wiring.Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = self.link
        read_data = 0
        for number, region in enumerate(INFO.regions):
            m.submodules[f"memory{number}"] = memory = Memory(shape=32, depth=region.depth, init=[])
            write, read = memory.write_port(), memory.read_port(transparent_for=())
            mine = link.config.region == number
            m.d.comb += [
                write.addr.eq(link.config.address), write.data.eq(link.config.write_data & ((1 << REGION_BITS[number]) - 1)),
                write.en.eq(link.config.select & link.config.write & mine),
                read.addr.eq(link.config.address), read.en.eq(1),
            ]  # fmt: skip
            read_data |= read.data & mine.replicate(32)
        m.d.comb += [
            link.config.read_data.eq(read_data), link.rx.eq(self.rx), self.tx.eq(link.tx),
            link.answers.valid.eq(link.samples.valid), link.answers.payload.eq(~link.samples.payload),
            link.samples.ready.eq(link.answers.ready),
        ]  # fmt: skip
        return m


class Bench:
    """Speaks to the gateware's pins: ``await bench.ask(...)``."""

    def __init__(self, ctx, dut):
        self.ctx, self.dut, self.sequence, self.bit = ctx, dut, 0, dut.link.divisor

    async def send(self, wire: bytes):
        for byte in wire:
            for bit in (0, *((byte >> i) & 1 for i in range(8)), 1):
                self.ctx.set(self.dut.rx, bit)
                await self.ctx.tick().repeat(self.bit)

    async def receive(self, patience: int = 4000) -> Frame | None:
        stuffed = bytearray()
        while True:
            for _ in range(patience):
                if not self.ctx.get(self.dut.tx):
                    break
                await self.ctx.tick()
            else:
                assert not stuffed, f"the board stopped in the middle of a frame: {stuffed.hex()}"
                return None
            await self.ctx.tick().repeat(self.bit // 2)
            byte = 0
            for i in range(8):
                await self.ctx.tick().repeat(self.bit)
                byte |= self.ctx.get(self.dut.tx) << i
            await self.ctx.tick().repeat(self.bit)
            assert self.ctx.get(self.dut.tx), "stop bit"
            if byte:
                stuffed.append(byte)
            else:
                answer = decode(bytes(stuffed))
                assert answer is not None, f"not a frame: {stuffed.hex()}"
                return answer

    async def ask(self, kind: int, payload: bytes = b"") -> tuple[Status, bytes]:
        sequence = self.sequence
        self.sequence = (sequence + 1) & 255
        await self.send(encode(Frame(kind, sequence, payload)))
        answer = await self.receive()
        assert answer is not None, f"no answer to kind {kind}"
        assert (answer.kind, answer.sequence) == (kind | REPLY, sequence)
        return Status(answer.payload[0]), answer.payload[1:]


def conversation(talk, dut=None):
    dut = dut or Echo()
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    finished = []

    async def testbench(ctx):
        await ctx.tick().repeat(20)
        await talk(Bench(ctx, dut))
        finished.append(True)

    simulator.add_testbench(testbench)
    simulator.run()
    assert finished


async def synchronise(bench, nonce=b"abcd", sequence=0):
    bench.sequence = sequence
    assert await bench.ask(Kind.SYNC, nonce) == (Status.OK, nonce + bytes([VERSION]))


def test_sync_sets_the_sequence_and_identify_describes_the_board():
    async def talk(bench):
        await synchronise(bench, sequence=250)
        status, reply = await bench.ask(Kind.IDENTIFY)
        assert (status, reply[:17]) == (Status.OK, b"\2" + bytes(16))
        assert Info.unpack(reply[17:]) == INFO

    conversation(talk)


def test_a_request_out_of_sequence_is_told_what_was_expected_and_does_nothing():
    async def talk(bench):
        await synchronise(bench, sequence=254)
        bench.sequence = 254
        assert await bench.ask(Kind.COMMIT, HASH) == (Status.SEQUENCE, bytes([255, 0]))
        bench.sequence = 255
        status, reply = await bench.ask(Kind.IDENTIFY)
        assert (status, reply[0], reply[1:17]) == (Status.OK, 2, bytes(16))
        assert (await bench.ask(Kind.STATUS))[0] == Status.OK  # sequence wrapped to 0

    conversation(talk)


@pytest.mark.parametrize(("region", "words"), [(0, [0x1234, 0x00FF, 0, 0xFFFF, 0xA5A5]), (1, [0xDEADBEEF, 0, 0x01000001]), (2, [31, 0, 7])])
def test_weights_are_written_and_read_back(region, words):
    size = INFO.regions[region].word_bytes
    wire = b"".join(word.to_bytes(size, "little") for word in words)

    async def talk(bench):
        await synchronise(bench)
        assert await bench.ask(Kind.WRITE, struct.pack("<BH", region, 0) + wire) == (Status.OK, b"")
        assert await bench.ask(Kind.READ, struct.pack("<BHH", region, 0, len(words))) == (Status.OK, wire)
        assert await bench.ask(Kind.READ, struct.pack("<BHH", region, 1, 1)) == (Status.OK, wire[size : 2 * size])

    conversation(talk)


def test_what_leaves_a_region_or_cuts_a_word_is_refused_by_name():
    async def talk(bench):
        await synchronise(bench)
        assert (await bench.ask(Kind.WRITE, struct.pack("<BH", 0, 4) + b"abcd"))[0] == Status.RANGE
        assert (await bench.ask(Kind.WRITE, struct.pack("<BH", 9, 0) + b"ab"))[0] == Status.RANGE
        assert (await bench.ask(Kind.WRITE, struct.pack("<BH", 0, 0) + b"abc"))[0] == Status.LENGTH
        assert (await bench.ask(Kind.READ, struct.pack("<BHH", 0, 5, 1)))[0] == Status.RANGE
        assert await bench.ask(Kind.READ, struct.pack("<BHH", 0, 3, 100)) == (Status.OK, bytes(2) + b"ab")
        assert (await bench.ask(Kind.READ, b"\0\0"))[0] == Status.LENGTH
        assert (await bench.ask(0x55, b"what"))[0] == Status.UNKNOWN
        assert (await bench.ask(Kind.RESET, b"x"))[0] == Status.LENGTH

    conversation(talk)


def test_samples_are_taken_only_with_a_model_at_their_position_and_as_far_as_there_is_room():
    async def talk(bench):
        await synchronise(bench)
        assert (await bench.ask(Kind.PUSH, b"\0\0abcd"))[0] == Status.NO_MODEL
        assert await bench.ask(Kind.COMMIT, HASH) == (Status.OK, b"")
        assert (await bench.ask(Kind.IDENTIFY))[1][:17] == b"\3" + HASH
        assert await bench.ask(Kind.PUSH, b"\0\0abcd") == (Status.OK, b"\4\0")
        assert await bench.ask(Kind.PUSH, b"\0\0abcd") == (Status.POSITION, b"\4\0")
        assert await bench.ask(Kind.PUSH, b"\4\0" + bytes(100)) == (Status.OK, bytes([64, 0]))
        inverted = bytes(255 - b for b in b"abcd")
        assert await bench.ask(Kind.PULL, struct.pack("<HH", 0, 6)) == (Status.OK, b"\0\0" + inverted + b"\xff\xff")
        assert await bench.ask(Kind.PULL, struct.pack("<HH", 0, 2)) == (Status.OK, b"\0\0" + inverted[:2])
        assert await bench.ask(Kind.PULL, struct.pack("<HH", 3, 9999)) == (Status.OK, b"\3\0" + inverted[3:] + b"\xff" * 60)
        assert await bench.ask(Kind.PULL, struct.pack("<HH", 0, 2)) == (Status.POSITION, bytes([64, 0]))
        assert await bench.ask(Kind.PULL, struct.pack("<HH", 65, 2)) == (Status.POSITION, bytes([64, 0]))
        status, reply = await bench.ask(Kind.STATUS)
        flags, dropped, came, went, cycles = struct.unpack("<BHHHI", reply)
        assert (status, flags, dropped, came, went) == (Status.OK, 3, 0, 64, 64)
        assert cycles > 0
        assert await bench.ask(Kind.RESET) == (Status.OK, b"")
        assert struct.unpack("<BHHHI", (await bench.ask(Kind.STATUS))[1]) == (3, 0, 0, 0, 0)
        assert (await bench.ask(Kind.WRITE, struct.pack("<BH", 0, 0) + b"ab"))[0] == Status.OK
        assert (await bench.ask(Kind.PUSH, b"\0\0a"))[0] == Status.NO_MODEL

    conversation(talk)


def test_garbage_is_dropped_counted_and_forgotten_within_one_frame():
    good = encode(Frame(Kind.SYNC, 7, b"wxyz"))
    broken = bytearray(good)
    broken[4] ^= 0x10
    garbage = [bytes(broken), good[:5] + b"\0", b"\x05ab\0", b"\x02a\0", b"\xff" * 700 + b"\0", good[:-1] + b"x\0"]

    async def talk(bench):
        for wire in garbage:
            await bench.send(wire)
            assert await bench.receive(patience=300) is None
        await bench.send(b"\0\0\0")
        await synchronise(bench, sequence=9)
        assert struct.unpack("<BHHHI", (await bench.ask(Kind.STATUS))[1])[1] == len(garbage)

    conversation(talk)


def test_requests_that_come_while_others_are_answered_wait_their_turn():
    async def talk(bench):
        await synchronise(bench)
        await bench.send(b"".join(encode(Frame(Kind.STATUS, 1 + i, b"")) for i in range(6)))
        quiet = 0
        while quiet < 40 * DIVISOR:
            await bench.ctx.tick()
            quiet = quiet + 1 if bench.ctx.get(bench.dut.tx) else 0
        bench.sequence = 7  # the next in order only if each of the six was carried out
        assert (await bench.ask(Kind.STATUS))[0] == Status.OK

    conversation(talk)


SLOW, HOLD = 8, 1000
QUICK_HOLD = dataclasses.replace(INFO, clock=HOLD * 1000 // RATE_HOLD_MS)
"""A board whose wait has a thousand cycles."""


async def at_rate(bench, cycles):
    """Ask for a rate and speak at it from then on."""
    assert await bench.ask(Kind.RATE, struct.pack("<H", cycles)) == (Status.OK, b"")
    bench.bit = cycles
    await bench.ctx.tick().repeat(4)


def test_a_board_speaks_at_the_rate_it_was_asked_for_and_at_its_first_again():
    async def talk(bench):
        await synchronise(bench)
        for cycles in (5, 4, SLOW, 6, SLOW):
            await at_rate(bench, cycles)
            status, reply = await bench.ask(Kind.IDENTIFY)
            assert (status, reply[17:]) == (Status.OK, QUICK_HOLD.pack())

    conversation(talk, Echo(QUICK_HOLD, SLOW))


def test_a_rate_there_is_not_is_refused_and_changes_nothing():
    async def talk(bench):
        await synchronise(bench)
        for cycles in (0, 3, SLOW + 1, 65535):
            assert await bench.ask(Kind.RATE, struct.pack("<H", cycles)) == (Status.RANGE, b"")
            assert (await bench.ask(Kind.STATUS))[0] == Status.OK

    conversation(talk, Echo(QUICK_HOLD, SLOW))


def test_a_board_that_hears_nothing_whole_at_a_new_rate_goes_back_to_its_first():
    async def talk(bench):
        await synchronise(bench)
        await bench.ask(Kind.COMMIT, HASH)
        await bench.ask(Kind.PUSH, b"\0\0abcd")
        await at_rate(bench, 5)
        await bench.ctx.tick().repeat(HOLD + 10)  # nothing at all
        bench.bit = SLOW
        assert (await bench.ask(Kind.STATUS))[0] == Status.OK
        await at_rate(bench, 4)
        bench.bit = SLOW  # another host's bytes, at the first rate: garbage
        await bench.send(encode(Frame(Kind.STATUS, 0, b"")))
        await bench.ctx.tick().repeat(HOLD)
        await bench.send(b"\0")
        await synchronise(bench, sequence=77)
        assert (await bench.ask(Kind.STATUS))[1][0] == 3, "the model stands committed"
        assert await bench.ask(Kind.PULL, struct.pack("<HH", 0, 9)) == (Status.OK, b"\0\0" + bytes(255 - b for b in b"abcd"))

    conversation(talk, Echo(QUICK_HOLD, SLOW))


def test_a_line_at_rest_keeps_its_rate_once_a_whole_frame_came_and_loses_it_by_noise():
    async def talk(bench):
        await synchronise(bench)
        await at_rate(bench, 5)
        assert (await bench.ask(Kind.STATUS))[0] == Status.OK
        await bench.ctx.tick().repeat(3 * HOLD)
        assert (await bench.ask(Kind.STATUS))[0] == Status.OK
        await bench.send(b"\x55")
        await bench.ctx.tick().repeat(HOLD + 10)
        bench.bit = SLOW
        await bench.send(b"\0")
        assert (await bench.ask(Kind.STATUS))[0] == Status.OK

    conversation(talk, Echo(QUICK_HOLD, SLOW))


def test_the_identity_is_told_in_parts():
    async def talk(bench):
        await synchronise(bench)
        await bench.ask(Kind.COMMIT, HASH)
        whole = HASH + INFO.pack()
        got = b""
        while len(got) < len(whole):
            status, reply = await bench.ask(Kind.DESCRIBE, struct.pack("<HH", len(got), 23))
            assert (status, len(reply) > 0) == (Status.OK, True)
            got += reply
        assert got == whole
        assert await bench.ask(Kind.DESCRIBE, struct.pack("<HH", len(whole) - 2, 9999)) == (Status.OK, whole[-2:])
        for first, most in ((len(whole), 9), (65535, 9), (0, 0)):
            assert await bench.ask(Kind.DESCRIBE, struct.pack("<HH", first, most)) == (Status.OK, b"")

    conversation(talk)
