"""A board with a model on it: load weights, ask for answers."""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npde.errors import LinkError
from npde.golden import Answer
from npde.link.packing import Fold, Packing
from npde.link.port import resolve
from npde.link.protocol import (
    COMMANDS,
    FRAME_BYTES,
    HASH_BYTES,
    OVERHEAD_BYTES,
    POSITION_MODULUS,
    Info,
    Kind,
    Status,
    answer_bytes,
    value_bytes,
)
from npde.link.session import Session
from npde.model import Model
from npde.program import Program

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

    def _packings(self, program: Program) -> list[Packing]:
        """The layout of each of the board's weight memories; raises :class:`LinkError` where they are not the program's."""
        port, info = self.session.port, self.info
        steps = {index: (stencil, grid) for index, stencil, grid in program.weighted()}
        wanted = sorted((index, copy) for index, (stencil, _) in steps.items() for copy in range(stencil.repeat))
        told = sorted((region.step, region.copy) for region in info.regions)
        if told != wanted:
            raise LinkError(f"the board on {port} has weight memories for steps and copies {told}; the program has {wanted}")
        packings = [Packing(*steps[region.step], Fold(region.pe, region.simd)) for region in info.regions]
        for region, packing in zip(info.regions, packings, strict=True):
            if (region.depth, region.width) != (packing.depth, packing.width):
                raise LinkError(
                    f"the board on {port} says a weight memory of step {region.step} has {region.depth} words of "
                    f"{region.width} bits; {region.pe}×{region.simd} lanes need {packing.depth} of {packing.width}"
                )
        for what, bytes_told, right in (
            ("a sample", info.sample, program.input.size * value_bytes(program.input.q.width)),
            ("an answer", info.answer, answer_bytes(program.output, program.argmax)),
        ):
            if bytes_told != right:
                raise LinkError(f"the board on {port} says {what} has {bytes_told} bytes where the program has {right}")
        return packings

    def infer(self, raw: ArrayLike, *, progress: Callable[[int], None] | None = None) -> Answer:
        """Answers for raw samples, (batch, height, width[, channels]), as :func:`npde.golden.run` gives them."""
        if self.model is None:
            raise LinkError("no model was loaded; call load first")
        program = self.model.program
        fields = self.model.quantise_input(raw)
        size = value_bytes(program.input.q.width)
        wire = fields.astype("<i8").reshape(-1, 1).view(np.uint8).reshape(-1, 8)[:, :size].tobytes()
        self.session.ask(Kind.RESET)
        pushed, got = 0, bytearray()
        wanted = len(fields) * self.info.answer
        told, last = 0, time.monotonic()
        while len(got) < wanted:
            if pushed < len(wire):
                pushed += self._push(pushed, wire[pushed : pushed + PAYLOAD - 2])
            before = len(got)
            got += self._pull(before)
            if len(got) > wanted:
                raise LinkError(f"the board on {self.session.port} gave more answers than it was given samples")
            done = len(got) // self.info.answer
            if progress is not None and done > told:
                progress(done - told)
            told = done
            now = time.monotonic()
            if len(got) > before:
                last = now
            elif now - last > self.stall:
                raise LinkError(
                    f"the board on {self.session.port} has answered {done} of {len(fields)} samples "
                    f"and no more for {self.stall:g} seconds"
                )
        return self._answer(program, np.frombuffer(bytes(got), np.uint8).reshape(len(fields), self.info.answer))

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
