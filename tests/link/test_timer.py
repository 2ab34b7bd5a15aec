"""Waits follow what is measured and what arrives harmed, and never turn a slow board into one that is flooded."""

from __future__ import annotations

import pytest

from npde.link.timer import IMPATIENCE, Timer


def test_at_first_the_patience_and_the_way_are_waited_for():
    assert Timer(0.5).wait(0.25) == 0.75


def test_longer_answers_are_waited_for_longer():
    timer = Timer(0.1)
    for _ in range(50):
        timer.measured(2.0)
    assert 2.0 < timer.wait(0.0) < 2.5


def test_a_silent_board_is_asked_more_often_before_it_is_given_up():
    timer = Timer(0.1)
    timer.measured(1.0)
    before = timer.wait(0.0)
    waits = []
    for _ in range(5):
        timer.late()
        waits.append(timer.wait(0.0))
    assert waits == [before, before, before / 2, before / 2, before / 2]
    timer.voice()
    assert timer.wait(0.0) == before


def test_a_line_that_harms_frames_is_waited_for_less_and_a_hasty_repeat_takes_that_back():
    timer = Timer(1.0)
    waits = []
    for _ in range(10):
        timer.harmed()
        waits.append(timer.wait(0.0))
    assert waits[:3] == [0.5, 0.25, 0.125]
    assert waits[-1] == IMPATIENCE
    timer.hasty()
    assert timer.wait(0.0) == pytest.approx(4 * IMPATIENCE)
    for _ in range(5):
        timer.hasty()
    assert timer.wait(0.0) == 1.0


def test_repeats_in_a_row_on_a_harmed_line_slow_down_until_the_board_speaks():
    timer = Timer(1.0)
    for _ in range(20):
        timer.harmed()
    waits = []
    for _ in range(200):
        timer.late()
        waits.append(timer.wait(0.0))
    assert waits[5:] == sorted(waits[5:])
    assert (waits[0] > IMPATIENCE, waits[-1]) == (True, 0.5)
    timer.voice()
    assert timer.wait(0.0) == IMPATIENCE


def test_how_long_a_living_board_may_take_is_what_was_seen_within_bounds():
    timer = Timer(0.5)
    assert timer.pace == 0.5
    for _ in range(60):
        timer.measured(2.0)
    assert 2.0 <= timer.pace < 2.5
    for _ in range(60):
        timer.measured(100.0)
    assert timer.pace == 5.0
