"""The host against a board on a bad line, and against a bad board: golden's answer or one sentence, never another."""

from __future__ import annotations

import dataclasses
import os
import random
import tty

import msgspec
import numpy as np
import pytest

from npde import golden
from npde.errors import LinkError
from npde.link.board import Board
from npde.link.protocol import Info, Kind, Region, Status
from npde.link.session import Session

PATIENCE = 0.15
SYNC, IDENTIFY, STATUS, RESET, READ, WRITE, COMMIT, PUSH, PULL = range(1, 10)


def samples(count: int = 12) -> np.ndarray:
    return np.random.default_rng(3).integers(-128, 128, (count, 4, 4))


def opened(fake) -> Board:
    board = Board.open(fake.port)
    board.session.patience = PATIENCE
    return board


def exact(board: Board, model, count: int = 12) -> bool:
    answer, wanted = board.infer(samples(count)), golden.run(model, model.quantise_input(samples(count)))
    return np.array_equal(answer.output, wanted.output) and np.array_equal(answer.label, wanted.label)


def sentence(caught) -> str:
    text = str(caught.value)
    assert text
    assert "\n" not in text
    return text


def test_a_board_by_the_protocol_s_text_answers_as_golden(fake_board, small):
    fake = fake_board(small)
    with opened(fake) as board:
        assert board.info == fake.info
        assert board.held is None
        board.load(small)
        assert board.held == small.content_hash
        assert exact(board, small, 300)
        assert exact(board, small, 1)
        assert board.status().holds_model == 1
        board.reset()
        assert board.status()[1:] == (0, 0, 0, 0)


def test_no_samples_have_no_answers(fake_board, small):
    with opened(fake_board(small)) as board:
        board.load(small)
        answer = board.infer(np.zeros((0, 4, 4)))
        assert (answer.output.shape, answer.label.shape) == ((0, 1, 1, 3), (0,))


@pytest.mark.parametrize("every", [3, 4, 7])
def test_lost_answers_are_asked_for_again(fake_board, small, every):
    fake = fake_board(small)
    with opened(fake) as board:
        fake.deliver = lambda number, wire: [] if number % every == 0 else [wire]
        board.load(small)
        assert exact(board, small)


def test_answers_said_twice_are_heard_once(fake_board, small):
    fake = fake_board(small)
    fake.deliver = lambda number, wire: [wire, wire]
    with opened(fake) as board:
        board.load(small)
        assert exact(board, small, 300)


def test_answers_that_come_too_late_are_not_taken_for_others(fake_board, small):
    fake = fake_board(small)
    with opened(fake) as board:
        fake.deliver = lambda number, wire: [1.5 * PATIENCE, wire] if number % 4 == 0 else [wire]
        board.load(small)
        assert exact(board, small)


def test_answers_in_another_order_are_sorted_out(fake_board, small):
    fake = fake_board(small)
    held: list[bytes] = []

    def late(number, wire):
        """Each fifth answer comes behind the next one."""
        if number % 5 == 0:
            held.append(wire)
            return []
        return [wire, *(held.pop() for _ in range(len(held)))]

    with opened(fake) as board:
        fake.deliver = late
        board.load(small)
        assert exact(board, small)


def test_an_answer_to_an_earlier_host_does_not_upset_a_new_one(fake_board, small):
    """A board that still answers a SYNC from before, with the nonce of then."""
    fake = fake_board(small)
    late: list[bytes] = []
    fake.lie = lambda kind, status, body: (status, b"past\x01") if kind == SYNC and not late and not late.append(b"") else (status, body)
    with opened(fake) as board:
        board.load(small)
        assert exact(board, small)


