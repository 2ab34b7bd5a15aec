"""Requests and answers over a byte pipe: a window of them under way, repeated until each is answered or one sentence."""

from __future__ import annotations

import contextlib
import enum
import os
import struct
from collections import deque
from collections.abc import Callable, Iterator

from npde.errors import LinkError
from npde.link.frame import Frame, Splitter
from npde.link.pipe import Pipe, SerialPipe
from npde.link.protocol import (
    COMMANDS,
    DELIMITER,
    OVERHEAD_BYTES,
    PAYLOAD,
    RATE_TOLERANCE,
    REPLY,
    VERSION,
    Kind,
    Status,
)
from npde.link.timer import Timer
from npde.link.window import MOST, Request, SequenceLostError, Window

PATIENCE = 1.0
FIRST = 4.0
SILENCE, PERSISTENCE = 12.0, 300.0
"""In units of patience, or of the answers' own time where that is longer: until when a port must be heard at first, how long
a board once heard may be silent, and how long it may speak without answering a request."""
HAIL, HAIL_GROWTH = 1 / 40, 1.03
"""In units of patience: how often SYNC is sent, for on a bad line one in ten comes back; ever less often to a board once heard."""
FALL_BACK, FALL_BACK_MISSES, WAY_BACK = 2.0, 3, 3.0
"""Patiences and repeats without a word from the board until it is spoken to at the first rate again; how many times longer it
may be silent then, for its tenth of a second is seconds where it is simulated."""
MOST_PROBES, FEW_PROBES = 8, 4
"""Probes behind a repeat: one more each time nothing was heard, so that silence is silence on a bad line as well. Where nothing
came harmed there are fewer: a board that is only slow is not to be given much more to do."""
NONCES = 4
"""Times a SYNC is tried anew because another host's was answered."""
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


class NotWholeError(LinkError):
    """A request was sent as often as it was to be, and no answer arrived whole."""


