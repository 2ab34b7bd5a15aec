"""Harm of every kind on the byte pipe: golden's answers or one sentence, and the link is usable again at once."""

from __future__ import annotations

import os

import numpy as np
import pytest

from npde import golden
from npde.errors import LinkError
from npde.link.board import Board
from npde.link.fault import Faults, FaultyPipe
from npde.link.pipe import SerialPipe

KINDS = {
    "flips 1e-5": Faults(flip=1e-5), "flips 1e-4": Faults(flip=1e-4), "flips 1e-3": Faults(flip=1e-3),
    "drops": Faults(drop=2e-3), "repeats": Faults(repeat=2e-3), "bursts": Faults(burst=0.02), "swaps": Faults(swap=0.02),
    "stalls": Faults(stall=0.02, pause=0.03),
    "everything": Faults(flip=1e-4, drop=2e-4, repeat=2e-4, burst=5e-3, swap=5e-3, stall=2e-3, pause=0.02),
}  # fmt: skip


def run(fake, model, faults, frames, seed):
    """Until ``frames`` requests are answered: samples answered, wrong answers, the pipe, frames, times sent again."""
    pipe = FaultyPipe(SerialPipe(fake.port, 3_000_000), Faults(), seed)
    rng, counted, answered, wrong = np.random.default_rng(seed), [], 0, 0
    with Board.open(fake.port, pipe=pipe) as board:
        board.session.patience = 0.1
        board.session.answered = counted.append
        board.load(model)
        pipe.faults = faults
        while len(counted) < frames:
            raw = rng.integers(-128, 128, (16, 4, 4))
            answer, wanted = board.infer(raw), golden.run(model, model.quantise_input(raw))
            answered += len(answer.output)
            wrong += int((answer.output != wanted.output).any(axis=(1, 2, 3)).sum())
        pipe.faults = Faults()
        assert board.held == model.content_hash, "usable at once when the line is good again"
        return answered, wrong, pipe, len(counted), board.session.losses


@pytest.mark.parametrize("kind", KINDS)
def test_a_harmed_line_changes_no_answer(fake_board, small, kind):
    answered, wrong, pipe, _, losses = run(fake_board(small), small, KINDS[kind], 200, seed=5)
    assert wrong == 0
    assert answered % 16 == 0
    assert kind == "flips 1e-5" or sum(pipe.counts.values()) > 0, "the line harmed nothing: the test shows nothing"
    assert kind in ("flips 1e-5", "stalls") or losses > 0


def test_a_line_too_bad_to_use_ends_in_a_sentence_or_golden_s_answers(fake_board, small):
    """A bit in a hundred: of the shortest exchanges one in ten arrives whole both ways."""
    fake, complaint = fake_board(small), "nothing answers on"
    try:
        assert run(fake, small, Faults(flip=1e-2), 20, seed=5)[1] == 0
    except LinkError as error:
        complaint = str(error)
    assert "nothing answers on" in complaint
    with Board.open(fake.port) as again:
        again.load(small)
        assert again.held == small.content_hash


@pytest.mark.slow
def test_many_frames_on_harmed_lines(fake_board, small, capsys):
    """NPDE_FRAMES requests in all, 100,000 by default."""
    each = int(os.environ.get("NPDE_FRAMES", "100000")) // len(KINDS)
    for seed, (kind, faults) in enumerate(KINDS.items()):
        answered, wrong, pipe, frames, losses = run(fake_board(small), small, faults, each, seed)
        with capsys.disabled():
            print(f"{kind}: {frames} frames, {answered} answers, {wrong} wrong, 0 lost, {losses} times sent again, {dict(pipe.counts)}", flush=True)
        assert wrong == 0