@pytest.mark.parametrize("seed", range(4))
def test_any_mixture_of_losses_repeats_delays_and_damage_is_survived_or_named(fake_board, small, seed):
    fake, rng = fake_board(small), random.Random(seed)

    def bad_line(number, wire):
        match rng.choices(("good", "lost", "twice", "damaged", "noise", "late"), (20, 1, 1, 1, 1, 1))[0]:
            case "lost":
                return []
            case "twice":
                return [wire, wire]
            case "damaged":
                place = rng.randrange(len(wire) - 1)
                return [wire[:place] + bytes([wire[place] ^ 1 << rng.randrange(8)]) + wire[place + 1 :]]
            case "noise":
                return [rng.randbytes(9) + b"\0", wire]
            case "late":
                return [1.2 * PATIENCE, wire]
        return [wire]

    with opened(fake) as board:
        fake.deliver = bad_line
        try:
            board.load(small)
            assert exact(board, small, 40)
        except LinkError as error:
            complaint = str(error)
        else:
            return
    assert "\n" not in complaint
    assert "nothing answers" in complaint or "lost the sequence" in complaint


def test_a_silent_board_is_given_up_after_a_few_requests(fake_board, small):
    fake = fake_board(small)
    with opened(fake) as board:
        fake.deliver = lambda number, wire: []
        with pytest.raises(LinkError, match=r"nothing answers on .* at 3000000 baud") as caught:
            board.reset()
        sentence(caught)


def test_at_a_low_bit_rate_the_time_on_the_wire_is_waited_for(fake_board, small):
    fake = fake_board(small)
    session = Session(fake.port, 9600, patience=PATIENCE)
    fake.requests.clear()
    fake.deliver = lambda number, wire: [0.4, wire]  # 512 bytes take 0.53 s at that rate
    assert session.ask(Kind.IDENTIFY)
    session.close()
    assert fake.requests == [(IDENTIFY, 1)]


def test_a_board_that_reads_nothing_does_not_hold_the_host_for_ever(monkeypatch):
    monkeypatch.setattr("npde.link.pipe.WRITE_PATIENCE", 0.1)
    monkeypatch.setattr(Session, "synchronise", lambda self: None)
    master, slave = os.openpty()
    tty.setraw(slave)
    session = Session(os.ttyname(slave), 3_000_000, patience=0.001)
    complaints = []
    while not complaints or "nothing answers" in complaints[-1]:
        with pytest.raises(LinkError) as caught:
            session.request(Kind.PUSH, bytes(500))
        complaints.append(sentence(caught))
    assert complaints[-1].endswith("takes no more bytes; does anything listen there?")
    session.close()
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("when", [WRITE, READ, COMMIT, PUSH, PULL])
def test_a_board_reset_in_the_middle_is_named(fake_board, small, when):
    fake = fake_board(small)

    def restart(kind, status, body):
        if kind == when:
            fake.lie = lambda kind, status, body: (status, body)
            fake.power_up()
        return status, body

    with opened(fake) as board:
        if when in (PUSH, PULL):
            board.load(small)
        fake.lie = restart
        with pytest.raises(LinkError, match="was reset or is used by another host") as caught:
            (board.load(small), board.infer(samples()))
        sentence(caught)
    with opened(fake) as again:
        again.load(small)
        assert exact(again, small)


