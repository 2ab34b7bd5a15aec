"""A board with a model on it: load weights, ask for answers."""

from __future__ import annotations

import contextlib
import struct
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npde.errors import LinkError, ProgramError
from npde.golden import Answer
from npde.link.field import header, steps_in_turn, wire_of
from npde.link.layout import Layout, layouts
from npde.link.pipe import Pipe
from npde.link.port import REPLAY, resolve
from npde.link.program_room import Room, room, send
from npde.link.protocol import (
    COMMANDS,
    FIELD_EMIT,
    FIELD_LOAD,
    FIELD_REPORT,
    FLAG_COMMITTED,
    FLAG_PROGRAMS,
    FLAG_RATE,
    HASH_BYTES,
    INFO,
    PAYLOAD,
    REGION,
    Info,
    Kind,
    Region,
    Status,
    answer_bytes,
    sample_bytes,
    value_bytes,
)
from npde.link.rate import quicken, slow
from npde.link.record import Recorder, Replay
from npde.link.session import ALONE, NotWholeError, Session
from npde.link.stream import Transfer
from npde.model import Model
from npde.program import Evolve, Program

BAUD = 3_000_000
STALL = 120.0
"""Seconds without one answer more until a board is given up: minutes of a simulated one's work on a large frame."""

IDENTIFY_TRIES = 4
"""How often IDENTIFY is sent before its answer is asked for in parts."""
MOST_DESCRIBED = HASH_BYTES + INFO.size + 255 * REGION.size
DESCRIBE = struct.Struct(COMMANDS[Kind.DESCRIBE].request)
READ, WRITE = struct.Struct(COMMANDS[Kind.READ].request), struct.Struct(COMMANDS[Kind.WRITE].request.rstrip("+"))
COUNTERS = struct.Struct(COMMANDS[Kind.STATUS].reply)


class Counters(NamedTuple):
    """``holds_model`` 0 or 1; frames ``dropped``; bytes ``taken`` and ``produced`` modulo 65536; busy ``cycles``."""

    holds_model: int
    dropped: int
    taken: int
    produced: int
    cycles: int


