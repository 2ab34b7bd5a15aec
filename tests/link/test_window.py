"""What each answer says of the requests under way: probes, cuts and copies. No clock and no port."""

from __future__ import annotations

import pytest

from npde.link.frame import Frame, decode
from npde.link.protocol import REPLY, Kind, Status
from npde.link.window import PROBE, SEQUENCES, STRANGE, Request, SequenceLostError, Window


def flying(count: int, first: int = 250) -> Window:
    window = Window()
    window.sequence = first
    for number in range(count):
        window.take(Request(Kind.PUSH, bytes([number]) * 40, shorter=lambda most, number=number: bytes([number]) * most))
    return window


def refusal(window: Window, expected: int) -> Frame:
    """The board's answer to the window's newest probe."""
    probe = decode(window.probe()[:-1])
    assert (probe.kind, len(probe.payload)) == (Kind.STATUS, 0)
    return Frame(Kind.STATUS | REPLY, probe.sequence, bytes([Status.SEQUENCE, expected % SEQUENCES, 0]))


def test_a_probe_has_a_number_the_board_cannot_expect_and_takes_none_away():
    window = flying(5)
    number = decode(window.probe()[:-1]).sequence
    assert (number - window.flight[0].sequence) % SEQUENCES >= PROBE
    assert (len(window.flight), window.sequence) == (5, 255)


def test_nothing_is_probed_while_there_is_no_agreement_on_numbers():
    window = Window()
    assert window.probe() == b""
    window.take(Request(Kind.SYNC, b"abcd"))
    assert window.probe() == b""


@pytest.mark.parametrize("carried", [0, 2, 5])
def test_a_probe_s_answer_says_which_requests_arrived(carried):
    window = flying(5)
    flight = list(window.flight)
    again = window.heard(refusal(window, 250 + carried))
    assert again == flight[carried:] + flight[:carried], "first what was not carried out, then what lost its answer, anew"
    assert [request.sequence for request in again] == [(250 + carried + place) % SEQUENCES for place in range(5)]
    assert [request.tries for request in again] == [2] * 5


def test_an_older_probe_s_answer_changes_nothing():
    window = flying(2)
    old = refusal(window, 250)
    window.again()
    assert window.heard(old) is None
    newer = refusal(window, 250)
    refusal(window, 250)
    assert window.heard(newer) is None, "another probe was sent since"


def test_probes_that_name_a_strange_number_say_that_the_board_was_reset():
    window = flying(2)
    for _ in range(STRANGE - 1):
        assert window.heard(refusal(window, 7)) == window.flight
    with pytest.raises(SequenceLostError):
        window.heard(refusal(window, 7))


def test_a_cut_request_keeps_its_number():
    request = flying(1).flight[0]
    request.cut(10)
    frame = decode(request.wire[:-1])
    assert (frame.sequence, frame.payload) == (250, bytes(10))
    fixed = Request(Kind.RESET, b"")
    fixed.cut(0)
    assert fixed.payload == b""


def test_an_answer_to_a_copy_of_what_was_answered_is_a_hasty_repeat():
    window = flying(1)
    window.again()
    assert window.heard(Frame(Kind.PUSH | REPLY, 250, bytes([Status.OK, 0, 0]))) == []
    assert window.heard(Frame(Kind.PUSH | REPLY, 250, bytes([Status.SEQUENCE, 251, 0]))) is None
    assert window.hasty == 1


@pytest.mark.parametrize(("kind", "bytes_"), [(Kind.SYNC, 14), (Kind.STATUS, 20), (Kind.RESET, 9), (Kind.PUSH, 11), (Kind.READ, 512), (Kind.PULL, 512)])
def test_the_longest_answer_of_every_kind_is_known(kind, bytes_):
    assert Request(kind, b"").answer_bytes == bytes_