LIES = [
    ("an unknown status", IDENTIFY, lambda s, b: (99, b), "answered IDENTIFY with an unknown status"),
    ("another protocol version", SYNC, lambda s, b: (s, b[:4] + b"\x07"), "speaks protocol version 7, this host version 1"),
    ("nonsense for a nonce", SYNC, lambda s, b: (s, b"nope" + b[4:]), "answers another host's SYNC"),
    ("too short a SYNC", SYNC, lambda s, b: (s, b[:3]), "answered SYNC with 3 bytes, not 5"),
    ("an empty identity", IDENTIFY, lambda s, b: (s, b""), "answered IDENTIFY with 0 bytes, not 17 or more"),
    ("half an identity", IDENTIFY, lambda s, b: (s, b[:40]), "describes itself wrongly: an INFO block has at least"),
    ("another magic", IDENTIFY, lambda s, b: (s, b[:17] + b"EVIL" + b[21:]), "describes itself wrongly: an INFO block begins with"),
    ("long status", STATUS, lambda s, b: (s, b + b"x"), "answered STATUS with 12 bytes, not 11"),
    ("short status", STATUS, lambda s, b: (s, b[:5]), "answered STATUS with 5 bytes, not 11"),
    ("a refusal", COMMIT, lambda s, b: (Status.RANGE, b""), "refused COMMIT: RANGE"),
    ("a bit less", READ, lambda s, b: (s, bytes([b[0] ^ 1]) + b[1:]), r"weights of step 0 read back differently"),
    ("no words", READ, lambda s, b: (s, b""), "read back no words of step 0"),
    ("half words", READ, lambda s, b: (s, b[:-1]), "read back"),
    ("too many words", READ, lambda s, b: (s, b + b"abcd"), r"weights of step 0 read back differently"),
    ("too many samples taken", PUSH, lambda s, b: (s, b"\xff\xff"), "refused samples"),
    ("no model", PUSH, lambda s, b: (Status.NO_MODEL, b""), "refused samples: NO_MODEL"),
    ("other answers' place", PULL, lambda s, b: (s, b"\x05\x00" + b[2:]), "answers from position 5 where 0 was asked for"),
    ("more answers than samples", PULL, lambda s, b: (s, b + bytes(300)), "more answers than it was given samples"),
    ("no place", PULL, lambda s, b: (s, b[:1]), "answered PULL with 1 bytes, not 2 or more"),
    ("a lost place", PULL, lambda s, b: (Status.POSITION, b"\0\0"), "refused PULL: POSITION"),
]


@pytest.mark.parametrize(("kind", "lie", "says"), [case[1:] for case in LIES], ids=[case[0] for case in LIES])
def test_a_board_that_lies_is_caught(fake_board, small, kind, lie, says):
    fake = fake_board(small)
    fake.lie = lambda k, status, body: lie(status, body) if k == kind else (status, body)

    def converse():
        with opened(fake) as board:
            board.load(small)
            board.status()
            board.infer(samples(4))

    with pytest.raises(LinkError, match=says) as caught:
        converse()
    sentence(caught)
    # Whatever was raised, the port is free for the next one.
    fake.lie = lambda k, status, body: (status, body)
    with opened(fake) as again:
        again.load(small)
        assert exact(again, small)


def test_a_board_that_never_answers_a_sample_is_given_up(fake_board, small):
    fake = fake_board(small)
    with opened(fake) as board:
        board.load(small)
        board.stall = 0.2
        fake.lie = lambda kind, status, body: (status, body[:2]) if kind == PULL else (status, body)
        with pytest.raises(LinkError, match=r"has answered 0 of 4 samples and no more for 0\.2 seconds") as caught:
            board.infer(samples(4))
        sentence(caught)


def described(fake, **changes) -> Info:
    return dataclasses.replace(fake.info, **changes)


REGIONS = [
    (lambda r: r[:1], "not made for this program: weight memories for steps"),
    (lambda r: (*r, r[0]), "not made for this program: weight memories for steps"),
    (lambda r: (dataclasses.replace(r[0], step=1), r[1]), "not made for this program: weight memories for steps"),
    (lambda r: (dataclasses.replace(r[0], depth=r[0].depth + 1), r[1]), "not made for this program: a weight memory of step 0 with .* words of"),
    (lambda r: (dataclasses.replace(r[0], width=r[0].width + 1), r[1]), "not made for this program: a weight memory of step 0 with .* words of"),
]


@pytest.mark.parametrize(("change", "says"), REGIONS)
def test_weight_memories_that_are_not_the_program_s_are_refused(fake_board, small, change, says):
    fake = fake_board(small)
    fake.info = described(fake, regions=change(fake.info.regions))
    with opened(fake) as board, pytest.raises(LinkError, match=says) as caught:
        board.load(small)
    sentence(caught)
    assert WRITE not in [kind for kind, _ in fake.requests]


