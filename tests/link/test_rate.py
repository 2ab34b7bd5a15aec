"""A faster line is asked for, proven and left again; one that is broken there costs nothing but time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from npde import golden
from npde.errors import LinkError
from npde.link.board import BAUD, Board
from npde.link.fault import Faults, FaultyPipe
from npde.link.protocol import Info
from npde.link.rate import candidates
from npde.link.record import Recorder
from npde.link.session import FALL_BACK, FALL_BACK_MISSES, SILENCE, WAY_BACK, Session

RAW = np.random.default_rng(6).integers(-128, 128, (120, 4, 4))
RATE = 12
CLOCK = 48_000_000


@pytest.fixture
def line(memory_board, small):
    """A board of 48 MHz that takes RATE, at the end of a line that bears anything."""
    plain = memory_board(small).board.info
    return memory_board(small, info=dataclasses.replace(plain, clock=CLOCK), rates=True)


def right(board: Board, model) -> bool:
    return np.array_equal(board.infer(RAW).output, golden.run(model, model.quantise_input(RAW)).output)


def asked_for(line) -> int:
    return sum(kind == RATE for kind, _ in line.board.requests)


@pytest.mark.parametrize(("clock", "baud", "rates"), [
    (24_000_000, 3_000_000, [6_000_000, 4_000_000]),
    (48_000_000, 3_000_000, [12_000_000, 8_000_000, 6_000_000, 4_000_000]),
    (80_000_000, 3_000_000, [8_000_000, 5_000_000, 4_000_000]),
    (24_000_000, 1_000_000, [6_000_000, 4_000_000, 3_000_000, 2_000_000]),
    (12_000_000, 3_000_000, []),
])  # fmt: skip
def test_only_rates_that_the_clock_makes_are_tried(clock, baud, rates):
    assert candidates(Info("x", bytes(8), bytes(16), clock, baud, 512, 1024, 64, 1, 1, ())) == rates


def test_the_fastest_rate_is_used_and_left_again(line, small):
    with Board.open("a line", pipe=line) as board:
        assert (board.session.baud, line.baud, line.board.bit) == (12_000_000, 12_000_000, 4)
        board.load(small)
        assert right(board, small)
    assert line.board.bit == line.board.first, "the next host finds it at its first rate"


@pytest.mark.parametrize(("bears", "reached"), [(5_000_000, 4_000_000), (3_000_000, BAUD)])
def test_rates_at_which_the_line_is_broken_are_given_up_and_nothing_is_lost(line, small, bears, reached, tmp_path):
    line.bears = bears
    with Recorder(tmp_path / "x") as recorder, Board.open("a line", pipe=line, record=recorder) as board:
        assert board.session.baud == reached
        board.load(small)
        assert right(board, small)
    assert asked_for(line) >= 3
    assert "RATE" not in (tmp_path / "x").read_text(), "a recording is replayed at any rate"


def test_a_line_that_only_harms_long_frames_there_is_found_out(line, small):
    line.board.deliver = lambda number, wire: [wire] if line.baud < 8_000_000 or len(wire) < 60 else [wire[:40] + b"?" + wire[41:]]
    with Board.open("a line", pipe=line) as board:
        assert board.session.baud == 6_000_000
        board.load(small)
        assert right(board, small)


def test_a_line_that_breaks_at_a_fast_rate_in_the_middle_falls_back_on_both_sides(line, small):
    with Board.open("a line", pipe=line) as board:
        board.load(small)
        since = len(line.board.requests)
        take = line.board._take

        def breaks(stuffed):
            if len(line.board.requests) > since + 9:
                line.bears = BAUD
            return take(stuffed)

        line.board._take = breaks
        assert right(board, small)
        assert (line.bears, board.session.baud, line.board.bit) == (BAUD, BAUD, line.board.first)
        assert board.held == small.content_hash


def test_a_host_that_left_the_board_at_another_rate_does_not_keep_the_next_one_out(line, small):
    first = Board.open("a line", pipe=line)
    assert line.board.bit == 4
    del first
    line.rate(BAUD)
    with Board.open("a line", baud=BAUD, pipe=line) as board:
        board.load(small)
        assert (board.session.baud, line.board.bit) == (BAUD, line.board.first)
        assert right(board, small)


def test_a_rate_that_the_port_cannot_make_is_not_asked_for(line):
    line.port_bears = 7_000_000
    with Board.open("a line", pipe=line) as board:
        assert board.session.baud == 6_000_000
        assert asked_for(line) == 1


@pytest.mark.parametrize("how", ["the board's rate is fixed", "a rate is named"])
def test_no_rate_is_asked_for_where(memory_board, small, line, how):
    line = memory_board(small) if how == "the board's rate is fixed" else line
    with Board.open("a line", pipe=line, baud=BAUD if how == "a rate is named" else None) as board:
        board.load(small)
        assert right(board, small)
    assert asked_for(line) == 0


def test_a_dead_board_is_told_of_at_a_fast_rate_too(line, small):
    board = Board.open("a line", pipe=line)
    line.board.deliver = lambda number, wire: []
    began, most = line.now(), FALL_BACK_MISSES + FALL_BACK + WAY_BACK * SILENCE + 3
    with pytest.raises(LinkError, match="nothing answers on a line"):
        board.reset()
    assert line.now() - began < most
    board.close()
    assert line.now() - began < most, "a board that does not answer is not waited for once more"


@pytest.mark.parametrize("rate", ["1e-3", "1e-2"])
def test_a_bad_line_is_opened_and_used_all_the_same(line, small, rate):
    pipe = FaultyPipe(line, Faults(flip=float(rate)), 7, sleep=line.sleep)
    with Board.open("a bad line", pipe=pipe) as board:
        board.session.patience = 0.1
        assert board.info == line.board.info
        board.load(small)
        assert np.array_equal(board.infer(RAW[:8]).output, golden.run(small, small.quantise_input(RAW[:8])).output)
        assert board.held == small.content_hash


def test_a_board_of_before_there_was_describe_is_identified_in_one_piece(line, small):
    lost = iter(range(5))
    line.board.lie = lambda kind, status, body: (2, b"") if kind == 13 else (status, body)
    line.board.deliver = lambda number, wire: [] if number and next(lost, None) is not None else [wire]
    with Board.open("a line", pipe=line) as board:
        assert board.info == line.board.info


def test_how_long_an_answer_may_take_on_the_wire_is_known_of_every_command(line):
    """512 bytes at 9600 baud take half a second; an answer of known length takes less."""
    session = Session("a line", BAUD, pipe=line)
    session.baud = 9600
    waits = {}
    for kind, payload in ((1, b"abcd"), (2, b""), (3, b"")):
        session.submit(kind, payload)
        waits[kind] = session._travelling()
        session.collect()
    assert waits[2] == pytest.approx((8 + 512) * 10 / 9600)
    assert waits[1] == pytest.approx((12 + 14) * 10 / 9600)
    assert waits[3] == pytest.approx((8 + 20) * 10 / 9600)
