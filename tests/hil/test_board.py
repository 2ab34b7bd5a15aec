"""What any board must do, whether it is simulated or lies on the desk: ``pytest tests/hil --npde-board=/dev/ttyUSB1``."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from npde import golden
from npde.data import load_data
from npde.errors import LinkError
from npde.firmware.boards import BOARDS as FIRMWARE_BOARDS
from npde.link.frame import Frame, encode
from npde.link.protocol import Kind, Status
from npde.models import NAMES, load_model
from npde_hdl import board as boards

pytestmark = pytest.mark.hil


@pytest.fixture
def samples(model, npde_options):
    """Test samples of a data set of the model's shape, else random ones over the input's whole range."""
    grid = model.program.input
    digits = load_data("digits")
    if digits.sample_shape == grid.shape:
        return digits.test_x[: npde_options["count"]]
    integers = np.random.default_rng(0).integers(grid.q.low, grid.q.high + 1, size=(npde_options["count"], *grid.shape))
    return (grid.q.real(integers) - model.preprocess.offset) / model.preprocess.scale


def test_it_says_what_it_is(board, model, npde_options):
    info = board.info
    assert info.board in {*boards.BOARDS, *FIRMWARE_BOARDS}
    assert info.shape == model.program.shape_hash
    assert info.baud == npde_options["baud"]
    assert info.sample == model.program.input.size * -(-model.program.input.q.width // 8)


def test_it_answers_as_golden_does_bit_for_bit(board, model, samples):
    board.load(model)
    assert board.held == model.content_hash
    answer = board.infer(samples)
    wanted = golden.run(model, model.quantise_input(samples))
    assert np.argwhere(answer.output != wanted.output).tolist() == []
    assert answer.label is None or np.array_equal(answer.label, wanted.label)


def test_it_answers_the_same_again_after_a_reset(board, model, samples):
    board.load(model)
    first = board.infer(samples[:3])
    board.reset()
    assert board.status().taken == 0
    assert np.array_equal(board.infer(samples[:3]).output, first.output)


def test_it_counts_the_cycles_of_a_frame(board, model, samples):
    board.load(model)
    board.infer(samples[:1])
    # The executor takes a byte a cycle at the most, from the first of the sample to the last of the answer.
    assert board.info.sample + board.info.answer <= board.status().cycles < 1 << 31


def test_garbage_of_every_kind_is_dropped_counted_and_forgotten(board, model):
    session = board.session
    before = board.status().dropped
    good = bytearray(encode(Frame(Kind.STATUS, session._window.sequence, b"")))
    flipped = bytes([good[0], good[1] ^ 4]) + bytes(good[2:])
    garbage = [flipped, bytes(good[:3]) + b"\0", b"\x09ab\0", b"\xff" * 1500 + b"\0", bytes(range(1, 256)) + b"\0"]
    for wire in garbage:
        session._pipe.write(wire)
    assert board.status().dropped == (before + len(garbage)) % 65536
    board.load(model)
    assert board.held == model.content_hash


def test_what_must_not_be_done_is_refused_by_name(board, model):
    board.load(model)
    regions = board.info.regions
    assert board.session.request(Kind.WRITE, struct.pack("<BH", len(regions), 0) + b"\0" * 8)[0] == Status.RANGE
    assert board.session.request(Kind.WRITE, struct.pack("<BH", 0, regions[0].depth) + b"\0" * regions[0].word_bytes)[0] == Status.RANGE
    assert board.session.request(Kind.PUSH, struct.pack("<H", 77) + b"\0")[0] in (Status.NO_MODEL, Status.POSITION)
    board.load(model)
    assert board.held == model.content_hash


def test_a_half_written_model_is_no_model(board, model, samples):
    board.load(model)
    word = bytes(board.info.regions[0].word_bytes)
    board.session.ask(Kind.WRITE, struct.pack("<BH", 0, 0) + word)
    assert board.held is None
    with pytest.raises(LinkError, match="NO_MODEL"):
        board.infer(samples[:1])
    board.load(model)
    assert board.held == model.content_hash


def test_a_model_of_another_program_is_refused(board, npde_options):
    other = next(load_model(name) for name in NAMES if name != npde_options["model"])
    with pytest.raises(LinkError, match="does not fit the bitstream"):
        board.load(other)