def test_lanes_that_do_not_divide_the_channels_are_refused(fake_board, small):
    fake = fake_board(small)
    fake.info = described(fake, regions=(dataclasses.replace(fake.info.regions[0], pe=3), fake.info.regions[1]))
    with opened(fake) as board, pytest.raises(LinkError, match="3 output lanes do not divide 2 output channels") as caught:
        board.load(small)
    sentence(caught)


@pytest.mark.parametrize("field", ["sample", "answer"])
def test_a_board_that_counts_other_bytes_a_sample_or_an_answer_is_refused(fake_board, small, field):
    fake = fake_board(small)
    fake.info = described(fake, **{field: 0})
    with opened(fake) as board, pytest.raises(LinkError, match=r"0 bytes where the program has") as caught:
        board.load(small)
    sentence(caught)


def test_a_model_of_another_program_is_refused_before_anything_is_written(fake_board, small, other_small):
    fake = fake_board(small)
    other = dataclasses.replace(small, program=msgspec.structs.replace(small.program, name="other", argmax=False))
    with opened(fake) as board:
        with pytest.raises(LinkError, match=r"model 'other' does not fit the bitstream on .*, which was built for program"):
            board.load(other)
        with pytest.raises(LinkError, match="no model was loaded; call load first"):
            board.infer(samples())
        board.load(small)
        board.load(other_small)
        assert exact(board, other_small)
    assert [kind for kind, _ in fake.requests].index(WRITE) > 1


def test_a_load_that_failed_leaves_no_model_to_infer_with(fake_board, small):
    fake = fake_board(small)
    with opened(fake) as board:
        board.load(small)
        fake.lie = lambda kind, status, body: (status, body[::-1]) if kind == READ else (status, body)
        with pytest.raises(LinkError, match="read back differently"):
            board.load(small)
        assert board.held is None
        with pytest.raises(LinkError, match="no model was loaded"):
            board.infer(samples())


@pytest.mark.parametrize("region", [Region(0, 0, 1, 1, 1, 5000)])
def test_a_word_too_long_for_a_frame_is_refused(fake_board, small, region):
    fake = fake_board(small)
    fake.info = described(fake, regions=(region, fake.info.regions[1]))
    with opened(fake) as board, pytest.raises(LinkError, match="a weight memory of step 0"):
        board.load(small)


def test_a_port_that_is_no_serial_port_is_one_sentence(tmp_path):
    plain = tmp_path / "clock.bin"
    plain.write_bytes(b"x")
    for path, says in ((plain, "cannot be opened"), (tmp_path, "cannot be opened"), (tmp_path / "tty", "does not exist"), ("", "does not exist")):
        with pytest.raises(LinkError, match=says) as caught:
            Session(str(path), 3_000_000)
        sentence(caught)


def test_a_port_without_permission_says_so(monkeypatch, tmp_path):
    """A stand-in for the kernel's refusal, which an administrator never sees."""
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(LinkError, match=r"cannot be opened .*Permission denied") as caught:
        Session(str(tmp_path), 3_000_000)
    sentence(caught)


def test_an_impossible_bit_rate_is_one_sentence(fake_board, small):
    fake = fake_board(small)
    for baud in (-1, 3_000_000_000_000):
        with pytest.raises(LinkError, match="cannot be opened") as caught:
            Session(fake.port, baud)
        sentence(caught)


def test_what_a_failed_run_left_under_way_does_not_upset_the_next_load(fake_board, small):
    fake = fake_board(small)
    with opened(fake) as board:
        board.load(small)
        board.session.ask(Kind.WRITE, b"\0\0\0" + bytes(fake.info.regions[0].word_bytes))
        with pytest.raises(LinkError, match="NO_MODEL"):
            board.infer(samples())
        assert board.session.pending == 0, "a recording would lack what was asked and not collected"
        board.session.submit(Kind.STATUS)  # and if something is left all the same
        board.load(small)
        assert exact(board, small)