class Board:
    """What answers on a serial port; ``info`` is what it says of itself, ``model`` what was loaded from here.

    ``stall``: seconds without a further answer after which :meth:`infer` gives up.
    """

    def __init__(self, session: Session, *, release: Callable[[], object] = lambda: None, stall: float = STALL):
        self.session, self._release, self.stall = session, release, stall
        flags, self.info = self._identify()
        session.ring = self.info.ring
        self._takes_programs = bool(flags & FLAG_PROGRAMS)
        self.takes_rate = bool(flags & FLAG_RATE)
        """Whether it can be asked for another bit rate."""
        self.model: Model | None = None
        self.resident = False
        """Whether the loaded program's field stays on the board."""

    def _identify(self) -> tuple[int, Info]:
        flags, described = self._identity()
        try:
            return flags, Info.unpack(described[HASH_BYTES:])
        except ValueError as error:
            raise LinkError(f"the board on {self.session.port} describes itself wrongly: {error}") from error

    @classmethod
    def open(
        cls, port: str, program: Program | None = None, *, baud: int | None = None, record: Recorder | None = None, pipe: Pipe | None = None,
    ) -> Board:
        """The board on a device path, ``virtual:BOARD[:MODEL]`` (see :func:`npde.link.port.resolve`) or ``replay:FILE``.

        A board that takes programs at run time is given ``program``, if it has another; see :meth:`adopt`.
        ``baud``: the bit rate, and no other; without it :data:`BAUD` at first, then the fastest that board, port and line
        bear (:mod:`npde.link.rate`). ``record`` is told every exchange; ``pipe`` carries the bytes in place of what ``port`` names.
        Raises :class:`LinkError` when none answers there.
        """
        path, release = resolve(port)
        if pipe is None and path.startswith(REPLAY):
            pipe = Replay(path.removeprefix(REPLAY))
        with contextlib.ExitStack() as undo:
            undo.callback(release)
            session = Session(path, BAUD if baud is None else baud, pipe=pipe, answered=record or _unrecorded)
            undo.callback(session.close)
            board = cls(session, release=release)
            if baud is None and board.takes_rate and not isinstance(pipe, Replay):
                quicken(session, board.info)
            if program is not None and program.shape_hash != board.info.shape and board.room is not None:
                board.adopt(program)
            undo.pop_all()
        return board

    @property
    def held(self) -> bytes | None:
        """The content hash of the model the board holds, whoever loaded it, or None."""
        flags, described = self._identity()
        return described[:HASH_BYTES] if flags & FLAG_COMMITTED else None

    def _identity(self) -> tuple[int, bytes]:
        """The board's flags; its model's hash and INFO block, in one piece or, on a line too bad for that, in many."""
        session, got = self.session, bytearray()
        if session.frame >= ALONE:
            with contextlib.suppress(NotWholeError):
                reply = session.ask(Kind.IDENTIFY, most_tries=IDENTIFY_TRIES)
                return reply[0], reply[1:]
        while True:
            at, most = len(got), min(PAYLOAD - 3, session.frame)
            status, reply = session.request(
                Kind.DESCRIBE, DESCRIBE.pack(at, most), shorter=lambda fewer, at=at, most=most: DESCRIBE.pack(at, min(most, fewer))  # type: ignore[misc]
            )
            if status == Status.UNKNOWN:  # a board of before there was DESCRIBE
                reply = session.ask(Kind.IDENTIFY)
                return reply[0], reply[1:]
            if status != Status.OK or len(got) > MOST_DESCRIBED:
                raise LinkError(f"the board on {session.port} describes itself wrongly: {status.name} after {len(got)} bytes")
            if not reply:
                return session.ask(Kind.STATUS)[0], bytes(got)
            got += reply

    def status(self) -> Counters:
        """The board's counters now."""
        flags, *counters = COUNTERS.unpack(self.session.ask(Kind.STATUS))
        return Counters(flags & FLAG_COMMITTED, *counters)

    def reset(self) -> None:
        """Forget every sample and answer under way; the weights stay."""
        self.session.ask(Kind.RESET)

    @property
    def room(self) -> Room | None:
        """What the board has for programs that come at run time; None where its program is built in."""
        return room(self.session) if self._takes_programs else None

    def adopt(self, program: Program) -> None:
        """Replace the board's program; its weights are then zero, and :meth:`load` brings them.

        Raises :class:`LinkError` where the program is built in, or the board refuses this one and keeps its own;
        :class:`npde.errors.FitError` for a program that no board could be sent.
        """
        from npde.firmware.image import image

        has = self.room
        if has is None:
            raise LinkError(
                f"the board on {self.session.port} has program {self.info.shape.hex()} built in and takes no other at run time; "
                f"{program.name!r} needs a bitstream or firmware of its own (npde build, npde export c)"
            )
        send(self.session, image(program), has)
        self.model, self.resident = None, False
        _, self.info = self._identify()
        if self.info.shape != program.shape_hash:
            raise LinkError(f"the board on {self.session.port} took program {program.name!r} and names {self.info.shape.hex()}")

    def load(self, model: Model) -> None:
        """Write the model's weights, read every word back, and commit its hash.

        Raises :class:`LinkError` when the bitstream was built for another program, or a word differs.
        """
        program = model.program
        if self.info.shape == bytes(HASH_BYTES):
            raise LinkError(f"the board on {self.session.port} has no program yet; npde load gives it one")
        if program.shape_hash != self.info.shape:
            raise LinkError(
                f"model {program.name!r} does not fit the bitstream on {self.session.port}, which was built for program "
                f"{self.info.shape.hex()}, not {program.shape_hash.hex()}"
            )
        self.model = None
        self.session.settle()
        with self.session.finishing():
            for number, (region, packing) in enumerate(zip(self.info.regions, self._packings(program), strict=True)):
                packed = packing.pack(model.weights[region.step])
                self._write(number, region, packed)
                if self._read(number, region) != packed:
                    raise LinkError(f"weights of step {region.step} read back differently from how they were written")
        self.session.ask(Kind.COMMIT, model.content_hash)
        self.model = model

    def _write(self, number: int, region: Region, packed: bytes) -> None:
        """Every word of a region, several frames under way at once: any order is right."""
        size = region.word_bytes
        refused = None
        left: deque[tuple[int, int]] = deque([(0, region.depth)])
        asked: deque[tuple[int, int]] = deque()
        while left or asked:
            first, end = left[0] if left else (0, 0)
            count = max(1, min((PAYLOAD - 5) // size, self.session.frame // size, end - first))
            if left and self.session.room(WRITE.size + count * size):
                payload = WRITE.pack(number, first) + packed[first * size : (first + count) * size]
                self.session.submit(Kind.WRITE, payload, shorter=partial(_fewer_words, payload, size))
                asked.append((first, first + count))
                left[0] = (first + count, end)
                if first + count == end:
                    left.popleft()
                continue
            request, (first, end) = self.session.collect(), asked.popleft()
            wrote = (len(request.payload) - WRITE.size) // size
            if first + wrote < end:  # a bad line made it shorter
                left.append((first + wrote, end))
            refused = refused or (request.status if request.status != Status.OK else None)
        if refused is not None:
            raise LinkError(f"the board on {self.session.port} refused WRITE: {refused.name}")

    def _read(self, number: int, region: Region) -> bytes:
        """Every word of a region; a frame that brings fewer words than asked for is followed by the rest."""
        size = region.word_bytes
        wanted: deque[tuple[int, int]] = deque([(0, region.depth)])
        asked: deque[tuple[int, int]] = deque()
        back = bytearray(region.depth * size)
        # As many words as a frame surely holds; the board also leaves room for the widest of its words.
        widest = max(r.word_bytes for r in self.info.regions)
        while wanted or asked:
            if wanted and self.session.room(READ.size):
                first, count = wanted.popleft()
                part = max(1, min(count, (min(PAYLOAD - 3, self.session.frame) - widest) // size))
                self.session.submit(Kind.READ, READ.pack(number, first, part), shorter=partial(_fewer_read, number, first, part, size))
                asked.append((first, part))
                if count > part:
                    wanted.appendleft((first + part, count - part))
                continue
            request, (first, part) = self.session.collect(), asked.popleft()
            if request.status != Status.OK:
                raise LinkError(f"the board on {self.session.port} refused READ: {request.status and request.status.name}")
            if not request.reply:
                raise LinkError(f"the board on {self.session.port} read back no words of step {region.step} from word {first}")
            if len(request.reply) % size or len(request.reply) > part * size:
                raise LinkError(
                    f"weights of step {region.step} read back differently from how they were written: "
                    f"{len(request.reply)} bytes for {part} words of {size}"
                )
            back[first * size : first * size + len(request.reply)] = request.reply
            if len(request.reply) < part * size:
                got = len(request.reply) // size
                wanted.append((first + got, part - got))
        return bytes(back)

    def _packings(self, program: Program) -> list[Layout]:
        """The layout of each of the board's regions; raises :class:`LinkError` where they are not the program's."""
        port, info = self.session.port, self.info
        try:
            found = layouts(program, info.regions)
        except ProgramError as error:
            raise LinkError(f"the board on {port} is not made for this program: {error}") from None
        simulation = len(program.steps) == 1 and any(program.evolutions())
        self.resident = simulation and info.sample != sample_bytes(program.input, resident=False)
        for what, bytes_told, right in (
            ("a sample", info.sample, sample_bytes(program.input, resident=self.resident)),
            ("an answer", info.answer, answer_bytes(program.output, program.argmax)),
        ):
            if bytes_told != right:
                raise LinkError(f"the board on {port} says {what} has {bytes_told} bytes where the program has {right}")
        return found

    def infer(self, raw: ArrayLike, *, progress: Callable[[int], None] | None = None) -> Answer:
        """Answers for raw samples, (batch, height, width[, channels]), as :func:`npde.golden.run` gives them."""
        if self.model is None:
            raise LinkError("no model was loaded; call load first")
        program = self.model.program
        fields = self.model.quantise_input(raw)
        wires = wire_of(fields, program.input.q)
        if self.resident:
            evolve = program.steps[0]
            assert isinstance(evolve, Evolve)
            # One by one: a board that computes for seconds takes no bytes meanwhile, and would leave a PUSH unanswered.
            begin = header(FIELD_LOAD | FIELD_EMIT, evolve.times)
            got = b"".join(self._exchange(begin + wire, 1, self.info.answer, progress) for wire in wires)
        else:
            got = self._exchange(b"".join(wires), len(fields), self.info.answer, progress)
        return self._answer(program, np.frombuffer(got, np.uint8).reshape(len(fields), self.info.answer))

    def write_field(self, field: ArrayLike) -> None:
        """Put a field, integers (height, width, channels) of the grid's format, onto the board, which keeps it."""
        program = self._resident_program()
        integers, q = np.asarray(field), program.input.q
        if integers.shape != program.input.shape or not np.issubdtype(integers.dtype, np.integer):
            raise LinkError(f"the board's field has integers of shape {program.input.shape}, not {integers.dtype} of {integers.shape}")
        if integers.size and not (q.low <= integers.min() and integers.max() <= q.high):
            raise LinkError(f"a field that spans [{integers.min()}, {integers.max()}] leaves the range of {q}")
        self._exchange(header(FIELD_LOAD | FIELD_REPORT, 0) + wire_of(integers[None], q)[0], 1, 1)

    def step(self, times: int) -> int:
        """Run so many time steps on the board's field, in place; returns, when they are done, the cycles the board counted.

        The order's five bytes and the report are in them; the board counts modulo 2**32.
        """
        evolve = self._resident_program().steps[0]
        assert isinstance(evolve, Evolve)
        if times < 0:
            raise LinkError(f"a field is advanced by 0 time steps or more, not {times}")
        if evolve.planes:
            raise LinkError("an evolution with a plane of maps for each time step runs as a whole; use infer")
        cycles = 0
        for turn in steps_in_turn(times):
            self._exchange(header(FIELD_REPORT, turn), 1, 1)
            cycles += self.status().cycles
        return cycles

    def read_field(self) -> NDArray[np.int64]:
        """The board's field, integers (height, width, channels); it stays as it is."""
        program = self._resident_program()
        got = self._exchange(header(FIELD_EMIT, 0), 1, self.info.answer)
        return self._answer(program, np.frombuffer(got, np.uint8).reshape(1, -1)).output[0]

    def _resident_program(self) -> Program:
        if self.model is None:
            raise LinkError("no model was loaded; call load first")
        if not self.resident:
            raise LinkError(f"program {self.model.program.name!r} keeps no field on the board; only a single evolution does")
        return self.model.program

    def _exchange(self, wire: bytes, count: int, size: int, progress: Callable[[int], None] | None = None) -> bytes:
        """Empty the streams, push ``wire``, pull ``count`` answers of ``size`` bytes each."""
        got, told = bytearray(), 0
        for piece in self._stream(wire, count, size):
            got += piece
            done = len(got) // size
            if progress is not None and done > told:
                progress(done - told)
            told = done
        return bytes(got)

    def _stream(self, wire: bytes, count: int, size: int) -> Iterator[bytes]:
        self.session.ask(Kind.RESET)
        yield from Transfer(self.session, wire, count, size, kept=self.info.answers, stall=self.stall).answers()

    @staticmethod
    def _answer(program: Program, wire: NDArray[np.uint8]) -> Answer:
        grid = program.output
        size = value_bytes(grid.q.width)
        unsigned = _little_endian(wire[:, : grid.size * size].reshape(-1, size))
        output = (unsigned << (64 - 8 * size)) >> (64 - 8 * size)
        label = _little_endian(wire[:, grid.size * size :]) if program.argmax else None
        return Answer(output.reshape(-1, *grid.shape), label)

    def close(self) -> None:
        """Give the port back, and end a virtual board that was started for it."""
        slow(self.session, self.info)
        self.session.close()
        self._release()

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _fewer_words(payload: bytes, size: int, most: int) -> bytes:
    """A WRITE of the first words alone, as many as ``most`` bytes hold, or one."""
    return payload[: WRITE.size + max(1, most // size) * size]


def _fewer_read(number: int, first: int, count: int, size: int, most: int) -> bytes:
    """A READ of as many words as ``most`` bytes hold, or one."""
    return READ.pack(number, first, max(1, min(count, most // size)))


def _unrecorded(_: object) -> None:
    """What is told every exchange where none is recorded."""


def _little_endian(wire: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Rows of bytes, least significant first, to one integer each."""
    shifts = 8 * np.arange(wire.shape[1], dtype=np.int64)
    return np.bitwise_or.reduce(wire.astype(np.int64) << shifts, axis=1)
