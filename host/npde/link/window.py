"""Requests under way and what each answer says of them: sequence numbers, losses, repeats. No clock and no port.

The board carries out requests in order and only the expected number, and says the expected number to any other. So

- an answer other than ``SEQUENCE`` to one request says that all earlier ones were carried out as well;
- ``SEQUENCE`` says which was not: from that one on all are sent again, under the same numbers;
- a request that was carried out while its answer was lost is asked anew under the next number, for every command may be
  carried out twice without harm. What depends on the order must therefore not be under way together: a ``COMMIT`` waits
  for its ``WRITE``'s answers, a ``PUSH`` for its ``RESET``'s;
- a *probe*, the shortest frame there is under a number the board cannot expect, is never acted on and answered ``SEQUENCE``:
  of requests too long to arrive whole it says what became of them, and that the board lives;
- a request may be cut before it is sent again, under the same number: whichever copy was carried out, the other's answer
  is one of less or of more.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from npde.errors import LinkError
from npde.link.frame import Frame, encode
from npde.link.protocol import COMMANDS, FRAME_BYTES, OVERHEAD_BYTES, REPLY, Kind, Status

SEQUENCES = 256
MOST = 100
"""Requests under way at once: well below half the numbers, so that old and new are told apart."""
PROBE, PROBES = 128, 32
"""How far a probe's number is from the first one in flight, and how many such numbers take turns."""
RECENT = 64
"""How long ago, in requests, one was answered whose further copies are still told from others."""
STRANGE = 3
"""Refusals in a row that name a number nobody is waiting for, until the board is said to have lost the sequence."""


class SequenceLostError(LinkError):
    """The board expects a number that this host never came to: it was reset, or another host spoke to it."""


@dataclass(eq=False)
class Request:
    """One request; ``status`` is None until it is answered, then ``reply`` is what followed. ``copies`` of it were sent
    under its ``sequence`` number, ``tries`` under any.

    ``shorter(most)`` is a payload of ``most`` bytes, or with that much answered, or little more, that asks for a beginning of
    the same: for a line on which the whole does not arrive. ``most_tries``: how often it is sent before it is given up.
    """

    kind: Kind
    payload: bytes
    shorter: Callable[[int], bytes] | None = None
    most_tries: int | None = None
    sequence: int = -1
    wire: bytes = b""
    copies: int = 0
    tries: int = 0
    refusals: int = 0
    sent: float = 0.0
    status: Status | None = None
    reply: bytes = field(default=b"", repr=False)

    @property
    def answer_bytes(self) -> int:
        """Bytes its answer takes on the wire at most: the longest frame where the command does not say."""
        reply = COMMANDS[self.kind].reply
        return FRAME_BYTES if reply.endswith("+") else 1 + struct.calcsize(reply) + OVERHEAD_BYTES + 2

    def numbered(self, sequence: int) -> None:
        """Encode it anew, under ``sequence``."""
        self.sequence = sequence
        self.wire = encode(Frame(self.kind, sequence, self.payload))

    def cut(self, most: int) -> None:
        """Ask for a beginning, if that is less than before."""
        payload = self.shorter(most) if self.shorter is not None else self.payload
        if payload != self.payload:
            self.payload = payload
            self.numbered(self.sequence)



class Window:
    """``flight``: requests sent and unanswered, their numbers one after the other; ``sequence``: the next one's."""

    def __init__(self) -> None:
        self.sequence = 0
        self.flight: list[Request] = []
        self.hasty = 0
        """Times a repeat turned out to be for nothing."""
        self._strange = 0
        self._probe: int | None = None
        self._probes = 0

    def take(self, request: Request) -> Request:
        """Number a request; it is in flight from now on."""
        request.copies, request.refusals = 1, 0
        request.tries += 1
        request.numbered(self.sequence)
        self._probe = None
        self.sequence = (self.sequence + 1) % SEQUENCES
        self.flight.append(request)
        return request

    def forget(self) -> None:
        """Give up whatever is under way."""
        self.flight.clear()
        self._strange = 0

    def probe(self) -> bytes:
        """A probe's wire, to be sent behind everything in flight; nothing where there is no agreement on numbers yet."""
        if not self.flight or self.flight[0].kind == Kind.SYNC:
            return b""
        self._probes = (self._probes + 1) % PROBES
        self._probe = (self.flight[0].sequence + PROBE + self._probes) % SEQUENCES
        return encode(Frame(Kind.STATUS, self._probe, b""))

    def again(self) -> list[Request]:
        """Everything in flight once more, when nothing was heard for too long."""
        return self._repeat(self.flight)

    def heard(self, frame: Frame) -> list[Request] | None:
        """Take an answer in: what is to be sent because of it, in order, or None where it answers nothing in flight.

        Raises :class:`LinkError` for an unknown status, :class:`SequenceLostError` when the board is somewhere else.
        """
        if not frame.payload:
            return None
        if frame.sequence == self._probe and frame.kind == Kind.STATUS | REPLY and frame.payload[0] == Status.SEQUENCE:
            self._probe = None
            return self._located(frame.payload, fresh=True)
        place = self._asked(frame)
        if place is None:
            behind = (self.sequence - frame.sequence) % SEQUENCES
            self.hasty += frame.payload[0] == Status.SEQUENCE and len(self.flight) < behind <= RECENT
            return None
        request = self.flight[place]
        try:
            status = Status(frame.payload[0])
        except ValueError:
            raise LinkError(f"answered {request.kind.name} with an unknown status") from None
        if status == Status.SEQUENCE and request.kind != Kind.SYNC:
            return self._refused(request, frame.payload)
        request.status, request.reply = status, frame.payload[1:]
        self._strange = 0
        unheard, self.flight = self.flight[:place], self.flight[place + 1 :]
        if request.kind == Kind.SYNC:
            self.sequence = (request.sequence + 1) % SEQUENCES
        return [self.take(lost) for lost in unheard]

    def _asked(self, frame: Frame) -> int | None:
        if not self.flight:
            return None
        place = (frame.sequence - self.flight[0].sequence) % SEQUENCES
        if place >= len(self.flight) or self.flight[place].kind | REPLY != frame.kind:
            return None
        return place

    def _refused(self, request: Request, payload: bytes) -> list[Request]:
        """``request`` came out of sequence; the board waits for another number."""
        request.refusals += 1
        # Refusals of older copies are still to come once some were sent again; only the newest copy's says anything new.
        return self._located(payload, fresh=request.refusals >= request.copies, place=self.flight.index(request))

    def _located(self, payload: bytes, *, fresh: bool, place: int | None = None) -> list[Request]:
        """The board waits for the number in ``payload``, or did before it saw the newest copies if this is not ``fresh``.

        ``place``: where in flight the request stands that it said so of.
        """
        expected = payload[1] if len(payload) > 1 else -1
        carried = (expected - self.flight[0].sequence) % SEQUENCES if expected >= 0 else SEQUENCES
        if carried > len(self.flight):
            self._strange += 1
            if self._strange >= STRANGE:
                raise SequenceLostError("was reset or is used by another host: it lost the sequence")
            return self.again()
        self._strange = 0
        unheard, rest = self.flight[:carried], self.flight[carried:]
        again = self._repeat(rest) if fresh and (place is None or place >= carried) else []
        self.flight = rest
        return again + [self.take(lost) for lost in unheard]

    def _repeat(self, requests: list[Request]) -> list[Request]:
        self._probe = None
        for request in requests:
            request.copies += 1
            request.tries += 1
        return list(requests)
