"""Boards that are lost, come back, and are given back."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from npde import golden
from npde.errors import LinkError

RAW = np.random.default_rng(1).integers(0, 17, (20, 4, 4, 1))


def test_a_lost_board_is_taken_again_once_it_is_back(service, model):
    running = service(model)
    boards, (board,) = running.boards, running.standins
    wanted = golden.run(model, model.quantise_input(RAW)).output
    assert np.array_equal(boards.infer(RAW).output, wanted)
    board.plugged = False
    with pytest.raises(LinkError, match=r"does not exist|went away"):
        boards.infer(RAW)
    with pytest.raises(LinkError, match="does not exist"):
        boards.infer(RAW)
    board.plugged = True
    assert np.array_equal(boards.infer(RAW).output, wanted)
    assert board.opened == 2


def test_of_several_lost_boards_those_that_are_back_serve(service, model):
    running = service(model, boards=2)
    for board in running.standins:
        board.plugged = False
    with pytest.raises(LinkError):
        running.boards.infer(RAW)
    running.standins[1].plugged = True
    assert len(running.boards.infer(RAW).output) == len(RAW)
    assert [board.opened for board in running.standins] == [1, 2]


def test_many_threads_may_ask_at_once(service, model):
    running, wrong = service(model, boards=2), []
    wanted = golden.run(model, model.quantise_input(RAW)).output

    def ask(k: int) -> None:
        if not np.array_equal(running.boards.infer(RAW[k:]).output, wanted[k:]):
            wrong.append(k)

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []
    assert not any(thread.is_alive() for thread in threads)


def test_after_closing_nothing_is_opened_again(service, model):
    running = service(model)
    running.boards.close()
    with pytest.raises(LinkError, match="given back"):
        running.boards.infer(RAW)


def test_closing_in_a_hurry_leaves_what_no_board_was_given(service, model):
    running, told = service(model), []
    (board,) = running.standins
    board.go.clear()

    def ask() -> None:
        try:
            running.boards.infer(np.tile(RAW, (20, 1, 1, 1)))
        except LinkError as error:
            told.append(str(error))

    asking, closing = (
        threading.Thread(target=ask),
        threading.Thread(target=running.boards.close, kwargs={"cancel": True}),
    )
    asking.start()
    assert board.asked.wait(20)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive(), "what a board was given is waited for"
    board.go.set()
    for thread in (asking, closing):
        thread.join(20)
        assert not thread.is_alive()
    assert told == ["the boards were given back"] or told == ["the pool is closed"]
