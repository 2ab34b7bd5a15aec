"""Requests and answers over a serial port: numbering, repeating, and one sentence for each way it fails."""

from __future__ import annotations

import os
import time

import serial

from npde.errors import LinkError
from npde.link.frame import Frame, decode, encode
from npde.link.protocol import COMMANDS, DELIMITER, FRAME_BYTES, REPLY, VERSION, Kind, Status

PATIENCE = 1.0
WRITE_PATIENCE = 5.0
ATTEMPTS = 4
BITS_PER_BYTE = 10


class Session:
    """One host's conversation with one board; a request at a time, repeated until it is answered.

    ``patience`` is how many seconds an answer may stay away, its time on the wire not counted, before
    the request is repeated. Raises :class:`LinkError` when the port is absent or busy, when nothing
    answers, or when it goes away.
    """

    def __init__(self, port: str, baud: int, *, patience: float = PATIENCE):
        self.port, self.baud, self.patience = port, baud, patience
        try:
            self._serial = serial.Serial(port, baud, timeout=0.02, write_timeout=WRITE_PATIENCE, exclusive=True)
        except (serial.SerialException, OSError, ValueError, OverflowError) as error:
            reason = "is in use by another program" if "exclusively lock" in str(error) else f"cannot be opened ({error})"
            raise LinkError(f"serial port {port} {reason if os.path.exists(port) else 'does not exist'}") from error
        self._received = bytearray()
        self._sequence = 0
        try:
            self.synchronise()
        except BaseException:
            self.close()
            raise

    def synchronise(self) -> None:
        """End whatever garbage came before and agree on a sequence number."""
        nonce = os.urandom(4)
        self._write(bytes([DELIMITER, DELIMITER]))
        for _ in range(ATTEMPTS):  # an answer to an earlier host's SYNC may still be under way
            reply = self.ask(Kind.SYNC, nonce)
            if reply[:4] == nonce:
                break
        else:
            raise LinkError(f"the board on {self.port} answers another host's SYNC; is the port used twice?")
        if reply[4] != VERSION:
            raise LinkError(f"the board on {self.port} speaks protocol version {reply[4]}, this host version {VERSION}")

    def ask(self, kind: Kind, payload: bytes = b"") -> bytes:
        """The reply to a request; a status other than OK raises :class:`LinkError` naming it."""
        status, reply = self.request(kind, payload)
        if status != Status.OK:
            raise LinkError(f"the board on {self.port} refused {kind.name}: {status.name}")
        return reply

    def request(self, kind: Kind, payload: bytes = b"") -> tuple[Status, bytes]:
        """Status and reply; survives the loss of any frame on the way there or back.

        A request whose answer was lost is found out of sequence when it is repeated, and is then asked
        anew under the next number: every command may be carried out twice without harm (a ``PUSH`` is
        refused the second time with the position it reached).
        """
        for attempt in range(ATTEMPTS):
            sequence = self._sequence
            wire = bytes([DELIMITER]) * bool(attempt) + encode(Frame(kind, sequence, payload))
            self._write(wire)
            answer = self._await(kind, sequence, len(wire) + FRAME_BYTES)
            if answer is None or not answer.payload:
                continue
            try:
                status = Status(answer.payload[0])
            except ValueError:
                raise LinkError(f"the board on {self.port} answered {kind.name} with an unknown status") from None
            if status != Status.SEQUENCE or kind == Kind.SYNC:
                self._sequence = (sequence + 1) & 255
                reply = answer.payload[1:]
                if status == Status.OK and (expected := COMMANDS[kind].expects(len(reply))):
                    raise LinkError(f"the board on {self.port} answered {kind.name} with {len(reply)} bytes, not {expected}")
                return status, reply
            wanted = answer.payload[1] if len(answer.payload) > 1 else -1
            if not attempt or wanted != (sequence + 1) & 255:
                raise LinkError(f"the board on {self.port} was reset or is used by another host: it lost the sequence")
            self._sequence = wanted
        raise LinkError(
            f"nothing answers on {self.port} at {self.baud} baud; is the board configured, and is that its bit rate?"
        )

    def close(self) -> None:
        """Give the port back."""
        self._serial.close()

    def _write(self, wire: bytes) -> None:
        try:
            self._serial.write(wire)
        except serial.SerialTimeoutException as error:
            raise LinkError(f"the port {self.port} takes no more bytes; does anything listen there?") from error
        except (serial.SerialException, OSError) as error:
            raise LinkError(f"the board on {self.port} went away while it was written to: {error}") from error

    def _await(self, kind: Kind, sequence: int, travelling: int) -> Frame | None:
        """The answer, or None when it stays away longer than ``travelling`` bytes on the wire explain."""
        deadline = time.monotonic() + self.patience + travelling * BITS_PER_BYTE / self.baud
        while time.monotonic() < deadline:
            while DELIMITER in self._received:
                stuffed, _, rest = self._received.partition(bytes([DELIMITER]))
                self._received = bytearray(rest)
                frame = decode(bytes(stuffed)) if stuffed else None
                if frame is not None and (frame.kind, frame.sequence) == (kind | REPLY, sequence):
                    return frame
            try:
                self._received += self._serial.read(max(1, self._serial.in_waiting))
            except (serial.SerialException, OSError, TypeError) as error:
                raise LinkError(f"the board on {self.port} went away while it was listened to: {error}") from error
        return None
