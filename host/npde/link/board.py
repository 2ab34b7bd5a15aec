"""A board with a model on it: load weights, ask for answers."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npde.errors import LinkError
from npde.golden import Answer
from npde.link.packing import Fold, Packing
from npde.link.protocol import (
    FRAME_BYTES,
    HASH_BYTES,
    OVERHEAD_BYTES,
    POSITION_MODULUS,
    Info,
    Kind,
    Status,
    value_bytes,
)
from npde.link.session import Session
from npde.model import Model

BAUD = 3_000_000
PAYLOAD = FRAME_BYTES - OVERHEAD_BYTES


class Board:
    """What answers on a serial port; ``info`` is what it says of itself, ``model`` what was loaded from here."""

    def __init__(self, session: Session):
        self.session = session
        reply = session.ask(Kind.IDENTIFY)
        try:
            self.info = Info.unpack(reply[1 + HASH_BYTES :])
        except ValueError as error:
            raise LinkError(f"the board on {session.port} describes itself wrongly: {error}") from error
        self.model: Model | None = None

    @classmethod
    def open(cls, port: str, *, baud: int = BAUD) -> Board:
        """The board on a device path; raises :class:`LinkError` when none answers there."""
        return cls(Session(port, baud))

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
        steps = {index: (stencil, grid) for index, stencil, grid in program.weighted()}
        for number, region in enumerate(self.info.regions):
            packed = Packing(*steps[region.step], Fold(region.pe, region.simd)).pack(model.weights[region.step])
            size = region.word_bytes
            per_frame = (PAYLOAD - 5) // size
            for first in range(0, region.depth, per_frame):
                words = packed[first * size : (first + per_frame) * size]
                self.session.ask(Kind.WRITE, struct.pack("<BH", number, first) + words)
            back = b""
            while len(back) < len(packed):
                at = len(back) // size
                back += self.session.ask(Kind.READ, struct.pack("<BHH", number, at, region.depth - at))
            if back != packed:
                raise LinkError(f"weights of step {region.step} read back differently from how they were written")
        self.session.ask(Kind.COMMIT, model.content_hash)
        self.model = model

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
        told = 0
        while len(got) < wanted:
            if pushed < len(wire):
                pushed += self._push(pushed, wire[pushed : pushed + PAYLOAD - 2])
            reply = self.session.ask(Kind.PULL, struct.pack("<HH", len(got) % POSITION_MODULUS, PAYLOAD - 3))
            got += reply[2:]
            done = len(got) // self.info.answer
            if progress is not None and done > told:
                progress(done - told)
            told = done
        return self._answer(program, np.frombuffer(bytes(got), np.uint8).reshape(len(fields), self.info.answer))

    def _push(self, position: int, samples: bytes) -> int:
        at = position % POSITION_MODULUS
        status, reply = self.session.request(Kind.PUSH, struct.pack("<H", at) + samples)
        if status != Status.OK:
            raise LinkError(f"the board on {self.session.port} refused samples: {status.name}")
        return (int.from_bytes(reply, "little") - at) % POSITION_MODULUS

    @staticmethod
    def _answer(program, wire: NDArray[np.uint8]) -> Answer:
        grid = program.output
        size = value_bytes(grid.q.width)
        unsigned = _little_endian(wire[:, : grid.size * size].reshape(-1, size))
        output = (unsigned << (64 - 8 * size)) >> (64 - 8 * size)
        label = _little_endian(wire[:, grid.size * size :]) if program.argmax else None
        return Answer(output.reshape(-1, *grid.shape), label)

    def close(self) -> None:
        """Give the port back."""
        self.session.close()


def _little_endian(wire: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Rows of bytes, least significant first, to one integer each."""
    shifts = 8 * np.arange(wire.shape[1], dtype=np.int64)
    return np.bitwise_or.reduce(wire.astype(np.int64) << shifts, axis=1)
