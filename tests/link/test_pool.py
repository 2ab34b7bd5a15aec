"""Several boards as one: golden's answers in order, none lost and none twice when boards die and come back."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from npde import golden
from npde.data import load_data
from npde.errors import LinkError
from npde.link.board import Board
from npde.link.fault import Faults, FaultyPipe
from npde.link.pipe import SerialPipe
from npde.link.pool import Pool
from npde.models import load_model
from npde_sim.virtual import VirtualBoard

RAW = np.random.default_rng(2).integers(-128, 128, (150, 4, 4))


def right(answer, model) -> bool:
    wanted = golden.run(model, model.quantise_input(RAW))
    return np.array_equal(answer.output, wanted.output) and np.array_equal(answer.label, wanted.label)


def test_boards_share_the_work_and_answers_keep_their_order(fake_board, small):
    fakes = [fake_board(small) for _ in range(2)]
    with Pool.open([fake.port for fake in fakes], small) as pool:
        assert right(pool.infer(RAW), small)
        assert right(asyncio.run(pool.infer_async(RAW)), small)
        assert sum(pool.answered) == 2 * len(RAW)
        assert min(pool.answered) > 0


def test_an_unplugged_board_comes_back_and_nothing_is_lost(fake_board, small):
    fake, opened = fake_board(small), []

    def open_it():
        fake.power_up()
        opened.append(FaultyPipe(SerialPipe(fake.port, 3_000_000), Faults(), len(opened)))
        board = Board.open(fake.port, pipe=opened[-1])
        if len(opened) > 1:
            opened[-1].faults = Faults(unplug=0.01)
        return board

    with Pool([open_it], small, batch=8) as pool:
        opened[0].faults = Faults(unplug=0.1)
        assert right(pool.infer(RAW), small)
        assert pool.answered == [len(RAW)], "each sample answered once"
    assert len(opened) > 1, "nothing was unplugged: the test shows nothing"


def test_a_board_that_dies_for_good_leaves_its_work_to_the_others(fake_board, small):
    dying, healthy = fake_board(small), fake_board(small)
    pipe = FaultyPipe(SerialPipe(dying.port, 3_000_000), Faults(), 0)
    openers = [lambda: Board.open(dying.port, pipe=pipe), lambda: Board.open(healthy.port)]
    with Pool(openers, small, batch=8, reconnect=0.3) as pool:
        pipe.faults = Faults(unplug=1.0)
        assert right(pool.infer(RAW), small)
        assert pool.answered == [0, len(RAW)]


def test_when_the_last_board_dies_every_future_says_so(fake_board, small):
    fake = fake_board(small)
    pipe = FaultyPipe(SerialPipe(fake.port, 3_000_000), Faults(), 0)
    with Pool([lambda: Board.open(fake.port, pipe=pipe)], small, reconnect=0.1) as pool:
        pipe.faults = Faults(unplug=1.0)
        futures = [pool.submit(sample) for sample in RAW[:5]]
        for future in futures:
            with pytest.raises(LinkError, match="went away"):
                future.result(timeout=20)
        with pytest.raises(LinkError, match="went away"):
            pool.submit(RAW[0])


def test_a_board_that_comes_back_and_fails_each_time_is_given_up(fake_board, small):
    fake, opened = fake_board(small), []

    def open_it():
        fake.power_up()
        board = Board.open(fake.port)
        opened.append(board)

        def broken(_):
            raise LinkError("nothing answers")

        board.infer = broken  # type: ignore[method-assign]
        return board

    with Pool([open_it], small, reconnect=0.5) as pool:
        with pytest.raises(LinkError, match="nothing answers"):
            pool.submit(RAW[0]).result(timeout=20)
    assert len(opened) > 1, "it never came back: the test shows nothing"


@pytest.mark.slow
def test_of_two_virtual_boards_one_dies_in_the_middle_and_nothing_is_lost():
    """Two simulators of the whole SoC; one is killed while it has a batch, and never comes back."""
    model, samples = load_model("digits"), load_data("digits").test_x[:200]
    with VirtualBoard(model.program, "icebreaker") as dying, VirtualBoard(model.program, "icebreaker") as healthy:
        openers = [lambda: Board.open(dying.port), lambda: Board.open(healthy.port)]
        with Pool(openers, model, batch=16, reconnect=1.0) as pool:
            futures = [pool.submit(sample) for sample in samples]
            while not pool.answered[0]:
                time.sleep(0.01)
            dying.process.kill()
            answers = [future.result(timeout=240) for future in futures]
            shares = list(pool.answered)
    wanted = golden.run(model, model.quantise_input(samples))
    assert np.array_equal(np.concatenate([answer.output for answer in answers]), wanted.output)
    assert np.array_equal(np.concatenate([answer.label for answer in answers]), wanted.label)
    assert sum(shares) == len(samples), "each sample answered once"
    assert 0 < shares[0] < len(samples) - shares[0], "it did not die in the middle: the test shows nothing"
