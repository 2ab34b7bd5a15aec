"""Harm of every kind on the byte pipe: golden's answers, nothing lost, and the link is usable again at once."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from npde import golden
from npde.data import load_data
from npde.errors import LinkError
from npde.link.board import Board
from npde.link.fault import Faults, FaultyPipe
from npde.link.pipe import Pipe, SerialPipe
from npde.link.session import PERSISTENCE, SILENCE
from npde.models import load_model

KINDS = {
    **{f"flips {rate}": Faults(flip=float(rate)) for rate in ("1e-5", "1e-4", "1e-3", "1e-2")},
    **{f"drops {rate}": Faults(drop=float(rate)) for rate in ("1e-4", "1e-3", "1e-2")},
    **{f"repeats {rate}": Faults(repeat=float(rate)) for rate in ("1e-4", "1e-3", "1e-2")},
    "bursts 0.02": Faults(burst=0.02), "bursts 0.1": Faults(burst=0.1),
    "swaps 0.02": Faults(swap=0.02), "swaps 0.1": Faults(swap=0.1),
    "stalls 0.02": Faults(stall=0.02, pause=0.03), "disconnects 1e-3": Faults(unplug=1e-3),
    "everything, mild": Faults(flip=1e-4, drop=2e-4, repeat=2e-4, burst=5e-3, swap=5e-3, stall=2e-3, pause=0.02),
    "everything, harsh": Faults(flip=2e-3, drop=2e-3, repeat=2e-3, burst=2e-2, swap=2e-2, stall=2e-3, unplug=2e-4, pause=0.02),
}  # fmt: skip
"""Chances: of a flip per bit, of drops and repeats per byte, of the others per piece of at most 64 bytes."""
PATIENCE = 0.1
SLOW = ("flips 1e-2", "everything, harsh")
"""Kinds of which the simulated board gets a tenth of the others' frames: each takes ten and more repeats."""


class Outcome(NamedTuple):
    """Requests answered, of them how many a second; samples answered and how many wrongly; what the line did."""

    frames: int
    seconds: float
    asked: int
    answered: int
    wrong: int
    again: int
    opened: int
    harm: Counter

    def row(self, kind: str) -> str:
        harm = ", ".join(f"{count:,} {name}" for name, count in self.harm.items() if count)
        return (
            f"{kind}: {self.frames:,} frames in {self.seconds:.0f} s, {self.answered:,} of {self.asked:,} samples answered, {self.wrong} wrong, "
            f"{self.asked - self.answered} lost, {self.again:,} times sent again, opened {self.opened} times; {harm or 'no harm'}"
        )


def run(plugged: Callable[[], tuple[Pipe, Callable[[float], object]]], model, pool, faults, frames, seed, batch=16, patience=PATIENCE) -> Outcome:
    """Until ``frames`` requests are answered on the harmed line; a board that goes away is opened and loaded anew, and what it owed asked again."""
    wanted, rng = golden.run(model, model.quantise_input(pool)), np.random.default_rng(seed)
    counts, harm = Counter[str](), Counter[str]()
    began = time.monotonic()

    def opened() -> tuple[Board, FaultyPipe]:
        inner, sleep = plugged()
        pipe = FaultyPipe(inner, Faults(), seed + counts["opened"], sleep=sleep)
        board = Board.open("a bad line", baud=3_000_000, pipe=pipe)
        counts["opened"] += 1
        board.session.patience = patience
        board.load(model)
        board.session.answered = lambda _: counts.update(frames=1)
        pipe.faults = faults
        return board, pipe

    board, pipe = opened()

    def closed():
        harm.update(pipe.counts)
        counts["again"] += board.session.losses
        board.close()

    while counts["frames"] < frames:
        places = rng.integers(0, len(pool), batch)
        counts["asked"] += batch
        answer = None
        while answer is None:
            try:
                answer = board.infer(pool[places])
            except LinkError as error:
                if "unplug on purpose" not in str(error):
                    raise
                closed()
                board, pipe = opened()
        counts["answered"] += len(answer.output)
        counts["wrong"] += int((answer.output != wanted.output[places]).any(axis=(1, 2, 3)).sum())
        counts["wrong"] += int((answer.label != wanted.label[places]).sum())
    pipe.faults = Faults()
    assert board.held == model.content_hash, "usable at once when the line is good again"
    closed()
    return Outcome(
        counts["frames"], time.monotonic() - began, counts["asked"], counts["answered"], counts["wrong"], counts["again"], counts["opened"], harm
    )