class Session:
    """One host's conversation with one board.

    ``patience`` is how many seconds an answer may stay away at first, its time on the wire not counted, before
    a request is repeated; from then on how long answers really take is measured. ``ring`` is how many bytes of
    requests the board holds: none beyond the first is sent before it is known to have room. Seconds are the pipe's own.
    Raises :class:`LinkError` when the port is absent or busy, when nothing answers, or when it goes away.
    """

    def __init__(
        self, port: str, baud: int, *, patience: float = PATIENCE, pipe: Pipe | None = None,
        answered: Callable[[Request], None] = lambda request: None,
    ):
        self.port, self.baud, self.first_baud = port, baud, baud
        self.ring = 0
        self.timer = Timer(patience)
        self.answered = answered
        """Told of every request once it has its answer; what a recording is made of."""
        self.losses = 0
        """Times that frames were sent again."""
        self._pipe = pipe if pipe is not None else SerialPipe(port, baud)
        self._window = Window()
        self._order: deque[Request] = deque()
        self._splitter = Splitter()
        self._heard = False
        self._voice, self._grace = self._pipe.now(), 1.0
        self._harmed = 0
        """Harmed frames of late; half of them are forgotten with each answer that came at once."""
        self._astray = False
        self._frame = PAYLOAD
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
        for _ in range(NONCES):  # an answer to an earlier host's SYNC may still be under way
            reply = self.ask(Kind.SYNC, nonce)
            if reply[:4] == nonce:
                break
        else:
            raise LinkError(f"the board on {self.port} answers another host's SYNC; is the port used twice?")
        if reply[4] != VERSION:
            raise LinkError(f"the board on {self.port} speaks protocol version {reply[4]}, this host version {VERSION}")

    def now(self) -> float:
        """Seconds on the pipe's clock."""
        return self._pipe.now()

    def ask(self, kind: Kind, payload: bytes = b"", *, most_tries: int | None = None) -> bytes:
        """The reply to a request; a status other than OK raises :class:`LinkError` naming it."""
        status, reply = self.request(kind, payload, most_tries=most_tries)
        if status != Status.OK:
            raise LinkError(f"the board on {self.port} refused {kind.name}: {status.name}")
        return reply

    def request(
        self, kind: Kind, payload: bytes = b"", *, shorter: Callable[[int], bytes] | None = None, most_tries: int | None = None
    ) -> tuple[Status, bytes]:
        """Status and reply of one request; survives the loss of any frame there or back.

        What was submitted and not collected is given up first. ``shorter``, ``most_tries``: see
        :class:`npde.link.window.Request`. Raises :class:`NotWholeError` after so many.
        """
        self.settle()
        self.submit(kind, payload, shorter=shorter, most_tries=most_tries)
        request = self.collect()
        assert request.status is not None
        return request.status, request.reply

    @property
    def at_rest(self) -> bool:
        """Nothing is under way, and it is known what the board carried out."""
        return not self._astray and not self._order

    @contextlib.contextmanager
    def finishing(self) -> Iterator[None]:
        """What is still under way when an error ends what is done within is collected: a recording has it then, and no one else."""
        try:
            yield
        except LinkError:
            with contextlib.suppress(LinkError):
                while self._order:
                    self.collect()
            raise

    def settle(self) -> None:
        """Give up what was submitted and not collected: an error may have left some of it under way."""
        if not self.at_rest:
            self.synchronise()

    def accepts(self, baud: int) -> bool:
        """Whether the port can be set to ``baud``; it is left as it was."""
        got = self._pipe.rate(baud)
        self._pipe.rate(self.baud)
        return abs(got - baud) <= RATE_TOLERANCE * baud

    def move(self, cycles: int, baud: int, *, most_tries: int | None = None) -> bool:
        """Ask the board for ``cycles`` a bit, and speak at ``baud`` from then on; False where it refuses."""
        status, _ = self.request(Kind.RATE, struct.pack(COMMANDS[Kind.RATE].request, cycles), most_tries=most_tries)
        if status == Status.OK:
            self._speak_at(baud)
        return status == Status.OK

    def fall_back(self) -> None:
        """Speak at the first rate again, to which the board returns when it understands nothing at another."""
        self._speak_at(self.first_baud)

    def room(self, payload: int) -> bool:
        """Whether the board surely has room for a request of so many bytes beside those under way."""
        held = sum(len(request.payload) for request in self._order) + payload
        frames = len(self._order) + 1
        if self._frame < ALONE:
            return not self._order
        return not self._order or (frames <= MOST and held + frames * (BOOKKEEPING_BYTES + OVERHEAD_BYTES) < self.ring)

    def submit(
        self, kind: Kind, payload: bytes = b"", *, shorter: Callable[[int], bytes] | None = None, most_tries: int | None = None
    ) -> Request:
        """Send a request without waiting. What is under way together must bear any order: see :mod:`npde.link.window`.

        With ``shorter`` what is answered in the end may be less than was asked for: its ``payload`` says how much.
        """
        request = self._window.take(Request(kind, payload, shorter, most_tries))
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
        began = progress = self._voice = self.now()
        hailing, missed = not self._heard, 0
        while oldest.status is None:
            travelling = self._travelling()
            wait = self.timer.wait(travelling)
            if oldest.kind == Kind.SYNC:
                wait = travelling + min(1.0, HAIL * (1.0 if hailing else HAIL_GROWTH**missed)) * self.patience
            heard = self._hear(self.now() + wait)
            now = self.now()
            if heard is not Heard.NOTHING:
                self._heard, hailing, missed, self._grace = True, False, 0, 1.0
                self.timer.voice()
            if heard is Heard.ANSWER:
                progress = now
                continue
            silent = now - self._voice
            lost = silent > SILENCE * self._grace * self.timer.pace or (hailing and now - began > FIRST * (self.patience + travelling))
            if self.baud != self.first_baud and (lost or (missed >= FALL_BACK_MISSES and silent > FALL_BACK * self.patience)):
                self.fall_back()
                self._voice, missed, self._grace = now, 0, WAY_BACK
            elif lost:
                raise LinkError(
                    f"nothing answers on {self.port} at {self.baud} baud; is the board configured, and is that its bit rate?"
                )
            if now - progress > PERSISTENCE * self.timer.pace:
                raise NotWholeError(
                    f"the line to the board on {self.port} is too bad: it is heard, but a {oldest.kind.name} of {len(oldest.wire)} "
                    f"bytes or its answer did not arrive whole in {now - progress:.0f} seconds"
                )
            if heard is Heard.NOTHING:
                if oldest.most_tries is not None and oldest.tries >= oldest.most_tries:
                    raise NotWholeError(f"the board on {self.port} gave no answer to {oldest.kind.name} that arrived whole")
                self.timer.late()
                missed += 1
                self._again(self._window.again(), probes=min(MOST_PROBES, missed) if self._harmed else min(FEW_PROBES, missed - 1))
        return oldest

    def _speak_at(self, baud: int) -> None:
        self._pipe.rate(baud)
        self.baud = baud
        self._splitter.clear()

    def _forget(self) -> None:
        """Give up what is under way: how much of it the board carried out only a SYNC can settle."""
        self._window.forget()
        self._order.clear()
        self._astray = True

    def _travelling(self) -> float:
        """Seconds that what is under way spends on the wire, with an answer to the oldest."""
        flight = self._window.flight
        return (sum(len(request.wire) for request in flight) + (flight[0].answer_bytes if flight else 0)) * BITS_PER_BYTE / self.baud

    def _hear(self, deadline: float) -> Heard:
        """Take in the next answer to something in flight, and send what it asks for."""
        while True:
            frame = self._next_frame(deadline)
            if frame is None:
                return Heard.NOTHING
            if frame.kind & REPLY:  # else it is an echo of this host
                self._voice = self.now()
            before, hasty = list(self._window.flight), self._window.hasty
            try:
                again = self._window.heard(frame)
            except SequenceLostError as error:
                raise SequenceLostError(f"the board on {self.port} {error}") from None
            except LinkError as error:
                raise LinkError(f"the board on {self.port} {error}") from None
            if again is None:
                if self._window.hasty > hasty:
                    self.timer.hasty()
                continue
            answered = [request for request in before if request.status is not None]
            for request in answered:
                if request.copies == 1:
                    self._harmed //= 2
                # Where frames come harmed the newest copy is taken to be the one that was answered: there are few others to measure.
                if request.copies == 1 or self._harmed:
                    self.timer.measured(self.now() - request.sent)
            if again:
                self._again(again)
            else:
                self._arrived()
            return Heard.ANSWER if answered else Heard.REFUSAL

    def _next_frame(self, deadline: float) -> Frame | None:
        """The next whole, unharmed frame, or None when the deadline passes."""
        while True:
            harmed = self._splitter.harmed
            frame = self._splitter.next()
            if self._splitter.harmed > harmed:
                self._harmed += self._splitter.harmed - harmed
                self.timer.harmed()
            if frame is not None:
                return frame
            left = deadline - self.now()
            if left <= 0:
                return None
            self._splitter.take(self._pipe.read(left))

    def _send(self, requests: list[Request]) -> None:
        now = self.now()
        for request in requests:
            request.sent = now
        self._pipe.write(b"".join(request.wire for request in requests))

    def _again(self, requests: list[Request], *, probes: int = 0) -> None:
        """Behind a delimiter, which ends whatever half a frame a loss left, and no longer than frames may be now."""
        self._lost()
        now = self.now()
        for request in requests:
            request.cut(self._frame)
            request.sent = now
        asked = b"".join(request.wire for request in requests) + (self._window.probe() * probes if probes else b"")
        self._pipe.write(bytes([DELIMITER]) + asked)

    def _lost(self) -> None:
        self.losses += 1
        self._whole = 0
        self._frame = max(SMALLEST, self._frame // 2)

    def _arrived(self) -> None:
        """Frames grow again, slowly, after many whole ones."""
        self._whole += 1
        if self._whole >= 16 and self._frame < PAYLOAD:
            self._whole = 0
            self._frame = min(PAYLOAD, self._frame + self._frame // 2)
