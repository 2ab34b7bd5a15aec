"""The host's parser against whatever may come down a line: each string is a frame to it where it is one to another implementation."""

from __future__ import annotations

import dataclasses
import os
import random
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npde.errors import LinkError
from npde.link.frame import KEPT, Frame, Splitter, encode
from npde.link.protocol import FRAME_BYTES, OVERHEAD_BYTES, REPLY, Info, Kind, Region, Status
from npde.link.window import SEQUENCES, Request, Window

STRINGS = 250
"""Byte strings of each stream."""
MILLION = int(os.environ.get("NPDE_STRINGS", "1000000")) // STRINGS
FEW = settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=MILLION)
seeds = st.integers(0, 2**64 - 1)
payloads = st.lists(st.one_of(st.binary(max_size=30), st.binary(min_size=250, max_size=258), st.binary(min_size=500, max_size=506)), min_size=1, max_size=4)


def harmed(dice: random.Random, frame: bytes) -> bytes:
    """A frame without its delimiter, or what may have become of it."""
    other = bytearray(frame)
    place = dice.randrange(len(other))
    match dice.randrange(9):
        case 0:
            other[place] ^= 1 << dice.randrange(8)
        case 1:
            del other[place : place + dice.choice([1, 3])]
        case 2:
            other.insert(place, dice.randrange(256))
        case 3:
            del other[place:]
        case 4:
            other[place : place + 32] = dice.randbytes(32)
        case 5:
            other = bytearray(dice.randbytes(dice.choice([0, 1, 6, 7, 60, 513, 520, 3000])))
        case 6:
            other = bytearray([dice.choice([1, 2, 255])]) * dice.choice([1, 7, 300])
    return bytes(other)


def stream(dice: random.Random, frames: list[bytes]) -> list[bytes]:
    """Strings that follow each other, a delimiter behind each of them, a few of those lost."""
    return [harmed(dice, dice.choice(frames)) + b"\0" * (dice.random() < 0.95) for _ in range(STRINGS)]


def is_frame(unstuff, stuffed: bytes) -> bytes | None:
    content = unstuff(stuffed)
    whole = content is not None and OVERHEAD_BYTES <= len(content) <= FRAME_BYTES and zlib.crc32(content[:-4]) == int.from_bytes(content[-4:], "little")
    return content[:-4] if whole else None


def splits(unstuff, seed: int, contents: list[bytes]) -> tuple[int, int]:
    """Compare; the strings that were sent, and the frames among them."""
    dice = random.Random(seed)
    strings = stream(dice, [encode(Frame(dice.randrange(256), dice.randrange(256), payload))[:-1] for payload in contents])
    wire, at, splitter, got = b"".join(strings), 0, Splitter(), []
    while at < len(wire):
        length = dice.choice([1, 7, 64, 4096])
        splitter.take(wire[at : at + length])
        at += length
        while (frame := splitter.next()) is not None:
            got.append(bytes([frame.kind, frame.sequence]) + frame.payload)
        assert len(splitter._received) <= KEPT
    pieces = wire.split(b"\0")[:-1]
    wanted = [content for stuffed in pieces if (content := is_frame(unstuff, stuffed[-KEPT:])) is not None]
    assert got == wanted
    # Of a piece longer than is kept nothing may be left to count.
    assert sum(map(bool, pieces)) - len(wanted) - splitter.harmed <= sum(len(piece) > KEPT for piece in pieces)
    return len(strings), len(wanted)


@FEW
@given(seeds, payloads)
def test_what_is_a_frame_is_one_and_nothing_else(stuffing, seed, contents):
    splits(stuffing[1], seed, contents)


@pytest.mark.slow
def test_a_million_strings(stuffing, counted):
    """NPDE_STRINGS of them."""
    sent = frames = 0

    @MANY
    @given(seeds, payloads)
    def run(seed, contents):
        nonlocal sent, frames
        strings, whole = splits(stuffing[1], seed, contents)
        sent, frames = sent + strings, frames + whole

    run()
    counted(f"host's parser: {sent:,} byte strings, {frames:,} frames among them, each told from the others")
    assert 0 < frames < sent


answers = st.builds(
    Frame, st.one_of(st.sampled_from([kind | REPLY for kind in Kind]), st.integers(0, 255)), st.integers(0, 255),
    st.one_of(st.builds(lambda status, rest: bytes([status]) + rest, st.sampled_from(list(Status)), st.binary(max_size=4)), st.binary(max_size=20)),
)  # fmt: skip


@settings(FEW, max_examples=300)
@given(st.lists(st.sampled_from([Kind.PUSH, Kind.PULL, Kind.WRITE, Kind.STATUS]), min_size=1, max_size=12), st.integers(0, 255), st.lists(answers, max_size=30), st.booleans())
def test_whatever_a_board_says_the_window_keeps_its_numbers_in_a_row_or_complains(kinds, first, frames, probing):
    window = Window()
    window.sequence = first
    for kind in kinds:
        window.take(Request(kind, b"payload"))
    for frame in frames:
        if probing:
            window.probe()
        before = list(window.flight)
        try:
            again = window.heard(frame)
        except LinkError as error:
            assert "\n" not in str(error)  # noqa: PT017
            return
        numbers = [request.sequence for request in window.flight]
        assert numbers == [(window.sequence - len(numbers) + place) % SEQUENCES for place in range(len(numbers))]
        assert all(request.status is not None for request in before if request not in window.flight)
        assert again is None or all(request in window.flight for request in again)


EXAMPLE = Info("fake", b"01234567", bytes(16), 12_000_000, 3_000_000, 512, 1024, 64, 16, 7, (Region(0, 0, 1, 2, 9, 12),) * 3).pack()


@settings(FEW, max_examples=300)
@given(st.one_of(st.binary(max_size=200), st.tuples(st.integers(0, len(EXAMPLE) - 1), st.binary(min_size=1, max_size=4)).map(
    lambda change: EXAMPLE[: change[0]] + change[1] + EXAMPLE[change[0] + len(change[1]) :])))
def test_an_info_block_is_refused_or_is_what_it_says(block):
    try:
        info = Info.unpack(block)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert dataclasses.replace(info, board="").pack()[21:] == block[21:], "all but the name, of which what is no ASCII is told otherwise"
