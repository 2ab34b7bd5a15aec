"""Requests and answers over a byte pipe: a window of them under way, repeated until each is answered or one sentence."""

from __future__ import annotations

import enum
import os
import time
from collections import deque
from collections.abc import Callable

from npde.errors import LinkError
from npde.link.frame import Frame, decode
from npde.link.pipe import Pipe, SerialPipe
from npde.link.protocol import COMMANDS, DELIMITER, FRAME_BYTES, OVERHEAD_BYTES, VERSION, Kind, Status
from npde.link.timer import Timer
from npde.link.window import MOST, Request, SequenceLostError, Window

PATIENCE = 1.0
ATTEMPTS = 4
"""Times a request is sent before a port on which nothing was ever heard is given up."""
SILENCE, PERSISTENCE = 12.0, 300.0
"""In units of patience: how long a board once heard may be silent, and how long it may speak without answering a request."""
BITS_PER_BYTE = 10
BOOKKEEPING_BYTES = 2
"""Bytes a frame takes in the board's ring beside its kind, sequence and payload."""
SMALLEST, ALONE = 10, 64
"""Bytes of payload below which frames are not made smaller on a bad line, and below which each request waits for the last."""


class Heard(enum.Enum):
    """What came of listening."""

    ANSWER = "a request was answered"
    REFUSAL = "a request came out of sequence"
    NOTHING = "the time passed"


