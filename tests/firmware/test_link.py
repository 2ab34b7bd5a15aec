"""The firmware's side of the link: on this machine's pseudo-terminal, and under sanitizers with whatever comes down a line."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import zlib

import numpy as np
import pytest
from cobs import cobs

from npde import golden
from npde.data import load_data
from npde.equation.catalogue import ready
from npde.equation.general import with_times
from npde.errors import FitError, LinkError
from npde.firmware.launch import RunningFirmware, build
from npde.link.board import Board
from npde.link.field import header, wire_of
from npde.link.frame import Frame, decode, encode
from npde.link.port import of_model
from npde.link.protocol import COMMANDS, FIELD_EMIT, FIELD_LOAD, FIELD_REPORT, REPLY, Kind, Status
from npde.models import load_model

pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")

def test_the_digits_test_set_over_a_pseudo_terminal_is_golden_bit_for_bit():
    model, samples = load_model("digits"), load_data("digits").test_x
    with RunningFirmware(model, "posix") as firmware, Board.open(firmware.port) as board:
        assert board.held == model.content_hash, "the model that was compiled in stands committed"
        board.load(model)
        answer = board.infer(samples)
    wanted = golden.run(model, model.quantise_input(samples))
    assert len(samples) == 445
    assert np.array_equal(answer.output, wanted.output)
    assert np.array_equal(answer.label, wanted.label)


def conversation(dice: random.Random, model, length: int) -> tuple[bytes, list[tuple[int, int]], int]:
    """A line's bytes, the kind and sequence number of each whole frame in it, and how many broken ones there are."""
    wire, asked, broken, sequence = bytearray(b"\0"), [], 0, 0
    field = model.program.input.size * -(-model.program.input.q.width // 8)
    for _ in range(length):
        kind = dice.choice([*Kind, 0, 0x20, 0xFF]) if dice.random() < 0.5 else dice.choice([Kind.PUSH, Kind.PULL, Kind.WRITE, Kind.COMMIT])
        fixed = struct.calcsize(COMMANDS[kind].request.rstrip("+")) if kind in COMMANDS else dice.randrange(20)
        payload = dice.randbytes(fixed if dice.random() < 0.9 else dice.randrange(40))
        if kind == Kind.PUSH and dice.random() < 0.8:
            head = struct.pack("<BI", dice.choice([0, FIELD_LOAD, FIELD_EMIT, FIELD_REPORT, 7]), dice.randrange(4))
            payload = struct.pack("<H", 0 if dice.random() < 0.7 else dice.randrange(600)) + head + dice.randbytes(min(field, dice.randrange(490)))
        elif kind == Kind.PULL and dice.random() < 0.8:
            payload = struct.pack("<HH", dice.randrange(64), dice.randrange(1 << 16))
        elif kind in (Kind.WRITE, Kind.READ) and dice.random() < 0.8:
            payload = struct.pack("<BH", dice.randrange(4), dice.randrange(700)) + dice.randbytes(2 if kind == Kind.READ else dice.randrange(400))
        frame = bytearray(encode(Frame(kind, sequence if dice.random() < 0.95 else dice.randrange(256), payload)))
        if dice.random() < 0.15:
            place = dice.randrange(len(frame) - 1)
            frame[place] = frame[place] % 255 + 1
            if decode(bytes(frame[:-1])) is None:
                broken += 1
        whole = decode(bytes(frame[:-1]))
        wire += frame
        if whole is not None:
            asked.append((whole.kind, whole.sequence))
            if whole.sequence == sequence or whole.kind == Kind.SYNC:
                sequence = (whole.sequence + 1) & 255
    wire += encode(Frame(Kind.SYNC, 0, b"abcd")) + encode(Frame(Kind.STATUS, 1, b""))
    return bytes(wire), [*asked, (Kind.SYNC, 0), (Kind.STATUS, 1)], broken


def test_a_field_that_stays_on_the_board_is_golden_s_after_any_number_of_steps():
    model = ready("gray-scott", (12, 9)).model
    q = model.program.input.q
    field = np.random.default_rng(5).integers(q.low, q.high, (1, *model.program.input.shape), endpoint=True)
    with RunningFirmware(model, "posix") as firmware, Board.open(firmware.port) as board:
        board.load(model)
        assert board.resident
        board.write_field(field[0])
        assert np.array_equal(board.read_field(), field[0])
        for times in (1, 0, 7, 300):
            board.step(times)
            field = golden.run(with_times(model, times), field).output if times else field
            assert np.array_equal(board.read_field(), field[0])
        board.reset()
        assert np.array_equal(board.read_field(), field[0])
        # A header that comes while the one before is carried out waits for it.
        answers = board._exchange(header(FIELD_REPORT, 2000) + header(FIELD_EMIT, 0), 1, 1 + board.info.answer)
        field = golden.run(with_times(model, 2000), field).output
        assert answers == b"\0" + wire_of(field, q)[0]


@pytest.mark.parametrize("name", ["digits", "helmholtz", "rnn", "gray-scott"])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_down_the_line_each_whole_request_is_answered_once_and_nothing_else_is(name, seed):
    model = ready("gray-scott", (5, 6)).model if name == "gray-scott" else load_model(name)
    wire, asked, broken = conversation(random.Random(seed), model, 300)
    done = subprocess.run([build(model, "stdin")], input=wire, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    answers = [decode(part) for part in done.stdout.split(b"\0") if part]
    assert [(answer.kind, answer.sequence) for answer in answers] == [(kind | REPLY, sequence) for kind, sequence in asked]
    assert {Status(answer.payload[0]) for answer in answers} >= {Status.OK, Status.SEQUENCE, Status.UNKNOWN, Status.LENGTH}
    assert int.from_bytes(answers[-1].payload[2:4], "little") == broken


@pytest.mark.parametrize("seed", range(3))
def test_bytes_that_are_no_frames_are_never_answered(seed):
    garbage = random.Random(seed).randbytes(50_000)
    wire = garbage + b"\0" + encode(Frame(Kind.SYNC, 9, b"wxyz"))
    done = subprocess.run([build(load_model("digits"), "stdin")], input=wire, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert [decode(part) for part in done.stdout.split(b"\0") if part] == [Frame(Kind.SYNC | REPLY, 9, b"\0wxyz\1")]


def test_the_longest_frame_is_answered_and_a_longer_one_is_dropped():
    longest = encode(Frame(Kind.WRITE, 1, b"\0\0\0" + b"\1" * 503))
    body = bytes([Kind.WRITE, 2]) + b"\0\0\0" + b"\1" * 504
    longer = cobs.encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"
    wire = encode(Frame(Kind.SYNC, 0, b"abcd")) + longest + longer + encode(Frame(Kind.STATUS, 2, b""))
    done = subprocess.run([build(load_model("digits"), "stdin")], input=wire, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    answers = [decode(part) for part in done.stdout.split(b"\0") if part]
    assert [answer.kind & ~REPLY for answer in answers] == [Kind.SYNC, Kind.WRITE, Kind.STATUS]
    assert int.from_bytes(answers[-1].payload[2:4], "little") == 1


def test_a_port_has_the_model_it_is_to_be_given():
    assert of_model("firmware:posix", "cnn") == "firmware:posix:cnn"
    assert of_model("firmware:posix:rnn", "cnn") == "firmware:posix:rnn"
    assert of_model("/dev/ttyUSB1", "cnn") == "/dev/ttyUSB1"


def test_a_board_that_is_not_there_or_runs_nowhere_here_is_said():
    with pytest.raises(FitError, match="unknown firmware board 'arduino'; known are posix"):
        RunningFirmware(load_model("digits"), "arduino")
    with pytest.raises(LinkError, match="nothing here runs pico"):
        RunningFirmware(load_model("digits"), "pico")


def test_a_wrong_bit_rate_is_garbage():
    with RunningFirmware(load_model("digits"), "posix") as firmware, pytest.raises(LinkError, match="nothing answers"):
        Board.open(firmware.port, baud=115_200)


@pytest.mark.parametrize("name", ["mps2-an385", "mps2-an386", "mps2-an500", "virt-rv32"])
def test_firmware_in_an_emulator_answers_as_golden_does(name):
    from npde.firmware.boards import BOARDS

    board = BOARDS[name]
    for tool, package in ((board.compiler, board.compiler_package), (board.emulator[0], board.emulator_package)):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}; Debian has it in {package}")
    model, samples = load_model("digits"), load_data("digits").test_x[:10]
    with RunningFirmware(model, name) as firmware, Board.open(firmware.port) as opened:
        opened.load(model)
        answer = opened.infer(samples)
        assert opened.info.board == name
    assert np.array_equal(answer.output, golden.run(model, model.quantise_input(samples)).output)
