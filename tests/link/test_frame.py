"""Frames: what is sent is read, and nothing else is."""

from __future__ import annotations

import os
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npde.link.frame import Frame, decode, encode
from npde.link.protocol import FRAME_BYTES, OVERHEAD_BYTES

LONGEST = FRAME_BYTES - OVERHEAD_BYTES
bytes_ = st.integers(0, 255)
payloads = st.one_of(st.binary(max_size=40), st.binary(min_size=250, max_size=258), st.binary(min_size=LONGEST - 2, max_size=LONGEST))
frames = st.builds(Frame, bytes_, bytes_, payloads)


@given(frames)
def test_a_frame_survives_the_wire_and_ends_in_its_only_zero(frame):
    wire = encode(frame)
    assert wire.index(0) == len(wire) - 1
    assert decode(wire[:-1]) == frame


@given(frame=frames)
def test_the_bytes_on_the_wire_are_those_of_another_implementation(stuffing, frame):
    stuff, unstuff = stuffing
    body = bytes([frame.kind, frame.sequence]) + frame.payload
    whole = body + zlib.crc32(body).to_bytes(4, "little")
    wire = encode(frame)[:-1]
    # Behind a last block of 254 bytes an empty one may follow: both are COBS.
    assert stuff(whole) in (wire, wire + b"\x01")
    assert unstuff(wire) == whole


@given(frames, st.data())
def test_any_flipped_bit_is_rejected(frame, data):
    wire = bytearray(encode(frame)[:-1])
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    # A flip may make a delimiter: then the receiver sees two pieces.
    assert all(decode(piece) is None for piece in bytes(wire).split(b"\0"))


@given(frames, st.data())
def test_anything_cut_off_or_added_is_rejected(frame, data):
    wire = encode(frame)[:-1]
    first = data.draw(st.integers(0, len(wire)))
    last = data.draw(st.integers(first, len(wire)))
    if wire[first:last] != wire:
        assert decode(wire[first:last]) is None
    assert decode(wire + data.draw(st.binary(min_size=1, max_size=5))) is None
    assert decode(data.draw(st.binary(min_size=1, max_size=5)) + wire) is None


@given(frames, frames)
def test_two_frames_run_together_are_rejected(first, second):
    assert decode(encode(first)[:-1] + encode(second)[:-1]) is None
    assert decode(encode(first) + encode(second)[:-1]) is None


@given(st.binary(max_size=FRAME_BYTES + 20))
def test_garbage_is_rejected(garbage):
    assert decode(garbage) is None


def test_the_longest_frame_passes_and_one_byte_more_does_not(stuffing):
    longest = Frame(255, 255, b"\xff" * LONGEST)
    assert decode(encode(longest)[:-1]) == longest
    with pytest.raises(ValueError, match="a frame has at most 512 bytes, not 513"):
        encode(Frame(0, 0, bytes(LONGEST + 1)))
    body = bytes(FRAME_BYTES - 3)
    too_long = body + zlib.crc32(body).to_bytes(4, "little")
    assert decode(stuffing[0](too_long)) is None
    assert decode(stuffing[0](b"\x01" + zlib.crc32(b"\x01").to_bytes(4, "little"))) is None


@pytest.mark.slow
@settings(max_examples=int(os.environ.get("NPDE_EXAMPLES", "100000")), deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.binary(max_size=FRAME_BYTES + 40), st.builds(lambda f, g, n: encode(f)[:n] + encode(g)[n:-1], frames, frames, st.integers(0, 600))))
def test_whatever_arrives_is_no_frame_or_the_very_one_that_was_sent(stuffed):
    """NPDE_EXAMPLES of them: noise, and two frames run into each other. What is taken says the same when it is sent again."""
    frame = decode(stuffed)
    if frame is not None:
        assert encode(frame)[:-1] == stuffed