class Session:
    """One host's conversation with one board.

    ``patience`` is how many seconds an answer may stay away at first, its time on the wire not counted, before
    a request is repeated; from then on how long answers really take is measured. ``ring`` is how many bytes of
    requests the board holds: none beyond the first is sent before it is known to have room. Raises
    :class:`LinkError` when the port is absent or busy, when nothing answers, or when it goes away.
    """

    def __init__(
        self, port: str, baud: int, *, patience: float = PATIENCE, pipe: Pipe | None = None,
        answered: Callable[[Request], None] = lambda request: None,
    ):
        self.port, self.baud = port, baud
        self.ring = 0
        self.timer = Timer(patience)
        self.answered = answered
        """Told of every request once it has its answer; what a recording is made of."""
        self.losses = 0
        """Times that frames were sent again."""
        self._pipe = pipe if pipe is not None else SerialPipe(port, baud)
        self._window = Window()
        self._order: deque[Request] = deque()
        self._received = bytearray()
        self._heard = False
        self._astray = False
        self._frame = FRAME_BYTES - OVERHEAD_BYTES
        self._whole = 0
        try:
            self.synchronise()
        except BaseException:
            self.close()
            raise

    @property
    def patience(self) -> float:
        """Seconds an answer may stay away before its request is repeated, until answers were timed."""
        return self.timer.patience

    @patience.setter
    def patience(self, seconds: float) -> None:
        self.timer = Timer(seconds)

    @property
    def frame(self) -> int:
        """Most bytes of payload to put into a frame now: the longest, or fewer where long ones do not arrive whole."""
        return self._frame

    def synchronise(self) -> None:
        """End whatever garbage came before and agree on a sequence number; what was under way is forgotten."""
        self._forget()
        self._astray = False
        nonce = os.urandom(4)
        self._pipe.write(bytes([DELIMITER, DELIMITER]))
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
        """Status and reply of one request; survives the loss of any frame there or back.

        What was submitted and not collected is given up first.
        """
        if self._astray or self._order:
            self.synchronise()
        self.submit(kind, payload)
        request = self.collect()
        assert request.status is not None
        return request.status, request.reply

    def room(self, payload: int) -> bool:
        """Whether the board surely has room for a request of so many bytes beside those under way."""
        held = sum(len(request.payload) for request in self._order) + payload
        frames = len(self._order) + 1
        if self._frame < ALONE:
            return not self._order
        return not self._order or (frames <= MOST and held + frames * (BOOKKEEPING_BYTES + OVERHEAD_BYTES) < self.ring)

    def submit(self, kind: Kind, payload: bytes = b"") -> Request:
        """Send a request without waiting. What is under way together must bear any order: see :mod:`npde.link.window`."""
        request = self._window.take(Request(kind, payload))
        self._order.append(request)
        self._send([request])
        return request

    @property
    def pending(self) -> int:
        """Requests submitted and not yet collected."""
        return len(self._order)

    def collect(self) -> Request:
        """The oldest request not yet collected, once it is answered. Raises :class:`LinkError` when it will not be."""
        try:
            request = self._answer_of(self._order[0])
        except LinkError:
            self._forget()
            raise
        self._order.popleft()
        self.answered(request)
        expected = COMMANDS[request.kind].expects(len(request.reply))
        if request.status == Status.OK and expected:
            raise LinkError(f"the board on {self.port} answered {request.kind.name} with {len(request.reply)} bytes, not {expected}")
        return request

    def close(self) -> None:
        """Give the port back."""
        self._pipe.close()

    def _answer_of(self, oldest: Request) -> Request:
        attempts = 1
        progress = voice = time.monotonic()
        while oldest.status is None:
            heard = self._hear(time.monotonic() + self.timer.wait(self._travelling()))
            now = time.monotonic()
            if heard is Heard.ANSWER:
                attempts, progress, voice, self._heard = 1, now, now, True
                continue
            if heard is Heard.REFUSAL:
                voice = now
            silent, stuck = now - voice > SILENCE * self.patience, now - progress > PERSISTENCE * self.patience
            if attempts >= ATTEMPTS and (not self._heard or silent or stuck):
                raise LinkError(
                    f"nothing answers on {self.port} at {self.baud} baud; is the board configured, and is that its bit rate?"
                )
            attempts += 1
            if heard is Heard.NOTHING:
                self.timer.late()
                self._lost()
                self._send(self._window.again(), behind_delimiter=True)
        return oldest

    def _forget(self) -> None:
        """Give up what is under way: how much of it the board carried out only a SYNC can settle."""
        self._window.forget()
        self._order.clear()
        self._astray = True

    def _travelling(self) -> float:
        """Seconds that what is under way spends on the wire, with an answer to the oldest."""
        return (sum(len(request.wire) for request in self._window.flight) + FRAME_BYTES) * BITS_PER_BYTE / self.baud

    def _hear(self, deadline: float) -> Heard:
        """Take in the next answer to something in flight, and send what it asks for."""
        while True:
            frame = self._next_frame(deadline)
            if frame is None:
                return Heard.NOTHING
            before = list(self._window.flight)
            try:
                again = self._window.heard(frame)
            except SequenceLostError as error:
                raise SequenceLostError(f"the board on {self.port} {error}") from None
            except LinkError as error:
                raise LinkError(f"the board on {self.port} {error}") from None
            if again is None:
                continue
            answered = [request for request in before if request.status is not None]
            for request in answered:
                if request.copies == 1:
                    self.timer.measured(time.monotonic() - request.sent)
            if again:
                self._lost()
                self._send(again, behind_delimiter=True)
            else:
                self._arrived()
            return Heard.ANSWER if answered else Heard.REFUSAL

    def _next_frame(self, deadline: float) -> Frame | None:
        """The next whole, unharmed frame, or None when the deadline passes."""
        while True:
            stuffed, delimiter, rest = self._received.partition(bytes([DELIMITER]))
            if delimiter:
                self._received = rest
                frame = decode(bytes(stuffed)) if stuffed else None
                if frame is not None:
                    return frame
                continue
            # Noise without a delimiter is no frame, however long.
            del self._received[: max(0, len(self._received) - 4 * FRAME_BYTES)]
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._received += self._pipe.read(left)

    def _send(self, requests: list[Request], *, behind_delimiter: bool = False) -> None:
        """A delimiter in front ends whatever half a frame a loss left."""
        now = time.monotonic()
        for request in requests:
            request.sent = now
        self._pipe.write(bytes([DELIMITER]) * behind_delimiter + b"".join(request.wire for request in requests))

    def _lost(self) -> None:
        self.losses += 1
        self._whole = 0
        self._frame = max(SMALLEST, self._frame // 2)

    def _arrived(self) -> None:
        """Frames grow again, slowly, after many whole ones."""
        self._whole += 1
        if self._whole >= 16 and self._frame < FRAME_BYTES - OVERHEAD_BYTES:
            self._whole = 0
            self._frame = min(FRAME_BYTES - OVERHEAD_BYTES, self._frame + self._frame // 2)
