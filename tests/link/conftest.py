"""A board written from the protocol's text alone, on a pseudo-terminal or on a line without a clock, that can be told to misbehave."""

from __future__ import annotations

import os
import select
import struct
import threading
import time
import tty
import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from npde import golden
from npde.link.packing import Fold, Packing
from npde.link.protocol import Info, Region
from npde.model import Model, Preprocess, Weights
from npde.program import CROSS, Clip, Dense, Grid, Pool, Program, Q, Stencil

OK, SEQUENCE, UNKNOWN, LENGTH, RANGE, NO_MODEL, POSITION = range(7)
SYNC, IDENTIFY, STATUS, RESET, READ, WRITE, COMMIT, PUSH, PULL = range(1, 10)
RATE, DESCRIBE = 12, 13
LONGEST = 512


def stuff(data: bytes) -> bytes:
    """Consistent overhead byte stuffing (Cheshire and Baker 1997), without the delimiter."""
    out = bytearray()
    for block in data.split(b"\0"):
        while len(block) >= 254:
            out += b"\xff" + block[:254]
            block = block[254:]
        out += bytes([len(block) + 1]) + block
    return bytes(out)


def unstuff(data: bytes) -> bytes | None:
    """Its inverse; None for what no stuffing gives."""
    out, at = bytearray(), 0
    while at < len(data):
        code = data[at]
        if code == 0 or at + code > len(data):
            return None
        out += data[at + 1 : at + code]
        at += code
        if code < 255 and at < len(data):
            out.append(0)
    return bytes(out)


def signed(bits: list[int]) -> int:
    """Two's complement, least significant first."""
    return sum(bit << place for place, bit in enumerate(bits)) - (bits[-1] << len(bits))


