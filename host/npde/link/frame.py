"""Frames on the wire: stuffing and checking, for whoever speaks the protocol from Python."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from cobs import cobs

from npde.link.protocol import CRC_BYTES, DELIMITER, FRAME_BYTES, OVERHEAD_BYTES

KEPT = 4 * FRAME_BYTES


@dataclass(frozen=True)
class Frame:
    """A request, or an answer whose ``payload`` begins with its status byte."""

    kind: int
    sequence: int
    payload: bytes


def encode(frame: Frame) -> bytes:
    """The bytes on the wire, delimiter included; raises :class:`ValueError` when the frame is too long."""
    body = bytes((frame.kind, frame.sequence)) + frame.payload
    if len(body) + CRC_BYTES > FRAME_BYTES:
        raise ValueError(f"a frame has at most {FRAME_BYTES} bytes, not {len(body) + CRC_BYTES}")
    return cobs.encode(body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")) + bytes([DELIMITER])


def decode(stuffed: bytes) -> Frame | None:
    """The frame between two delimiters, or None for anything that is not a whole, unharmed one."""
    try:
        body = cobs.decode(stuffed)
    except cobs.DecodeError:
        return None
    if not OVERHEAD_BYTES <= len(body) <= FRAME_BYTES:
        return None
    content, check = body[:-CRC_BYTES], body[-CRC_BYTES:]
    if zlib.crc32(content) != int.from_bytes(check, "little"):
        return None
    return Frame(content[0], content[1], content[2:])


class Splitter:
    """Frames out of a stream of bytes: what lies between delimiters, if it is one. ``harmed`` counts what is not.

    However much comes without a delimiter, no more than :data:`KEPT` bytes of it are held.
    """

    def __init__(self) -> None:
        self.harmed = 0
        self._received = bytearray()

    def take(self, block: bytes) -> None:
        """More bytes came."""
        self._received += block

    def next(self) -> Frame | None:
        """The next whole, unharmed frame, or None until more bytes come."""
        while True:
            stuffed, delimiter, rest = self._received.partition(bytes([DELIMITER]))
            if not delimiter:
                # Noise without a delimiter is no frame, however long.
                del self._received[: max(0, len(self._received) - KEPT)]
                return None
            self._received = rest
            frame = decode(bytes(stuffed)) if stuffed else None
            if frame is not None:
                return frame
            self.harmed += bool(stuffed)

    def clear(self) -> None:
        """Forget what came."""
        self._received.clear()
