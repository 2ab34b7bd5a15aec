"""Several PULLs under way repeat each other's bytes; each byte counts once, also where answers are lost."""

from __future__ import annotations

import numpy as np
import pytest

from npde import golden
from npde.link.board import Board

RAW = np.random.default_rng(3).integers(-128, 128, (300, 4, 4))


@pytest.mark.parametrize("every", [9])
def test_answers_that_repeat_each_other_count_once(fake_board, small, monkeypatch, every):
    monkeypatch.setattr("npde.link.stream.SLACK", 8.0)
    fake = fake_board(small, answers=1024)
    fake.deliver = lambda number, wire: [] if number % every == 0 else [wire]
    with Board.open(fake.port) as board:
        board.session.patience = 0.1
        board.load(small)
        pulled = []
        board.session.answered = lambda request: pulled.append(len(request.reply) - 2) if request.kind == 9 else None
        answer = board.infer(RAW)
    assert np.array_equal(answer.output, golden.run(small, small.quantise_input(RAW)).output)
    assert sum(pulled) > 7 * len(RAW), "no PULL repeated another: the test shows nothing"
