"""Programs that come at run time: golden's integers from them, and whatever is wrong refused with the old program as it was."""

from __future__ import annotations

import importlib.util
import random
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npde import golden
from npde.errors import FitError, LinkError
from npde.firmware.boards import BOARDS
from npde.firmware.image import HEADER, image
from npde.firmware.launch import RunningFirmware, build
from npde.fixed import Q
from npde.link.board import Board
from npde.link.frame import Frame, decode, encode
from npde.link.protocol import REPLY, Kind, Refusal, Status
from npde.models import NAMES, load_model
from npde.program import CROSS, Evolve, Form, Grid, Pool, Product, Program, Stencil, Table, Term, Update

pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")

ROOT = Path(__file__).parents[2]


def _programs():
    """The drawn programs of the runtime's own tests."""
    spec = importlib.util.spec_from_file_location("runtime_programs", Path(__file__).with_name("test_runtime.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module._filled, module.chains, module.evolutions, module.recurrences


_filled, chains, evolutions, recurrences = _programs()
CHECKED = "-g -fsanitize=address,undefined -fno-sanitize-recover=all"
quick = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def loadable():
    """An open board on this machine without a program, under sanitizers; every test gives it its own."""
    with RunningFirmware(None, "posix", more=CHECKED) as running, Board.open(running.port) as board:
        yield board


def answers(board, model, fields):
    """What the board gives for integers, which its own quantisation must leave as they are."""
    q = model.program.input.q
    answer = board.infer((q.real(fields) - model.preprocess.offset) / model.preprocess.scale)
    return answer.output, answer.label


def agrees(board, model, fields) -> None:
    board.adopt(model.program)
    assert board.info.shape == model.program.shape_hash
    board.load(model)
    output, label = answers(board, model, fields)
    wanted = golden.run(model, fields)
    assert np.array_equal(output, wanted.output)
    assert wanted.label is None or np.array_equal(label, wanted.label)


def some_fields(model, count=2):
    q = model.program.input.q
    return np.random.default_rng(1).integers(q.low, q.high, (count, *model.program.input.shape), endpoint=True)


@quick
@given(chains())
def test_any_chain_that_comes_at_run_time_is_golden(loadable, drawn):
    agrees(loadable, *drawn)


@quick
@given(evolutions())
def test_any_evolution_that_comes_at_run_time_is_golden(loadable, drawn):
    agrees(loadable, *drawn)


@settings(quick, max_examples=10)
@given(recurrences())
def test_any_recurrence_that_comes_at_run_time_is_golden(loadable, drawn):
    agrees(loadable, *drawn)


@pytest.mark.slow
@settings(quick, max_examples=1500)
@given(st.one_of(chains(), evolutions(), evolutions(extreme=True), recurrences()))
def test_many_more_programs_that_come_at_run_time_are_golden(loadable, drawn):
    agrees(loadable, *drawn)


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_model_fits_the_room_there_is_by_default(loadable, name):
    model = load_model(name)
    agrees(loadable, model, some_fields(model, 1))


def keep_and_adopt(board, data: bytes):
    """Status, refusal and number that an image is answered with, whatever it is."""
    for first in range(0, len(data), 400):
        board.session.ask(Kind.PROGRAM, struct.pack("<H", first) + data[first : first + 400])
    status, reply = board.session.request(Kind.ADOPT, struct.pack("<H", len(data)))
    if status != Status.REFUSED:
        return status, None, None
    number, detail = struct.unpack("<bI", reply)
    return status, Refusal(number), detail


def sealed(body: bytes) -> bytes:
    """With the CRC that makes it whole."""
    return body + zlib.crc32(body).to_bytes(4, "little")


def put(data: bytes, at: int, code: str, value: int) -> bytes:
    """A number in an image replaced, and the CRC with it."""
    body = bytearray(data[:-4])
    struct.pack_into("<" + code, body, at, value)
    return sealed(bytes(body))


def simple(**more) -> Program:
    q = Q(8, 6)
    step = {"out_channels": 2, "taps": CROSS, "weight": Q(6, 5), "bias": Q(8, 6), "out": q} | more
    return Program(
        name="simple", input=Grid(7, 5, 2, q), steps=(Stencil(**step), Pool(kind="sum", size=2, out=Q(10, 6)))
    )


FIRST = HEADER.size
KERNEL = FIRST + 9 + 4 * len(CROSS)
"""Where the first step of an image begins, and a stencil's kernel behind its taps."""
WRONG = {
    "a flipped bit": (lambda data: data[:40] + bytes([data[40] ^ 4]) + data[41:], Refusal.DAMAGED, None),
    "nothing": (lambda data: b"", Refusal.CUT, 0),
    "another file": (lambda data: sealed(b"PK\3\4" + data[4:-4]), Refusal.VERSION, 1),
    "a later version": (lambda data: put(data, 4, "B", 2), Refusal.VERSION, 1),
    "half of it": (lambda data: sealed(data[: KERNEL + 5]), Refusal.CUT, KERNEL + 5),
    "more than it": (lambda data: sealed(data[:-4] + b"\0"), Refusal.CUT, None),
    "a step more than there are": (lambda data: put(data, 6, "B", 3), Refusal.CUT, None),
    "no steps": (lambda data: put(data, 6, "B", 0), Refusal.SHAPE, 0),
    "no rows": (lambda data: put(data, 7, "H", 0), Refusal.SHAPE, 0),
    "fields of 19 bits": (lambda data: put(data, 13, "B", 19), Refusal.FORMAT, 0),
    "a label of a grid": (lambda data: put(data, 5, "B", 1), Refusal.SHAPE, 1),
    "an unknown step": (lambda data: put(data, FIRST, "B", 6), Refusal.STEP, 0),
    "unknown flags": (lambda data: put(data, FIRST + 1, "B", 4), Refusal.SHAPE, 0),
    "an unknown boundary": (lambda data: put(data, FIRST + 2, "B", 3), Refusal.SHAPE, 0),
    "a stride of zero": (lambda data: put(data, FIRST + 3, "H", 0), Refusal.SHAPE, 0),
    "a repeat of zero": (lambda data: put(data, FIRST + 5, "H", 0), Refusal.SHAPE, 0),
    "no taps": (lambda data: put(data, FIRST + 7, "H", 0), Refusal.SHAPE, 0),
    "a tap above the grid": (lambda data: put(data, FIRST + 9, "h", -7), Refusal.SHAPE, 0),
    "a tap beside the grid": (lambda data: put(data, FIRST + 11, "h", 5), Refusal.SHAPE, 0),
    "no outputs": (lambda data: put(data, KERNEL, "H", 0), Refusal.SHAPE, 0),
    "a repeat that changes the grid": (
        lambda data: put(put(data, FIRST + 5, "H", 2), KERNEL, "H", 3),
        Refusal.SHAPE,
        0,
    ),
    "more outputs than words": (lambda data: put(data, KERNEL, "H", 65535), Refusal.MEMORIES, 0),
    "more repeats than a frame names": (lambda data: put(data, FIRST + 5, "H", 43), Refusal.MEMORIES, 0),
    "weights of 17 bits": (lambda data: put(data, KERNEL + 2, "B", 17), Refusal.FORMAT, 0),
    "biases of 33 bits": (lambda data: put(data, KERNEL + 3, "B", 33), Refusal.FORMAT, 0),
    "a bias beyond the accumulator": (lambda data: put(data, KERNEL + 4, "B", 55), Refusal.FORMAT, 0),
    "lanes that do not divide": (lambda data: put(data, KERNEL + 6, "H", 3), Refusal.SHAPE, 0),
    "no lanes": (lambda data: put(data, KERNEL + 6, "H", 0), Refusal.SHAPE, 0),
    "a shift beyond the accumulator": (lambda data: put(data, KERNEL + 11, "B", 63), Refusal.FORMAT, 0),
    "a table of 13 bits": (lambda data: put(data, KERNEL + 12, "B", 13), Refusal.FORMAT, 0),
    "a clip beyond the format": (lambda data: put(data, KERNEL + 17, "i", 128), Refusal.FORMAT, 0),
    "a tile beyond the grid": (lambda data: put(data, -6, "H", 8), Refusal.SHAPE, 1),
    "a frame of 2^42 values": (
        lambda data: put(data, 7, "Q", 0xFFFF_FFFF_FFFF & (2**14 << 32 | 2**14 << 16 | 2**14) | 8 << 48),
        Refusal.SHAPE,
        0,
    ),
    "a row of more than there is": (lambda data: put(data, 9, "H", 60_000), Refusal.MEMORY, None),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_refused_by_its_name_and_the_old_program_stays(loadable, what):
    harm, refusal, number = WRONG[what]
    model = load_model("mlp")
    agrees(loadable, model, some_fields(model))
    status, found, detail = keep_and_adopt(loadable, harm(image(simple())))
    assert (status, found) == (Status.REFUSED, refusal)
    assert number is None or detail == number
    assert loadable.held == model.content_hash, "its model still stands committed"
    output, _ = answers(loadable, model, some_fields(model))
    assert np.array_equal(output, golden.run(model, some_fields(model)).output)


def evolution() -> Program:
    """One update: a form of two taps, its square, two terms and a bias."""
    q = Q(8, 6)
    update = Update(
        forms=(Form(channel=0, taps=((-1, 0), (0, 1)), weights=(2, -1)),), products=(Product(left=0, right=0, out=Q(12, 8)),),
        terms=(Term(channel=0, coefficient=0, value=0), Term(channel=0, coefficient=1, value=1)), biased=(0,),
    )  # fmt: skip
    step = Evolve(body=(update,), times=3, coefficients=2, weight=Q(8, 4), bias=Q(10, 8))
    return Program(name="evolution", input=Grid(5, 4, 2, q), steps=(step,))


HEAD, UPDATE = FIRST + 1, FIRST + 14
FORM = UPDATE + 8 + 2
PRODUCT = FORM + 7 + 2 * 5
TARGET = PRODUCT + 5
TERM = TARGET + 9
WRONG_EVOLUTION = {
    "no time steps": (HEAD, "I", 0, Refusal.SHAPE),
    "planes of no maps": (HEAD + 4, "B", 1, Refusal.SHAPE),
    "65 maps": (HEAD + 5, "B", 65, Refusal.SHAPE),
    "no memory for maps": (HEAD + 7, "B", 0, Refusal.SHAPE),
    "coefficients of 19 bits": (HEAD + 8, "B", 19, Refusal.FORMAT),
    "more coefficients than words": (HEAD + 10, "H", 65535, Refusal.MEMORIES),
    "no updates": (HEAD + 12, "B", 0, Refusal.SHAPE),
    "an unknown boundary": (UPDATE, "B", 3, Refusal.SHAPE),
    "no forms": (UPDATE + 2, "H", 0, Refusal.SHAPE),
    "a value of 19 bits": (UPDATE + 8, "B", 19, Refusal.FORMAT),
    "a form beyond the width it claims": (UPDATE + 8, "B", 9, Refusal.FORMAT),
    "a form of no channel there is": (FORM, "I", 2, Refusal.INDEX),
    "a form's shift of 33": (FORM + 4, "B", 33, Refusal.FORMAT),
    "a form's tap above the grid": (FORM + 7, "h", -5, Refusal.SHAPE),
    "a product of itself": (PRODUCT, "H", 1, Refusal.INDEX),
    "a product's shift of 63": (PRODUCT + 4, "B", 63, Refusal.FORMAT),
    "a target of no channel there is": (TARGET, "H", 2, Refusal.INDEX),
    "a bias beyond those there are": (TARGET + 2, "h", 1, Refusal.INDEX),
    "a bias before the first": (TARGET + 2, "h", -2, Refusal.INDEX),
    "a bias beyond the accumulator": (TARGET + 4, "B", 54, Refusal.FORMAT),
    "a field beyond the accumulator": (TARGET + 5, "B", 56, Refusal.FORMAT),
    "a shift beyond the accumulator": (TARGET + 6, "B", 63, Refusal.FORMAT),
    "a term of no coefficient there is": (TERM, "H", 2, Refusal.INDEX),
    "a term of no value there is": (TERM + 2, "H", 2, Refusal.INDEX),
    "a term beyond the accumulator": (TERM + 4, "B", 46, Refusal.FORMAT),
}


def test_an_evolution_unharmed_is_golden(loadable):
    agrees(loadable, *_filled(evolution(), 2))


@pytest.mark.parametrize("what", WRONG_EVOLUTION)
def test_what_is_wrong_with_an_evolution_is_refused_by_its_name(loadable, what):
    at, code, value, refusal = WRONG_EVOLUTION[what]
    before = loadable._identify()
    assert keep_and_adopt(loadable, put(image(evolution()), at, code, value)) == (Status.REFUSED, refusal, 0)
    assert loadable._identify() == before


def test_a_new_program_has_weights_of_zero_and_no_model(loadable):
    model = load_model("mlp")
    agrees(loadable, model, some_fields(model))
    loadable.adopt(model.program)
    assert loadable.held is None
    assert all(not any(loadable._read(number, region)) for number, region in enumerate(loadable.info.regions))
    assert loadable.session.request(Kind.PUSH, b"\0\0\1")[0] == Status.NO_MODEL


def test_an_image_harmed_anywhere_is_refused_or_whole(loadable):
    """Bytes of an image drawn anew under a right CRC: what is taken is a whole program, what is refused leaves the old."""
    dice, data = (
        random.Random(7),
        [image(simple()), image(load_model("schroedinger").program), image(load_model("rnn").program)],
    )
    model, seen = load_model("mlp"), set()
    for number in range(300):
        body = bytearray(dice.choice(data)[:-4])
        for _ in range(dice.randrange(1, 4)):
            body[dice.randrange(len(body))] = dice.choice([0, 1, 2, 0x7F, 0x80, 0xFF, dice.randrange(256)])
        before = loadable._identify()
        status, refusal, _ = keep_and_adopt(loadable, sealed(bytes(body)))
        seen.add(refusal)
        if refusal is not None:
            assert loadable._identify() == before
        else:
            assert status == Status.OK
            assert loadable._identify()[1].shape == bytes(body[14:30])
        if number % 25 == 0:
            agrees(loadable, model, some_fields(model))
    assert seen >= {None, Refusal.SHAPE, Refusal.FORMAT, Refusal.CUT, Refusal.INDEX, Refusal.MEMORIES}


def test_a_program_cut_anywhere_is_refused(loadable):
    for program in (simple(), load_model("helmholtz").program):
        data = image(program)
        for length in range(0, len(data) - 4, 7):
            status, refusal, _ = keep_and_adopt(loadable, sealed(data[:length]))
            assert (status, refusal) == (Status.REFUSED, Refusal.CUT)


def hostile(dice: random.Random, images: list[bytes]) -> bytes:
    """An image with a few bytes drawn anew, mostly whole again."""
    body = bytearray(dice.choice(images)[:-4])
    for _ in range(dice.choice([0, 1, 1, 2, 5])):
        body[dice.randrange(len(body))] = dice.choice([0, 1, 2, 0x7F, 0x80, 0xFF, dice.randrange(256)])
    return sealed(bytes(body)) if dice.random() < 0.95 else bytes(body) + dice.randbytes(4)


@pytest.mark.parametrize("seed", range(3))
def test_programs_of_any_kind_amid_samples_of_any_kind_are_answered_once_each(seed):
    """Under sanitizers: hostile images, and samples through whatever was taken of them."""
    dice, requests = random.Random(seed), [(Kind.PUSH, b"\0\0\1"), (Kind.COMMIT, bytes(16)), (Kind.READ, b"\0\0\0\1\0")]
    images = [
        image(simple()),
        image(simple(boundary="periodic", repeat=3)),
        image(simple(skip=True, phi=Table(Q(3, 2), tuple(range(-4, 4))))),
    ]
    images += [image(load_model(name).program) for name in ("mlp", "rnn", "schroedinger")]
    for _ in range(60):
        data = hostile(dice, images)
        requests += [
            (Kind.PROGRAM, struct.pack("<H", first) + data[first : first + 500]) for first in range(0, len(data), 500)
        ]
        requests.append((Kind.ADOPT, struct.pack("<H", len(data))))
        requests.append((Kind.WRITE, struct.pack("<BH", 0, dice.randrange(40)) + dice.randbytes(dice.randrange(400))))
        requests += [
            (Kind.COMMIT, bytes(16)),
            (Kind.PUSH, b"\0\0" + b"\7\2\0\0\0" + dice.randbytes(480)),
            (Kind.PULL, struct.pack("<HH", 0, 400)),
        ]
        requests += [
            (Kind.PROGRAM, struct.pack("<H", dice.choice([0, 12287, 65535])) + dice.randbytes(2)),
            (Kind.IDENTIFY, b""),
        ]
    wire = b"".join(
        encode(Frame(kind, number & 255, payload))
        for number, (kind, payload) in enumerate([(Kind.SYNC, b"abcd"), *requests])
    )
    done = subprocess.run([build(None, "stdin")], input=b"\0" + wire, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found = [decode(part) for part in done.stdout.split(b"\0") if part]
    assert [answer.kind for answer in found] == [kind | REPLY for kind, _ in [(Kind.SYNC, b""), *requests]]
    statuses = {(answer.kind & ~REPLY, Status(answer.payload[0])) for answer in found}
    assert statuses >= {
        (Kind.ADOPT, Status.OK),
        (Kind.ADOPT, Status.REFUSED),
        (Kind.COMMIT, Status.NO_MODEL),
        (Kind.PUSH, Status.NO_MODEL),
    }
    assert statuses >= {(Kind.PROGRAM, Status.RANGE), (Kind.PUSH, Status.OK), (Kind.PULL, Status.OK)}


def test_a_program_that_needs_more_memory_is_refused_with_both_numbers():
    model, sizes = load_model("mlp"), "-DNPDE_ARENA_BYTES=3000 -DNPDE_IMAGE_BYTES=200"
    with RunningFirmware(None, "posix", more=sizes) as running, Board.open(running.port) as board:
        assert board.room == (200, 3000)
        with pytest.raises(
            LinkError, match=r"refused the program: it needs \d{4} bytes of memory, and 3000 are set aside"
        ):
            board.adopt(model.program)
        with pytest.raises(LinkError, match=r"image has 394 bytes; the board on .* keeps 200"):
            board.adopt(load_model("digits").program)
        small = Program(name="pool", input=Grid(4, 4, 1, Q(8, 6)), steps=(Pool(kind="max", size=2, out=Q(8, 6)),))
        agrees(board, *_filled(small, 1))


def test_a_board_of_a_program_of_its_own_says_that_it_takes_no_other():
    with (
        RunningFirmware(load_model("mlp"), "posix") as firmware,
        Board.open(firmware.port, load_model("rnn").program) as board,
    ):
        assert board.room is None
        with pytest.raises(
            LinkError,
            match=r"built in and takes no other at run time; 'rnn.*' needs a bitstream or firmware of its own",
        ):
            board.adopt(load_model("rnn").program)
        board.load(load_model("mlp"))


def test_before_its_first_program_a_board_says_so():
    with RunningFirmware(None, "posix") as firmware, Board.open(firmware.port) as board:
        assert board.held is None
        assert board.info.shape == bytes(16)
        with pytest.raises(LinkError, match="no program yet; npde load"):
            board.load(load_model("mlp"))
        assert board.session.request(Kind.COMMIT, bytes(16))[0] == Status.NO_MODEL


def test_a_program_that_no_image_holds_is_refused_by_the_host():
    q = Q(8, 6)
    many = Program(name="many", input=Grid(1, 1, 1, q), steps=(Pool(kind="max", size=1, out=q),) * 256)
    with pytest.raises(FitError, match="256 steps; an image has at most 255"):
        image(many)
    step = Stencil(out_channels=1, taps=((0, 0), (0, 40_000)), weight=Q(6, 5), bias=Q(8, 6), out=q)
    with pytest.raises(FitError, match="farther than 32767"):
        image(Program(name="far", input=Grid(1, 50_000, 1, q), steps=(step,)))


@pytest.mark.parametrize(
    "port", ["firmware:posix:none", pytest.param("firmware:mps2-an386:none", marks=pytest.mark.slow)]
)
def test_the_suite_for_any_board_passes_on_programs_that_come_at_run_time(port):
    board = BOARDS[port.split(":")[1]]
    if board.emulator and not (shutil.which(board.emulator[0]) and shutil.which(board.compiler)):
        pytest.skip(f"needs {board.compiler} and {board.emulator[0]}")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        str(ROOT / "tests/hil"),
        f"--npde-board={port}",
        "--npde-count=5",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "8 passed" in done.stdout
