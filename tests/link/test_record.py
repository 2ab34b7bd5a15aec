"""A recorded session is answered again without the board, and nothing but that session."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from npde import golden
from npde.data import load_data
from npde.errors import LinkError
from npde.link.board import Board
from npde.link.record import Recorder, Replay
from npde.models import load_model

SESSION = Path(__file__).parent / "digits.jsonl"
"""A virtual iCEBreaker loaded with the digits model and asked for the first 8 test samples."""


def test_a_session_recorded_on_a_board_is_golden_when_it_is_replayed():
    model, samples = load_model("digits"), load_data("digits").test_x[:8]
    with Board.open(f"replay:{SESSION}") as board:
        assert board.info.board == "icebreaker"
        board.load(model)
        answer = board.infer(samples)
    wanted = golden.run(model, model.quantise_input(samples))
    assert np.array_equal(answer.output, wanted.output)
    assert np.array_equal(answer.label, wanted.label)


def test_what_was_not_recorded_is_refused_by_name():
    with Board.open(f"replay:{SESSION}") as board, pytest.raises(LinkError, match=r"exchange 3 of .* is WRITE .*asked is STATUS"):
        board.status()


def test_a_recording_made_on_a_bad_line_holds_each_exchange_once(fake_board, small, tmp_path):
    fake, raw = fake_board(small), np.random.default_rng(1).integers(-128, 128, (9, 4, 4))
    with Recorder(tmp_path / "x.jsonl") as recorder, Board.open(fake.port, record=recorder) as board:
        board.load(small)
        first = board.infer(raw)
    with Board.open(f"replay:{tmp_path / 'x.jsonl'}") as board:
        board.load(small)
        assert np.array_equal(board.infer(raw).output, first.output)
        with pytest.raises(LinkError, match="ends after"):
            board.status()


@pytest.mark.parametrize("line", [b"{}", b"[1]", b"\xff", b'{"kind":"NO","request":"","status":"OK","reply":""}',
                                  b'{"kind":"SYNC","request":"0","status":"OK","reply":""}'])  # fmt: skip
def test_a_file_that_is_no_recording_is_one_sentence(tmp_path, line):
    (tmp_path / "x").write_bytes(line + b"\n")
    with pytest.raises(LinkError, match=r"line 1 of .* is no exchange") as caught:
        Replay(tmp_path / "x")
    assert "\n" not in str(caught.value)
