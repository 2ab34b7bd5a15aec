"""The commands against a board written from the protocol's text: random requests, right, wrong and out of turn."""

from __future__ import annotations

import os
import random
import struct
import zlib

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped
from cobs import cobs

from npde.link.protocol import FRAME_BYTES, LOADING, VERSION, Info, Kind, Region, Status
from npde_hdl.link.deframe import Deframer
from npde_hdl.link.enframe import Enframer
from npde_hdl.link.executor import Executor
from npde_sim.bench import Case, simulate
from npde_sim.bench.lanes import BYTES
from npde_sim.bench.scoreboard import Mismatch
from npde_sim.fuzz import ByteLine

RING, ANSWERS, SLOWEST = 1024, 64, 26
REGIONS = (Region(0, 0, 1, 2, 5, 16), Region(1, 0, 1, 4, 9, 32), Region(2, 0, 1, 1, 3, 5))
INFO = Info("bench", b"12345678", b"s" * 16, 24_000_000, 3_000_000, FRAME_BYTES, RING, ANSWERS, 4, 4, REGIONS)


class Core(wiring.Component):
    """The link without its serial line; its pipeline gives each sample back inverted, its weight memories are plain."""

    def __init__(self):
        super().__init__({"byte": In(8), "valid": In(1), "bytes": Out(stream.Signature(8)), "stray": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.deframer = deframer = Deframer(RING)
        m.submodules.executor = executor = Executor(INFO, 32, SLOWEST)
        m.submodules.enframer = enframer = Enframer()
        m.d.comb += [
            deframer.byte.eq(self.byte), deframer.valid.eq(self.valid), deframer.read.eq(executor.read),
            executor.data.eq(deframer.data), executor.limit.eq(deframer.limit), executor.dropped.eq(deframer.dropped),
            executor.answers.valid.eq(executor.samples.valid), executor.answers.payload.eq(~executor.samples.payload),
            executor.samples.ready.eq(executor.answers.ready),
        ]  # fmt: skip
        connect(m, executor.items, enframer.items)
        connect(m, enframer.bytes, flipped(self.bytes))
        config, read_data = executor.config, 0
        for number, region in enumerate(REGIONS):
            m.submodules[f"memory{number}"] = memory = Memory(shape=region.width, depth=region.depth, init=[])
            write, read = memory.write_port(), memory.read_port(transparent_for=())
            m.d.comb += [
                write.addr.eq(config.address), write.data.eq(config.write_data), read.addr.eq(config.address), read.en.eq(1),
                write.en.eq(config.select & config.write & (config.region == number)),
            ]  # fmt: skip
            read_data |= read.data & (config.region == number).replicate(32)
        m.d.comb += config.read_data.eq(read_data)
        within = 0
        for number, region in enumerate(REGIONS):
            within |= (config.region == number) & (config.address < region.depth)
        m.d.comb += self.stray.eq(config.select & config.write & ~within)
        return m


class Reference:
    """A board in forty lines, after the protocol's text; ``answer`` gives the status and the reply."""

    def __init__(self):
        self.expected, self.committed, self.hash, self.dropped = 0, False, b"", 0
        self.memories = [[0] * region.depth for region in REGIONS]
        self.empty()

    def empty(self):
        self.taken, self.answered, self.freed = 0, b"", 0

    def answer(self, kind, sequence, payload):
        if kind != Kind.SYNC and sequence != self.expected:
            return Status.SEQUENCE, bytes([self.expected, 0])
        self.expected = (sequence + 1) & 255
        fixed = {Kind.SYNC: 4, Kind.IDENTIFY: 0, Kind.STATUS: 0, Kind.RESET: 0, Kind.READ: 5, Kind.COMMIT: 16, Kind.PULL: 4, Kind.RATE: 2, Kind.DESCRIBE: 4}
        least = {Kind.WRITE: 3, Kind.PUSH: 2}
        if kind not in fixed and kind not in least:
            return Status.UNKNOWN, b""
        if len(payload) < least.get(kind, 0) or len(payload) != fixed.get(kind, len(payload)):
            return Status.LENGTH, b""
        return getattr(self, Kind(kind).name.lower())(payload)

    def sync(self, nonce):
        return Status.OK, nonce + bytes([VERSION])

    def identify(self, _):
        return Status.OK, bytes([2 | self.committed]) + (self.hash if self.committed else b"*" * 16) + INFO.pack()

    def describe(self, payload):
        first, most = struct.unpack("<HH", payload)
        described = (self.hash if self.committed else b"*" * 16) + INFO.pack()
        return Status.OK, described[first : first + most]

    def rate(self, payload):
        return (Status.OK if 4 <= int.from_bytes(payload, "little") <= SLOWEST else Status.RANGE), b""

    def status(self, _):
        return Status.OK, struct.pack("<BHHH", 2 | self.committed, self.dropped % 65536, self.taken, len(self.answered)) + b"****"

    def reset(self, _):
        self.empty()
        return Status.OK, b""

    def write(self, payload):
        self.empty()
        self.committed = False
        number, address = struct.unpack_from("<BH", payload)
        words = payload[3:]
        while words:
            if number >= len(REGIONS) or address >= REGIONS[number].depth:
                return Status.RANGE, b""
            size = REGIONS[number].word_bytes
            if len(words) < size:
                return Status.LENGTH, b""
            word = int.from_bytes(words[:size], "little") & ((1 << REGIONS[number].width) - 1)
            self.memories[number][address] = word
            words, address = words[size:], address + 1
        return Status.OK, b""

    def read(self, payload):
        self.empty()
        number, address, count = struct.unpack("<BHH", payload)
        if number >= len(REGIONS) or address >= REGIONS[number].depth:
            return Status.RANGE, b""
        words = self.memories[number][address : address + count]
        return Status.OK, b"".join(word.to_bytes(REGIONS[number].word_bytes, "little") for word in words)

    def commit(self, content_hash):
        self.empty()
        self.committed, self.hash = True, content_hash
        return Status.OK, b""

    def push(self, payload):
        if not self.committed:
            return Status.NO_MODEL, b""
        if int.from_bytes(payload[:2], "little") != self.taken:
            return Status.POSITION, struct.pack("<H", self.taken)
        room = ANSWERS - (len(self.answered) - self.freed)
        samples = payload[2 : 2 + room]
        self.answered += bytes(255 - byte for byte in samples)
        self.taken += len(samples)
        return Status.OK, struct.pack("<H", self.taken)

    def pull(self, payload):
        position, count = struct.unpack("<HH", payload)
        if not self.freed <= position <= len(self.answered):
            return Status.POSITION, struct.pack("<H", len(self.answered))
        self.freed = position
        return Status.OK, struct.pack("<H", position) + self.answered[position : position + min(count, 503)]


def request(dice, board):
    """A request: mostly sensible, sometimes beyond a region, at a wrong position, cut, unknown or out of turn."""
    kind = dice.choice([*Kind, *[Kind.PUSH] * 8, *[Kind.PULL] * 5, Kind.WRITE, Kind.READ, Kind.COMMIT, Kind.COMMIT, 0x55])
    number = dice.choice([0, 1, 2, 2, 3])
    region = REGIONS[min(number, 2)]
    address = dice.choice([0, 0, 1, region.depth - 1, region.depth, 300])
    position = dice.choice([board.taken] * 4 + [max(0, board.taken - 3), board.taken + 1])
    middle = dice.randint(board.freed, len(board.answered))
    noise = dice.randbytes
    payload = {
        Kind.SYNC: noise(4), Kind.COMMIT: noise(16), Kind.RATE: struct.pack("<H", dice.choice([0, 3, 4, 26, 27, 9999])),
        Kind.DESCRIBE: struct.pack("<HH", dice.choice([0, 3, 90, 300, 65535]), dice.choice([0, 1, 20, 9999])),
        Kind.READ: struct.pack("<BHH", number, address, dice.choice([0, 1, 2, 100])),
        Kind.WRITE: struct.pack("<BH", number, address) + noise(region.word_bytes * dice.randint(0, 3) + (dice.random() < 0.1)),
        Kind.PUSH: struct.pack("<H", position) + noise(dice.choice([0, 1, 7, 40, 100])),
        Kind.PULL: struct.pack("<HH", dice.choice([middle, middle, board.freed, len(board.answered) + 1]), dice.choice([0, 5, 600])),
    }.get(kind, b"")  # fmt: skip
    if dice.random() < 0.07:
        payload = payload[:-1] if payload else b"x"
    sequence = board.expected if dice.random() < 0.93 else dice.randrange(256)
    return kind, sequence, payload


def masked(came: bytes, wanted: bytes) -> bytes:
    """``came`` with a star wherever the text leaves a byte open, as ``wanted`` has it."""
    if wanted[0] & 0x7F not in (Kind.IDENTIFY, Kind.STATUS, Kind.DESCRIBE):
        return came
    return bytes(ord("*") if wanted[place : place + 1] == b"*" else byte for place, byte in enumerate(came))


async def converses(bench, count):
    """Requests one by one, each answer compared byte by byte; where the text leaves a byte open, a ``*`` stands."""
    board, dut, seen = Reference(), bench.dut, set()
    # What a memory holds at first is nobody's to say.
    writes = [struct.pack("<BH", i, 0) + bench.dice.randbytes(region.depth * region.word_bytes) for i, region in enumerate(REGIONS)]
    first = [(Kind.WRITE, number, payload) for number, payload in enumerate(writes)]
    dut.valid.value = 0
    line = bench.sink("bytes", BYTES)
    at = 0
    for number in range(count):
        kind, sequence, payload = first[number] if number < len(first) else request(bench.dice, board)
        status, reply = board.answer(kind, sequence, payload)
        seen.add((kind, status))
        body = bytes([kind, sequence]) + payload
        for byte in cobs.encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0":
            dut.byte.value, dut.valid.value = byte, 1
            await bench.cycle()
            dut.valid.value = 0
            await bench.cycle(15)
        for _ in range(30_000):
            if 0 in line.came[at:]:
                break
            await bench.cycle()
        stuffed = bytes(line.came[at : line.came.index(0, at)]) if 0 in line.came[at:] else b""
        at += len(stuffed) + 1
        content = cobs.decode(stuffed)
        wanted = bytes([kind | 0x80, sequence, status]) + reply
        came = masked(content[:-4], wanted)
        if zlib.crc32(content[:-4]).to_bytes(4, "little") != content[-4:]:
            raise Mismatch(f"request {number}: the answer's CRC is wrong")
        if came != wanted:
            raise Mismatch(f"request {number} ({kind:#04x}, {sequence}, {payload.hex()}): {wanted.hex()} expected, {came.hex()} came")
    return seen


def harmed(dice, wire: bytes, board) -> bytes:
    """Whatever may come down a line in place of a request."""
    other = bytearray(wire[:-1])
    match dice.choice(["flip", "lose", "double", "cut", "joined", "noise", "noise", "forged", "long", "delimiters"]):
        case "flip":
            for _ in range(dice.choice([1, 1, 3])):
                other[dice.randrange(len(other))] ^= 1 << dice.randrange(8)
        case "lose":
            del other[dice.randrange(len(other))]
        case "double":
            place = dice.randrange(len(other))
            other.insert(place, other[place])
        case "cut":
            del other[dice.randrange(len(other)) :]
        case "joined":
            other += framed(*request(dice, board))[dice.randrange(6) : -1]
        case "noise":
            other = bytearray(dice.randbytes(dice.choice([1, 5, 40, 700])))
        case "forged":  # whole, but no command has it so
            other = bytearray(framed(dice.choice([dice.randrange(256), *Kind]), board.expected, dice.randbytes(dice.choice([0, 1, 4, 300, 506])))[:-1])
        case "long":
            other = bytearray(framed(Kind.WRITE, board.expected, dice.randbytes(dice.choice([507, 508, 700])))[:-1])
        case "delimiters":
            other = bytearray(dice.choice([1, 7])) + other
    return bytes(other) + b"\0"


def framed(kind, sequence, payload) -> bytes:
    body = bytes([kind, sequence]) + payload
    return cobs.encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"


def answers_to(board, wire: bytes) -> list[bytes]:
    """What ``board`` says to each whole frame in ``wire``; the others it counts."""
    said = []
    for stuffed in wire.split(b"\0")[:-1]:
        if not stuffed:
            continue
        try:
            content = cobs.decode(stuffed)
        except cobs.DecodeError:
            content = b""
        if 6 <= len(content) <= FRAME_BYTES and zlib.crc32(content[:-4]) == int.from_bytes(content[-4:], "little"):
            kind, sequence = content[:2]
            status, reply = board.answer(kind, sequence, content[2:-4])
            said.append(bytes([kind | 0x80, sequence, status]) + reply)
        else:
            board.dropped += 1
    return said


def fuzzed(count: int, seed: int):
    """``count`` requests, harmed or not, each with what is to be answered; then every memory read, and a good request."""
    dice, board = random.Random(seed), Reference()
    # What memories hold at first, and the hash, is nobody's to say.
    first = [framed(Kind.SYNC, 0, b"abcd")]
    board.expected = 1
    for number, region in enumerate(REGIONS):
        first.append(framed(Kind.WRITE, 1 + number, struct.pack("<BH", number, 0) + bytes(region.depth * region.word_bytes)))
    first.append(framed(Kind.COMMIT, 1 + len(REGIONS), bytes(16)))
    records = [(wire, answers_to(board, wire)) for wire in first]
    for _ in range(count):
        wire = framed(*request(dice, board))
        if dice.random() < 0.6:
            wire = harmed(dice, wire, board)
        records.append((wire, answers_to(board, wire)))
    last = [framed(Kind.SYNC, 9, b"last")]
    last += [framed(Kind.READ, 10 + n, struct.pack("<BHH", n, 0, region.depth)) for n, region in enumerate(REGIONS)]
    last.append(framed(Kind.STATUS, 10 + len(REGIONS), b""))
    return records + [(wire, answers_to(board, wire)) for wire in last], board


def fuzz(count: int, seed: int) -> str:
    """Raises where an answer differs from the protocol's text, none comes, or a memory is written where it has no words."""
    records, board = fuzzed(count, seed)
    outcome = ByteLine(Core()).run((wire, len(said)) for wire, said in records)
    came = iter(outcome.wire.split(b"\0"))
    answers = 0
    for number, (wire, said) in enumerate(records):
        for wanted in said:
            content = cobs.decode(next(came))
            assert zlib.crc32(content[:-4]).to_bytes(4, "little") == content[-4:], f"record {number}: the answer's CRC is wrong"
            body = masked(content[:-4], wanted)
            assert body == wanted, f"record {number}, {wire.hex()}: {wanted.hex()} expected, {body.hex()} came"
            answers += 1
    assert list(came) == [b""], "something came that answers nothing"
    assert not outcome.stray, "a memory was written where it has no words"
    return f"gateware: {len(records):,} records, {answers:,} answered, {board.dropped:,} dropped, {outcome.cycles:,} cycles"


def test_whatever_comes_down_the_line_is_answered_by_the_text_or_not_at_all():
    fuzz(1500, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_hundred_thousand_frames_harmed_or_not(seed, counted):
    """NPDE_EXAMPLES of them in all."""
    counted(fuzz(int(os.environ.get("NPDE_EXAMPLES", "100000")) // 4, seed + 10))


def test_every_command_answers_as_the_protocol_says():
    seen = set().union(*simulate(Core(), converses, cases=[Case(seed, pace) for seed, pace in ((1, "all-out"), (2, "random"), (3, "all-out"))], count=100))
    assert {kind for kind, status in seen if status == Status.OK} == set(Kind) - LOADING
    assert {status for _, status in seen} == set(Status) - {Status.REFUSED}
    assert {(kind, Status.UNKNOWN) for kind in LOADING} <= seen, "a bitstream takes no program"
    assert {(Kind.PUSH, Status.POSITION), (Kind.PULL, Status.POSITION), (Kind.PUSH, Status.NO_MODEL)} <= seen
