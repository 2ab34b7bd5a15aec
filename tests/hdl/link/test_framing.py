"""Frames in and out against zlib and the cobs package: whole ones pass, anything else leaves no trace but a count."""

from __future__ import annotations

import zlib

import pytest
from cobs import cobs

from npde.link.protocol import FRAME_BYTES
from npde_hdl.link.deframe import Deframer
from npde_hdl.link.enframe import Enframer
from npde_sim.bench import Case, Expectation, simulate
from npde_sim.bench.lanes import BYTES
from npde_sim.bench.scoreboard import Mismatch, compare

RING = 1024


def framed(body: bytes) -> bytes:
    return cobs.encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"


def body(dice, most=FRAME_BYTES - 4) -> bytes:
    """Any length, often full of zeros or without one, so that every kind of COBS block occurs."""
    length = dice.choice([2, 3, dice.randint(2, 40), dice.randint(2, most), most, 253, 254, 255])
    kind = dice.random()
    if kind < 0.2:
        return bytes(length)
    return bytes(dice.randrange(1 if kind < 0.5 else 0, 256) for _ in range(length))


def harmed(dice, wire: bytes) -> bytes:
    """A frame with one byte flipped, lost or doubled, or cut short; its delimiter stays."""
    inner = bytearray(wire[:-1])
    at = dice.randrange(len(inner))
    match dice.choice(["flip", "lose", "double", "cut"]):
        case "flip":
            inner[at] ^= dice.randrange(1, 256)
        case "lose":
            del inner[at]
        case "double":
            inner.insert(at, inner[at])
        case "cut":
            del inner[max(1, at) :]
    return bytes(inner) + b"\0"


def verdicts(wire: bytes) -> tuple[list[bytes], int]:
    """The whole frames in a run of bytes, and how many others that are not empty."""
    good, bad = [], 0
    for stuffed in wire.split(b"\0")[:-1]:
        if not stuffed:
            continue
        try:
            content = cobs.decode(stuffed)
        except cobs.DecodeError:
            content = b""
        whole = 6 <= len(content) <= FRAME_BYTES and zlib.crc32(content[:-4]) == int.from_bytes(content[-4:], "little")
        good, bad = ([*good, content[:-4]], bad) if whole else (good, bad + 1)
    return good, bad


async def deframes(bench, frames):
    """A reader that takes each frame as it appears, while the line goes on."""
    dut, dice = bench.dut, bench.dice
    dut.valid.value = dut.error.value = dut.read.value = 0
    wire = b""
    for _ in range(frames):
        kind = dice.random()
        wire += framed(body(dice)) if kind < 0.5 else harmed(dice, framed(body(dice)))
        if kind > 0.9:
            wire += bytes(dice.randrange(256) for _ in range(dice.choice([3, 30, 700]))) + b"\0"
        wire += bytes(dice.choice([0, 0, 1, 3]))
    good, bad = verdicts(wire)
    got = []
    bench.start(reader(bench, got))
    for byte in wire:
        dut.byte.value, dut.valid.value = byte, 1
        await bench.cycle()
        dut.byte.value, dut.valid.value = dice.randrange(256), 0
        await bench.cycle(15 + (0 if dice.random() < 0.9 else dice.randrange(40)))
    await bench.cycle(3000)
    for number, (expected, came) in enumerate(zip(good, got, strict=False)):
        compare(f"frame {number}", list(expected), list(came), ["byte"])
    if len(got) != len(good):
        raise Mismatch(f"whole frames: {len(good)} expected, {len(got)} came")
    if int(dut.dropped.value) != bad:
        raise Mismatch(f"frames dropped: {bad} expected, {int(dut.dropped.value)} counted")
    return len(good), bad


async def reader(bench, got):
    """Two bytes of length, then the frame; each byte is given back to the ring once read."""
    dut, at = bench.dut, 0

    async def byte():
        nonlocal at
        dut.read.value = at
        await bench.cycle(2 if bench.dice.random() < 0.8 else 5)
        value = int(dut.data.value)
        at = (at + 1) % RING
        return value

    while True:
        await bench.cycle()
        dut.read.value = at
        if int(dut.limit.value) != at:
            length = await byte() | await byte() << 8
            got.append(bytes([await byte() for _ in range(length)]))


def test_whole_frames_come_through_and_nothing_else_does():
    for good, bad in simulate(Deframer(RING), deframes, cases=[Case(1), Case(2)], frames=14):
        assert good >= 3
        assert bad >= 3


async def overflows(bench):
    """Nobody reads: what does not fit is dropped whole, and what was held is whole when it is read at last."""
    dut = bench.dut
    dut.valid.value = dut.error.value = dut.read.value = 0
    bodies = [bytes(bench.dice.randrange(256) for _ in range(300)) for _ in range(5)]
    for byte in b"".join(map(framed, bodies)):
        dut.byte.value, dut.valid.value = byte, 1
        await bench.cycle()
        dut.valid.value = 0
        await bench.cycle(15)
    got = []
    bench.start(reader(bench, got))
    await bench.cycle(6000)
    compare("held frames", list(b"".join(bodies[:3])), list(b"".join(got)), ["byte"])
    compare("dropped", [2], [int(dut.dropped.value)])


def test_a_full_ring_drops_whole_frames():
    simulate(Deframer(RING), overflows, cases=[Case(1)])


async def errors(bench):
    """A byte the line lost spoils the frame around it, and no other."""
    dut = bench.dut
    dut.valid.value = dut.error.value = dut.read.value = 0
    got = []
    bench.start(reader(bench, got))
    bodies = [b"before", b"during", b"behind"]
    for number, content in enumerate(bodies):
        wire = framed(content)
        for place, byte in enumerate(wire):
            lost = number == 1 and place == 3
            dut.byte.value, dut.valid.value, dut.error.value = byte, int(not lost), int(lost)
            await bench.cycle()
            dut.valid.value = dut.error.value = 0
            await bench.cycle(15)
    await bench.cycle(200)
    compare("frames", list(b"beforebehind"), list(b"".join(got)), ["byte"])
    compare("dropped", [1], [int(dut.dropped.value)])


def test_a_framing_error_spoils_its_frame_alone():
    simulate(Deframer(RING), errors, cases=[Case(1)])


async def enframes(bench, frames):
    """Bodies in, the cobs package's bytes out, the transmitter as slow as it likes."""
    bodies = [body(bench.dice) for _ in range(frames)]
    items = [byte for content in bodies for byte in (*content, 0x100 | bench.dice.randrange(256))]
    bench.feed("items", items)
    wire = b"".join(map(framed, bodies))
    bench.sink("bytes", BYTES, Expectation("line", list(wire), ["byte"]))
    await bench.settle(patience=9000)


def test_frames_are_stuffed_and_checked_as_the_cobs_package_and_zlib_do():
    simulate(Enframer(), enframes, cases=[Case(1, "all-out"), Case(2), Case(3, "bursts")], frames=10)


def test_a_ring_that_holds_no_frame_is_refused():
    for ring in (256, 1000):
        with pytest.raises(ValueError, match=f"a ring is a power of two of more than 512 bytes, not {ring}"):
            Deframer(ring)