def unpacked(packing: Packing, memory: bytes) -> Weights:
    """The weights in a memory, bit by bit as the packing module's text lays them out."""
    stencil, pe, simd = packing.stencil, packing.fold.pe, packing.fold.simd
    width, inputs, outputs = stencil.weight.width, packing.grid.channels, stencil.out_channels
    size = len(memory) // packing.depth
    words = [[memory[w * size + b // 8] >> b % 8 & 1 for b in range(pe * simd * width)] for w in range(packing.depth)]
    lane = simd * width
    bias_words = -(-stencil.bias.width // lane)
    per_fold = packing.depth // (outputs // pe)
    taps = (per_fold - bias_words) // (inputs // simd)
    own = list(stencil.taps) + ([(0, 0)] if stencil.skip and (0, 0) not in stencil.taps else [])
    leading = taps - len(own)
    kernel, bias = np.zeros((outputs, inputs, len(stencil.taps)), np.int64), np.zeros(outputs, np.int64)
    for fold in range(outputs // pe):
        of_fold = words[fold * per_fold :]
        for p in range(pe):
            bias[fold * pe + p] = signed([bit for word in reversed(of_fold[:bias_words]) for bit in word[p * lane : (p + 1) * lane]])
        for place in range(taps * (inputs // simd)):
            tap, group = divmod(place, inputs // simd)
            for p in range(pe):
                for s in range(simd):
                    value = signed(of_fold[bias_words + place][(p * simd + s) * width :][:width])
                    if leading <= tap < leading + len(stencil.taps):
                        kernel[fold * pe + p, group * simd + s, tap - leading] = value
                    else:
                        assert value == 0, "a tap the program does not have must weigh nothing"
    return Weights(kernel, bias)


class BoardModel:
    """What a board does with the bytes it receives; no clock, no port.

    ``lie(kind, status, body)`` may change an answer before it is framed; ``deliver(answers, wire)``
    says which byte strings leave for the framed answer number ``answers`` (a number among them is a pause).
    ``rates``: whether it takes RATE; ``bit`` is then what it was asked for.
    """

    def __init__(self, model: Model, *, answers: int = 64, info: Info | None = None, rates: bool = False):
        self.model, self.rates = model, rates
        self.steps = {index: (stencil, grid) for index, stencil, grid in model.program.weighted()}
        self.packings = [Packing(stencil, grid, Fold(1, 1)) for stencil, grid in self.steps.values()]
        regions = tuple(Region(index, 0, 1, 1, p.depth, p.width) for index, p in zip(self.steps, self.packings, strict=True))
        program = model.program
        self.info = info or Info(
            "fake", b"01234567", program.shape_hash, 12_000_000, 3_000_000, LONGEST, 1024, answers,
            program.input.size, program.output.size * 2 + 1, regions,
        )  # fmt: skip
        self.first = self.bit = round(self.info.clock / self.info.baud)
        self.memories = [bytearray(r.depth * r.word_bytes) for r in self.info.regions]
        self.lie = lambda kind, status, body: (status, body)
        self.deliver = lambda number, wire: [wire]
        self.requests: list[tuple[int, int]] = []
        self.answered = 0
        self.received = bytearray()
        self.known: dict[bytes, bytes] = {}
        self.power_up()

    def power_up(self):
        """What a reset of the whole board leaves."""
        self.expected, self.committed, self.dropped, self.hash = 0, False, 0, bytes(16)
        self._empty()

    def _empty(self):
        self.taken = self.produced = 0
        self.buffer, self.kept = bytearray(), bytearray()

    def receive(self, block: bytes) -> Iterator[bytes | float]:
        """What leaves because of ``block``: bytes, and pauses in seconds."""
        self.received += block
        while b"\0" in self.received:
            stuffed, _, self.received = self.received.partition(b"\0")
            yield from self._take(bytes(stuffed))

    def _take(self, stuffed: bytes) -> Iterator[bytes | float]:
        if not stuffed:
            return
        frame = unstuff(stuffed)
        if frame is None or not 6 <= len(frame) <= LONGEST or zlib.crc32(frame[:-4]) != int.from_bytes(frame[-4:], "little"):
            self.dropped += 1
            return
        kind, sequence, payload = frame[0], frame[1], frame[2:-4]
        self.requests.append((kind, sequence))
        status, body = self.lie(kind, *self._judge(kind, sequence, payload))
        answer = bytes([kind | 0x80, sequence, status]) + body
        wire = stuff(answer + zlib.crc32(answer).to_bytes(4, "little")) + b"\0"
        number, self.answered = self.answered, self.answered + 1
        yield from self.deliver(number, wire)

    def _judge(self, kind, sequence, payload) -> tuple[int, bytes]:
        if kind != SYNC and sequence != self.expected:
            return SEQUENCE, self.expected.to_bytes(2, "little")
        self.expected = (sequence + 1) % 256
        does = {
            SYNC: self._sync, IDENTIFY: self._identify, STATUS: self._status, RESET: self._reset, READ: self._read, WRITE: self._write,
            COMMIT: self._commit, PUSH: self._push, PULL: self._pull, DESCRIBE: self._describe,
        } | ({RATE: self._rate} if self.rates else {})  # fmt: skip
        if kind not in does:
            return UNKNOWN, b""
        exact = {SYNC: 4, IDENTIFY: 0, STATUS: 0, RESET: 0, READ: 5, COMMIT: 16, PULL: 4, RATE: 2, DESCRIBE: 4}
        if (kind in exact and len(payload) != exact[kind]) or len(payload) < {WRITE: 3, PUSH: 2}.get(kind, 0):
            return LENGTH, b""
        return does[kind](payload)

    def _sync(self, nonce):
        return OK, nonce + b"\x01"

    def _identify(self, _):
        return OK, bytes([self.committed + 2 * self.rates]) + self.hash + self.info.pack()

    def _describe(self, payload):
        first, most = struct.unpack("<HH", payload)
        return OK, (self.hash + self.info.pack())[first:][: min(most, LONGEST - 7)]

    def _rate(self, payload):
        cycles = int.from_bytes(payload, "little")
        if not 4 <= cycles <= self.first:
            return RANGE, b""
        self.bit = cycles
        return OK, b""

    def _status(self, _):
        return OK, struct.pack("<BHHHI", self.committed + 2 * self.rates, self.dropped % 65536, self.taken % 65536, self.produced % 65536, 0)

    def _reset(self, _):
        self._empty()
        return OK, b""

    def _read(self, payload):
        self._empty()
        number, first, count = struct.unpack("<BHH", payload)
        if number >= len(self.memories) or first >= self.info.regions[number].depth:
            return RANGE, b""
        size = self.info.regions[number].word_bytes
        return OK, bytes(self.memories[number][first * size :][: min(count, (LONGEST - 7) // size) * size])

    def _write(self, payload):
        self._empty()
        self.committed = False
        number, first = struct.unpack("<BH", payload[:3])
        region = self.info.regions[number] if number < len(self.info.regions) else Region(0, 0, 1, 1, 0, 8)
        size = region.word_bytes
        for place, at in enumerate(range(3, len(payload), size)):
            if first + place >= region.depth:
                return RANGE, b""
            if len(payload) - at < size:
                return LENGTH, b""
            self.memories[number][(first + place) * size : (first + place + 1) * size] = payload[at : at + size]
        return OK, b""

    def _commit(self, payload):
        self._empty()
        self.committed, self.hash = True, payload
        weights = {i: unpacked(p, bytes(m)) for i, p, m in zip(self.steps, self.packings, self.memories, strict=True)}
        self.running = replace(self.model, weights=weights)
        self.known.clear()
        return OK, b""

    def _push(self, payload):
        position = int.from_bytes(payload[:2], "little")
        if not self.committed:
            return NO_MODEL, b""
        if position != self.taken % 65536:
            return POSITION, (self.taken % 65536).to_bytes(2, "little")
        for byte in payload[2:]:
            if len(self.buffer) == self.info.sample - 1 and len(self.kept) + self.info.answer > self.info.answers:
                break
            self.buffer.append(byte)
            self.taken += 1
            if len(self.buffer) == self.info.sample:
                self._answer(bytes(self.buffer))
                self.buffer.clear()
        return OK, (self.taken % 65536).to_bytes(2, "little")

    def _answer(self, sample: bytes):
        """Golden's, of the weights that were written and the bytes that came; computed once for each."""
        if sample not in self.known:
            answer = golden.run(self.running, np.frombuffer(sample, np.int8).reshape(1, *self.running.program.input.shape))
            self.known[sample] = answer.output.astype("<i2").tobytes() + bytes([int(answer.label[0])])
        self.kept += self.known[sample]
        self.produced += len(self.known[sample])

    def _pull(self, payload):
        position, most = struct.unpack("<HH", payload)
        ahead = (self.produced - position) % 65536
        if ahead > len(self.kept):
            return POSITION, (self.produced % 65536).to_bytes(2, "little")
        del self.kept[: len(self.kept) - ahead]
        return OK, payload[:2] + bytes(self.kept[: min(most, LONGEST - 9)])


class FakeBoard(BoardModel):
    """Answers on :attr:`port`, a pseudo-terminal."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.port = os.ttyname(self.slave)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        # The thread first: it would go on reading from whatever gets the same descriptor next.
        self.stopping.set()
        self.thread.join()
        for end in (self.master, self.slave):
            os.close(end)

    def _serve(self):
        while not self.stopping.is_set():
            if not select.select([self.master], [], [], 0.02)[0]:
                continue
            for part in self.receive(os.read(self.master, 4096)):
                if isinstance(part, bytes):
                    os.write(self.master, part)
                else:
                    time.sleep(part)


class MemoryPipe:
    """A board at the end of a line within this process: its clock moves by what is waited for and sent, and by nothing else.

    Above ``bears`` baud nothing passes; ``port_bears`` is what the port can be set to.
    """

    HOLD = 0.1

    def __init__(self, board: BoardModel):
        self.board, self.baud = board, board.info.baud
        self.bears = self.port_bears = 100_000_000
        self.seconds, self.back = 0.0, bytearray()
        self.waiting: float | None = None
        """Since when the board, at another rate than its first, waits for a whole frame."""

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def rate(self, baud: int) -> int:
        self.baud = min(baud, self.port_bears)
        return self.baud

    def read(self, patience: float) -> bytes:
        if not self.back:
            self.seconds += patience
        back, self.back = bytes(self.back), bytearray()
        return back

    def write(self, wire: bytes) -> None:
        board = self.board
        if self.waiting is not None and self.seconds - self.waiting > self.HOLD:
            board.bit, self.waiting = board.first, None
        self.seconds += len(wire) * 10 / self.baud
        bit = board.bit
        understood = abs(board.info.clock / bit - self.baud) < 0.03 * self.baud and self.baud <= self.bears
        asked = len(board.requests)
        for part in board.receive(wire if understood else b"?" * len(wire)):
            self.seconds += len(part) * 10 / self.baud if isinstance(part, bytes) else part
            self.back += part if isinstance(part, bytes) else b""
        if board.bit != bit:
            self.waiting = self.seconds
        elif len(board.requests) > asked:
            self.waiting = None
        elif board.bit != board.first and self.waiting is None:
            self.waiting = self.seconds

    def close(self) -> None:
        self.back.clear()


def small_model(seed: int = 0) -> Model:
    program = Program(name="small", input=Grid(4, 4, 1, Q(8, 7)), argmax=True, steps=(
        Stencil(out_channels=2, taps=CROSS, weight=Q(6, 5), bias=Q(12, 8), out=Q(8, 7), phi=Clip(-127, 127)),
        Pool(kind="sum", size=2, out=Q(8, 6)),
        Dense(out_channels=3, weight=Q(5, 3), bias=Q(8, 4), out=Q(12, 4)),
    ))  # fmt: skip
    rng = np.random.default_rng(seed)
    weights = {
        0: Weights(rng.integers(-32, 32, (2, 1, 5)), rng.integers(-300, 300, 2)),
        2: Weights(rng.integers(-16, 16, (3, 8, 1)), rng.integers(-128, 128, 3)),
    }
    return Model(program, weights, Preprocess(1 / 128, 0.0))


@pytest.fixture
def small():
    return small_model()


@pytest.fixture
def other_small():
    """Another model of the same program."""
    return small_model(1)


@pytest.fixture
def fake_board():
    """``fake_board(model, …)`` gives a running :class:`FakeBoard`."""
    boards = []

    def start(*args, **more) -> FakeBoard:
        boards.append(FakeBoard(*args, **more))
        return boards[-1]

    yield start
    for board in boards:
        board.close()


@pytest.fixture
def memory_board():
    """``memory_board(model, …)`` gives a :class:`MemoryPipe` with a :class:`BoardModel` at its end."""
    return lambda *args, **more: MemoryPipe(BoardModel(*args, **more))


@pytest.fixture(scope="session")
def unpack():
    return unpacked


@pytest.fixture(scope="session")
def stuffing():
    """``(stuff, unstuff)``: byte stuffing by another implementation."""
    return stuff, unstuff
