"""What a board says of itself: packed and read back, and refused when it is not that."""

from __future__ import annotations

import dataclasses
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npde.link.protocol import (
    COMMANDS,
    INFO,
    INFO_FIELDS,
    REGION,
    REGION_FIELDS,
    VERSION,
    Info,
    Kind,
    Region,
    Status,
    value_bytes,
)

byte, short, word = st.integers(0, 255), st.integers(0, 65535), st.integers(0, 2**32 - 1)
regions = st.builds(Region, byte, byte, short, short, short, short)
infos = st.builds(
    Info, st.from_regex(r"[a-z0-9-]{0,16}", fullmatch=True), st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16),
    word, word, short, short, short, word, word, st.lists(regions, max_size=255).map(tuple),
)  # fmt: skip


@given(infos)
def test_an_info_block_is_read_back_as_it_was_packed(info):
    block = info.pack()
    assert len(block) == INFO.size + REGION.size * len(info.regions)
    assert Info.unpack(block) == info


EXAMPLE = Info("fake", b"01234567", bytes(16), 12_000_000, 3_000_000, 512, 1024, 64, 16, 7, (Region(0, 0, 1, 2, 9, 12),))


@given(st.integers(0, len(EXAMPLE.pack()) - 1))
def test_a_block_cut_short_is_refused(length):
    with pytest.raises(ValueError, match="an INFO block"):
        Info.unpack(EXAMPLE.pack()[:length])


@pytest.mark.parametrize(("block", "says"), [
    (EXAMPLE.pack() + b"\0", "with 1 regions has .* bytes, not"),
    (b"XPDE" + EXAMPLE.pack()[4:], "begins with b'NPDE', not b'XPDE'"),
    (b"NPDE\x02" + EXAMPLE.pack()[5:], "the board speaks protocol version 2, this host version 1"),
    (bytes(200), "begins with b'NPDE'"),
])  # fmt: skip
def test_a_wrong_block_is_refused(block, says):
    with pytest.raises(ValueError, match=says):
        Info.unpack(block)


def test_a_name_that_is_no_ascii_does_no_harm():
    block = bytearray(EXAMPLE.pack())
    block[5:9] = b"\xff\xfe\x80\x81"
    assert len(Info.unpack(bytes(block)).board) == 4


def test_a_board_name_too_long_for_its_field_is_not_cut_silently():
    with pytest.raises(ValueError, match="a board's name has at most 16 bytes, not 17"):
        dataclasses.replace(EXAMPLE, board="a" * 17).pack()


def test_the_table_has_every_command_once_and_its_formats_are_formats():
    assert set(COMMANDS) == set(Kind)
    for command in COMMANDS.values():
        for text in (command.request, command.reply):
            assert struct.calcsize(text.rstrip("+")) + 6 + 3 <= 512
            assert text.startswith("<")
    assert VERSION == 1
    assert Status.OK == 0
    assert INFO.size == sum(struct.calcsize("<" + code) for _, code, _ in INFO_FIELDS)
    assert REGION.size == sum(struct.calcsize("<" + code) for _, code, _ in REGION_FIELDS)


@given(st.integers(1, 64))
def test_a_value_travels_in_as_few_whole_bytes_as_hold_it(width):
    assert 8 * (value_bytes(width) - 1) < width <= 8 * value_bytes(width)


def test_a_memory_s_word_travels_in_whole_bytes():
    assert [Region(0, 0, 1, 1, 1, width).word_bytes for width in (1, 8, 9, 512)] == [1, 1, 2, 64]