def on_memory(memory_board, small, faults, frames, seed) -> Outcome:
    """The small model on a board within this process, whose line has a clock of its own."""
    line = memory_board(small)
    pool = np.random.default_rng(seed).integers(-128, 128, (512, 4, 4))
    return run(lambda: (line, line.sleep), small, pool, faults, frames, seed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_harmed_line_changes_no_answer_and_loses_none(memory_board, small, kind):
    outcome = on_memory(memory_board, small, KINDS[kind], 200, seed=5)
    assert (outcome.wrong, outcome.answered) == (0, outcome.asked)
    assert kind == "flips 1e-5" or sum(outcome.harm.values()) > 0, "the line harmed nothing: the test shows nothing"
    assert kind in ("flips 1e-5", "drops 1e-4", "repeats 1e-4", "stalls 0.02", "disconnects 1e-3") or outcome.again > 0


@pytest.mark.parametrize(("kind", "frames"), [("everything, mild", 200), ("flips 1e-2", 20)])
def test_through_a_serial_port_as_well(fake_board, small, kind, frames):
    fake = fake_board(small)
    pool = np.random.default_rng(1).integers(-128, 128, (64, 4, 4))
    outcome = run(lambda: (SerialPipe(fake.port, 3_000_000), time.sleep), small, pool, KINDS[kind], frames, seed=2, batch=4)
    assert (outcome.wrong, outcome.answered) == (0, outcome.asked)
    assert outcome.again > 0


class Zeros:
    """A pipe that gives zeros for ever and takes anything."""

    def __init__(self):
        self.wrote = bytearray()

    def read(self, patience):
        return bytes(1000)

    def write(self, wire):
        self.wrote += wire


@pytest.mark.parametrize("rate", [1e-2, 1e-3])
def test_bits_are_flipped_as_often_as_is_said_and_nowhere_sooner(rate):
    pipe = FaultyPipe(Zeros(), Faults(flip=rate), 1)
    for _ in range(500):
        pipe.write(bytes(1000))
    flips = sum(byte.bit_count() for byte in pipe.pipe.wrote)
    assert flips == pipe.counts["flip"]
    bits = 8 * 500 * 1000
    assert abs(flips - rate * bits) < 5 * (rate * bits) ** 0.5
    places = np.flatnonzero(np.unpackbits(np.frombuffer(bytes(pipe.pipe.wrote), np.uint8)))
    gaps = np.diff(places)
    assert abs(np.mean(gaps < 0.5 / rate) - (1 - np.exp(-0.5))) < 0.03, "as far apart as independent chances put them"


def test_bytes_are_lost_and_doubled_as_often_as_is_said():
    for faults, sign in ((Faults(drop=0.01), -1), (Faults(repeat=0.01), 1)):
        pipe = FaultyPipe(Zeros(), faults, 2)
        for _ in range(200):
            pipe.write(bytes(1000))
        assert len(pipe.pipe.wrote) - 200_000 == sign * sum(pipe.counts.values())
        assert 1700 < sum(pipe.counts.values()) < 2300


def loaded(line, model) -> Board:
    board = Board.open("a bad line", pipe=line)
    board.session.patience = PATIENCE
    board.load(model)
    return board


@pytest.mark.parametrize("way", ["requests", "answers", "both"])
def test_a_line_that_turns_bad_in_the_middle_gets_shorter_frames(memory_board, small, way):
    """Nothing longer than 40 bytes arrives from the 30th request on, whatever of it was under way."""
    line = memory_board(small)
    board, device = loaded(line, small), line.board
    take, since = device._take, len(device.requests)
    passes = lambda wire: len(wire) <= 40 or len(device.requests) < since + 30  # noqa: E731
    if way != "answers":
        device._take = lambda stuffed: take(stuffed) if passes(stuffed) else iter(())
    if way != "requests":
        device.deliver = lambda number, wire: [wire] if passes(wire) else []
    raw = np.random.default_rng(4).integers(-128, 128, (200, 4, 4))
    assert np.array_equal(board.infer(raw).output, golden.run(small, small.quantise_input(raw)).output)
    assert board.session.losses > 0
    board.load(small)
    assert board.held == small.content_hash


def test_a_dead_board_is_told_of_in_good_time_on_a_bad_line_too(memory_board, small):
    line = memory_board(small)
    pipe = FaultyPipe(line, Faults(), 3, sleep=line.sleep)
    board = loaded(pipe, small)
    pipe.faults = Faults(flip=1e-2)
    board.infer(np.zeros((2, 4, 4)))
    line.board.deliver = lambda number, wire: []
    began = line.now()
    with pytest.raises(LinkError, match="nothing answers on a bad line at 3000000 baud"):
        board.reset()
    assert line.now() - began < (SILENCE + 1) * PATIENCE


def test_a_board_that_is_heard_while_a_frame_never_arrives_is_told_apart_from_a_dead_one(memory_board, small):
    line = memory_board(small)
    board = loaded(line, small)
    take = line.board._take
    line.board._take = lambda stuffed: take(stuffed) if len(stuffed) <= 9 else iter(())
    began = line.now()
    with pytest.raises(LinkError, match=r"the line to the board on a bad line is too bad: it is heard, but a WRITE of \d+ bytes or its answer did not"):
        board.load(small)
    assert line.now() - began < (PERSISTENCE + 2) * PATIENCE


def told(kind: str, outcome: Outcome, counted) -> None:
    counted(outcome.row(kind))
    assert (outcome.wrong, outcome.answered) == (0, outcome.asked)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_million_frames_on_harmed_lines(memory_board, small, kind, counted):
    """NPDE_FRAMES in all."""
    each = int(os.environ.get("NPDE_FRAMES", "1000000")) // len(KINDS)
    told(kind, on_memory(memory_board, small, KINDS[kind], each, list(KINDS).index(kind)), counted)


@pytest.fixture(scope="module")
def virtual():
    from npde_sim.virtual import VirtualBoard

    with VirtualBoard(load_model("digits").program, "icebreaker") as board:
        yield board


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_frames_between_a_host_and_the_whole_soc(virtual, kind, counted):
    """NPDE_SOC_FRAMES in all, through the simulated board's pins."""
    model, pool = load_model("digits"), load_data("digits").test_x
    weights = {name: 0.1 if name in SLOW else 1.0 for name in KINDS}
    each = round(int(os.environ.get("NPDE_SOC_FRAMES", "10000")) * weights[kind] / sum(weights.values()))
    # A simulated board may take a second for what a real one does in a millisecond.
    plugged = lambda: (SerialPipe(virtual.port, 3_000_000), time.sleep)  # noqa: E731
    outcome = run(plugged, model, pool, KINDS[kind], each, list(KINDS).index(kind), batch=1 if kind in SLOW else 16, patience=1.0)
    told(f"SoC, {kind}", outcome, counted)
