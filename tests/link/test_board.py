"""The virtual board through the host's own serial code: every answer is golden's, every failure is a sentence."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from npde import golden
from npde.data import load_data
from npde.errors import LinkError
from npde.link.board import Board
from npde.link.session import Session
from npde.model import Model
from npde_sim.virtual import VirtualBoard

MODELS = Path(__file__).parents[2] / "host" / "npde" / "models"


@pytest.fixture(scope="module")
def model():
    return Model.load(MODELS / "digits.npde")


@pytest.fixture(scope="module")
def virtual(model):
    with VirtualBoard(model.program, "icebreaker") as board:
        yield board


def test_the_digits_test_set_over_the_wire_is_golden_bit_for_bit(virtual, model):
    samples = load_data("digits").test_x[:100]
    board = Board.open(virtual.port)
    board.load(model)
    done = []
    answer = board.infer(samples, progress=done.append)
    wanted = golden.run(model, model.quantise_input(samples))
    assert np.array_equal(answer.output, wanted.output)
    assert np.array_equal(answer.label, wanted.label)
    assert sum(done) == len(samples)
    board.close()


def test_a_model_of_another_program_is_refused_by_name(virtual):
    board = Board.open(virtual.port)
    with pytest.raises(LinkError, match="does not fit the bitstream"):
        board.load(Model.load(MODELS / "fashion.npde"))
    with pytest.raises(LinkError, match="no model was loaded"):
        board.infer(np.zeros((1, 8, 8)))
    board.close()


def test_a_busy_port_and_an_absent_one_are_told_apart(virtual):
    board = Board.open(virtual.port)
    with pytest.raises(LinkError, match="in use by another program"):
        Board.open(virtual.port)
    board.close()
    with pytest.raises(LinkError, match="/dev/no-such-port does not exist"):
        Board.open("/dev/no-such-port")


def test_silence_and_a_pulled_cable_end_in_a_sentence():
    master, slave = os.openpty()
    with pytest.raises(LinkError, match=r"nothing answers on .* at 3000000 baud"):
        Session(os.ttyname(slave), 3_000_000, patience=0.05)
    os.set_blocking(master, True)

    def pull():
        time.sleep(0.2)
        os.close(master)

    thread = threading.Thread(target=pull)
    thread.start()
    with pytest.raises(LinkError, match=r"went away|nothing answers"):
        Session(os.ttyname(slave), 3_000_000, patience=2)
    thread.join()
    os.close(slave)
