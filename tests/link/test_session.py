"""A lossy line between the host and a virtual board: nothing is lost, nothing is answered wrongly."""

from __future__ import annotations

import os
import select
import threading
import tty

import numpy as np
import pytest

from npde import golden
from npde.data import load_data
from npde.errors import LinkError
from npde.link.board import Board
from npde.link.port import resolve
from npde.models import load_model
from npde_sim.virtual import VirtualBoard


class Line:
    """A pseudo-terminal in front of another, through which bytes pass unless ``harm`` changes them."""

    def __init__(self, port: str, harm):
        self.harm = harm
        self.board = os.open(port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.board)
        import termios

        attributes = termios.tcgetattr(self.board)
        attributes[4] = attributes[5] = termios.B3000000
        termios.tcsetattr(self.board, termios.TCSANOW, attributes)
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.port = os.ttyname(self.slave)
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self._pass, args=way, daemon=True)
            for way in ((self.master, self.board, "request"), (self.board, self.master, "answer"))
        ]
        for thread in self.threads:
            thread.start()

    def _pass(self, source, sink, name):
        try:
            while not self.stopping.is_set():
                if select.select([source], [], [], 0.02)[0] and (kept := self.harm(name, os.read(source, 4096))):
                    os.write(sink, kept)
        except OSError:
            return

    def close(self):
        # The threads first: they would go on reading from whatever gets the same descriptors next.
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        for end in (self.master, self.slave, self.board):
            os.close(end)


@pytest.fixture(scope="module")
def model():
    return load_model("digits")


@pytest.fixture(scope="module")
def virtual(model):
    with VirtualBoard(model.program, "icebreaker") as board:
        yield board


def test_lost_and_flipped_bytes_in_either_direction_change_no_answer(virtual, model):
    every, passed, harmed = {"request": 1900, "answer": 2300}, {"request": 0, "answer": 0}, {"request": 0, "answer": 0}

    def harm(name, block):
        kept = bytearray()
        for byte in block:
            passed[name] += 1
            if passed[name] % every[name]:
                kept.append(byte)
                continue
            harmed[name] += 1
            if harmed[name] % 2:
                kept.append(byte ^ 0x24)  # else the byte is lost
        return bytes(kept)

    line = Line(virtual.port, harm)
    samples = load_data("digits").test_x[:24]
    board = Board.open(line.port, baud=3_000_000)
    board.session.patience = 0.2
    board.load(model)
    answer = board.infer(samples)
    board.close()
    line.close()
    wanted = golden.run(model, model.quantise_input(samples))
    assert np.array_equal(answer.output, wanted.output)
    assert np.array_equal(answer.label, wanted.label)
    assert min(harmed.values()) >= 3, "the line harmed nothing: the test shows nothing"


def test_a_cable_pulled_in_the_middle_of_a_transfer_is_one_sentence(virtual, model):
    passed = 0

    def harm(name, block):
        nonlocal passed
        passed += len(block)
        if passed > 3000:
            raise OSError("pulled")
        return block

    line = Line(virtual.port, harm)
    board = Board.open(line.port, baud=3_000_000)
    board.session.patience = 0.1
    with pytest.raises(LinkError, match=r"went away|nothing answers"):
        board.load(model)
    board.close()
    line.close()
    with Board.open(virtual.port) as again:
        again.load(model)
        assert again.held == model.content_hash


def test_a_wrong_bit_rate_is_named_and_does_no_harm(virtual, model):
    for baud in (115_200, 2_000_000):
        with pytest.raises(LinkError, match=f"at {baud} baud"):
            Board.open(virtual.port, baud=baud)
    with Board.open(virtual.port) as board:
        board.load(model)
        assert board.held == model.content_hash


def test_the_simulated_line_gets_faster_where_it_is_asked_to_and_is_left_as_it_was(virtual, model):
    samples = load_data("digits").test_x[:12]
    wanted = golden.run(model, model.quantise_input(samples))
    for _ in range(2):
        with Board.open(virtual.port) as board:
            assert (board.session.baud, board.info.baud) == (6_000_000, 3_000_000)
            board.load(model)
            assert np.array_equal(board.infer(samples).output, wanted.output)
    with Board.open(virtual.port, baud=3_000_000) as board:
        assert board.held == model.content_hash


def test_a_line_broken_at_a_faster_rate_is_used_at_the_first_one(virtual, model, monkeypatch):
    """The line's far end stays at 3 MBd, so that at any other rate the pins see garbage."""
    monkeypatch.setattr("npde.link.rate.RATES", (6_000_000,))
    line = Line(virtual.port, lambda name, block: block)
    samples = load_data("digits").test_x[:12]
    with Board.open(line.port) as board:
        assert board.session.baud == 3_000_000
        board.load(model)
        assert np.array_equal(board.infer(samples).output, golden.run(model, model.quantise_input(samples)).output)
    line.close()


def test_a_virtual_port_name_goes_through_the_same_code(model):
    with Board.open("virtual:icebreaker") as board:
        board.load(model)
        assert board.status().holds_model == 1
        assert board.infer(np.zeros((2, 8, 8))).label.shape == (2,)
        board.reset()
        assert board.status().taken == 0


def test_an_ordinary_path_is_left_alone():
    assert resolve("/dev/ttyUSB1")[0] == "/dev/ttyUSB1"
    assert resolve("COM3")[0] == "COM3"
