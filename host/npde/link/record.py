"""Exchanges with a board written down, one JSON object a line, and answered again without it.

A line holds ``kind``, ``request``, ``status`` and ``reply``: names, and payloads in hexadecimal. What was repeated on a bad
line is written once, with the answer it got in the end. Nothing in a recording is executed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TextIO

import msgspec

from npde.errors import FileError, LinkError
from npde.link.frame import Frame, decode, encode
from npde.link.protocol import DELIMITER, REPLY, Kind, Status
from npde.link.window import Request

LARGEST_FILE = 256 << 20


class Exchange(msgspec.Struct, forbid_unknown_fields=True):
    """One request and its answer, as a line of a recording."""

    kind: str
    request: str
    status: str
    reply: str


class Recorder:
    """Writes every answered request to ``path``; close it, or use it in a ``with`` statement."""

    def __init__(self, path: str | os.PathLike[str]):
        try:
            self._file: TextIO = Path(path).open("w", encoding="ascii")  # noqa: SIM115
        except OSError as error:
            raise FileError(f"{path} cannot be written: {error.strerror}") from error

    def __call__(self, request: Request) -> None:
        assert request.status is not None
        line = Exchange(request.kind.name, request.payload.hex(), request.status.name, request.reply.hex())
        self._file.write(msgspec.json.encode(line).decode() + "\n")
        self._file.flush()

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Replay:
    """A byte pipe with a recording behind it instead of a board: the same requests in the same order get the same answers.

    Closing it does not rewind it, so that several sessions of one recording follow each other. Raises
    :class:`LinkError` for a file that is no recording, and when another request comes than the recorded one.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path, self._place, self._sent, self._back = path, 0, bytearray(), bytearray()
        try:
            if Path(path).stat().st_size > LARGEST_FILE:
                raise LinkError(f"{path} is larger than the {LARGEST_FILE >> 20} MiB a recording may have")
            lines = Path(path).read_bytes().splitlines()
        except OSError as error:
            raise LinkError(f"no recording at {path}: {error.strerror}") from error
        self._exchanges = [self._parsed(number, line) for number, line in enumerate(lines, 1)]

    def _parsed(self, number: int, line: bytes) -> tuple[Kind, bytes, bytes]:
        try:
            found = msgspec.json.decode(line, type=Exchange)
            answer = bytes([Status[found.status]]) + bytes.fromhex(found.reply)
            return Kind[found.kind], bytes.fromhex(found.request), answer
        except (msgspec.MsgspecError, KeyError, ValueError) as error:
            raise LinkError(f"line {number} of {self.path} is no exchange of a recording: {error}") from None

    def write(self, wire: bytes) -> None:
        self._sent += wire
        while DELIMITER in self._sent:
            stuffed, _, rest = self._sent.partition(bytes([DELIMITER]))
            self._sent = rest
            frame = decode(bytes(stuffed)) if stuffed else None
            if frame is not None:
                self._back += encode(Frame(frame.kind | REPLY, frame.sequence, self._answer(frame)))

    def _answer(self, frame: Frame) -> bytes:
        if self._place == len(self._exchanges):
            raise LinkError(f"the recording {self.path} ends after {self._place} exchanges, and there is one request more")
        kind, request, answer = self._exchanges[self._place]
        self._place += 1
        if frame.kind == kind == Kind.SYNC:
            return answer[:1] + frame.payload + answer[1 + len(frame.payload) :]  # nonces are new each time
        if (frame.kind, frame.payload) != (kind, request):
            raise LinkError(
                f"exchange {self._place} of {self.path} is {kind.name} with {len(request)} bytes; "
                f"asked is {_kind(frame.kind)} with {len(frame.payload)}, or other bytes"
            )
        return answer

    def read(self, patience: float) -> bytes:
        if not self._back:
            time.sleep(min(patience, 0.01))
        back, self._back = bytes(self._back), bytearray()
        return back

    def now(self) -> float:
        return time.monotonic()

    def rate(self, baud: int) -> int:
        return baud

    def close(self) -> None:
        self._sent.clear()
        self._back.clear()


def _kind(number: int) -> str:
    return Kind(number).name if number in list(Kind) else f"kind {number}"
