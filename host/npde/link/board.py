"""A board with a model on it: load weights, ask for answers."""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npde.errors import LinkError, ProgramError
from npde.golden import Answer
from npde.link.field import header, steps_in_turn, wire_of
from npde.link.layout import Layout, layouts
from npde.link.port import resolve
from npde.link.protocol import (
    COMMANDS,
    FIELD_EMIT,
    FIELD_LOAD,
    FIELD_REPORT,
    FRAME_BYTES,
    HASH_BYTES,
    OVERHEAD_BYTES,
    POSITION_MODULUS,
    Info,
    Kind,
    Status,
    answer_bytes,
    sample_bytes,
    value_bytes,
)
from npde.link.session import Session
from npde.model import Model
from npde.program import Evolve, Program

BAUD = 3_000_000
PAYLOAD = FRAME_BYTES - OVERHEAD_BYTES
STALL = 120.0
"""Seconds without one answer more until a board is given up: minutes of a simulated one's work on a large frame."""

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
        reply = session.ask(Kind.IDENTIFY)
        try:
            self.info = Info.unpack(reply[1 + HASH_BYTES :])
        except ValueError as error:
            raise LinkError(f"the board on {session.port} describes itself wrongly: {error}") from error
        self.model: Model | None = None
        self.resident = False
        """Whether the loaded program's field stays on the board."""

    @classmethod
    def open(cls, port: str, *, baud: int = BAUD) -> Board:
        """The board on a device path, or ``virtual:BOARD[:MODEL]`` (see :func:`npde.link.port.resolve`).

        Raises :class:`LinkError` when none answers there.
        """
        path, release = resolve(port)
        with contextlib.ExitStack() as undo:
            undo.callback(release)
            session = Session(path, baud)
            undo.callback(session.close)
            board = cls(session, release=release)
            undo.pop_all()
        return board

    @property
    def held(self) -> bytes | None:
        """The content hash of the model the board holds, whoever loaded it, or None."""
        reply = self.session.ask(Kind.IDENTIFY)
        return reply[1 : 1 + HASH_BYTES] if reply[0] else None

    def status(self) -> Counters:
        """The board's counters now."""
        return Counters(*COUNTERS.unpack(self.session.ask(Kind.STATUS)))

    def reset(self) -> None:
        """Forget every sample and answer under way; the weights stay."""
        self.session.ask(Kind.RESET)

    def load(self, model: Model) -> None:
        """Write the model's weights, read every word back, and commit its hash.

        Raises :class:`LinkError` when the bitstream was built for another program, or a word differs.
        """
        program = model.program
        if program.shape_hash != self.info.shape:
            raise LinkError(
                f"model {program.name!r} does not fit the bitstream on {self.session.port}, which was built for program "
                f"{self.info.shape.hex()}, not {program.shape_hash.hex()}"
            )
        self.model = None
        for number, (region, packing) in enumerate(zip(self.info.regions, self._packings(program), strict=True)):
            packed = packing.pack(model.weights[region.step])
            size = region.word_bytes
            per_frame = (PAYLOAD - 5) // size
            for first in range(0, region.depth, per_frame):
                words = packed[first * size : (first + per_frame) * size]
                self.session.ask(Kind.WRITE, struct.pack("<BH", number, first) + words)
            back = b""
            while len(back) < len(packed):
                at = len(back) // size
                words = self.session.ask(Kind.READ, struct.pack("<BHH", number, at, region.depth - at))
                if not words:
                    raise LinkError(f"the board on {self.session.port} read back no words of step {region.step} from word {at}")
                back += words
            if back != packed:
                raise LinkError(f"weights of step {region.step} read back differently from how they were written")
        self.session.ask(Kind.COMMIT, model.content_hash)
        self.model = model

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
        self.session.ask(Kind.RESET)
        pushed, got = 0, bytearray()
        wanted = count * size
        told, last = 0, time.monotonic()
        while len(got) < wanted:
            if pushed < len(wire):
                pushed += self._push(pushed, wire[pushed : pushed + PAYLOAD - 2])
            before = len(got)
            got += self._pull(before)
            if len(got) > wanted:
                raise LinkError(f"the board on {self.session.port} gave more answers than it was given samples")
            done = len(got) // size
            if progress is not None and done > told:
                progress(done - told)
            told = done
            now = time.monotonic()
            if len(got) > before:
                last = now
            elif now - last > self.stall:
                raise LinkError(
                    f"the board on {self.session.port} has answered {done} of {count} samples "
                    f"and no more for {self.stall:g} seconds"
                )
        return bytes(got)

    def _pull(self, position: int) -> bytes:
        at = position % POSITION_MODULUS
        reply = self.session.ask(Kind.PULL, struct.pack("<HH", at, PAYLOAD - 3))
        place = int.from_bytes(reply[:2], "little")
        if place != at:
            raise LinkError(f"the board on {self.session.port} answers from position {place} where {at} was asked for")
        return reply[2:]

    def _push(self, position: int, samples: bytes) -> int:
        at = position % POSITION_MODULUS
        status, reply = self.session.request(Kind.PUSH, struct.pack("<H", at) + samples)
        taken = (int.from_bytes(reply[:2], "little") - at) % POSITION_MODULUS
        # POSITION answers a PUSH that was carried out before, its answer lost: it says how far that one came.
        if status not in (Status.OK, Status.POSITION) or taken > len(samples):
            raise LinkError(f"the board on {self.session.port} refused samples: {status.name}")
        return taken

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
        self.session.close()
        self._release()

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _little_endian(wire: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Rows of bytes, least significant first, to one integer each."""
    shifts = 8 * np.arange(wire.shape[1], dtype=np.int64)
    return np.bitwise_or.reduce(wire.astype(np.int64) << shifts, axis=1)
