"""Requests under way and what each answer says of them: sequence numbers, losses, repeats. No clock and no port.

The board carries out requests in order and only the expected number, and says the expected number to any other. So

- an answer other than ``SEQUENCE`` to one request says that all earlier ones were carried out as well;
- ``SEQUENCE`` says which was not: from that one on all are sent again, under the same numbers;
- a request that was carried out while its answer was lost is asked anew under the next number, for every command may be
  carried out twice without harm. What depends on the order must therefore not be under way together: a ``COMMIT`` waits
  for its ``WRITE``'s answers, a ``PUSH`` for its ``RESET``'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from npde.errors import LinkError
from npde.link.frame import Frame, encode
from npde.link.protocol import REPLY, Kind, Status

SEQUENCES = 256
MOST = 100
"""Requests under way at once: well below half the numbers, so that old and new are told apart."""
STRANGE = 3
"""Refusals in a row that name a number nobody is waiting for, until the board is said to have lost the sequence."""


class SequenceLostError(LinkError):
    """The board expects a number that this host never came to: it was reset, or another host spoke to it."""


@dataclass(eq=False)
class Request:
    """One request; ``status`` is None until it is answered, then ``reply`` is what followed."""

    kind: Kind
    payload: bytes
    sequence: int = -1
    wire: bytes = b""
    copies: int = 0
    refusals: int = 0
    sent: float = 0.0
    status: Status | None = None
    reply: bytes = field(default=b"", repr=False)


class Window:
    """``flight``: requests sent and unanswered, their numbers one after the other; ``sequence``: the next one's."""

    def __init__(self) -> None:
        self.sequence = 0
        self.flight: list[Request] = []
        self._strange = 0

    def take(self, request: Request) -> Request:
        """Number a request; it is in flight from now on."""
        request.sequence, request.copies, request.refusals = self.sequence, 1, 0
        request.wire = encode(Frame(request.kind, request.sequence, request.payload))
        self.sequence = (self.sequence + 1) % SEQUENCES
        self.flight.append(request)
        return request

    def forget(self) -> None:
        """Give up whatever is under way."""
        self.flight.clear()
        self._strange = 0

    def again(self) -> list[Request]:
        """Everything in flight once more, when nothing was heard for too long."""
        return self._repeat(self.flight)

    def heard(self, frame: Frame) -> list[Request] | None:
        """Take an answer in: what is to be sent because of it, in order, or None where it answers nothing in flight.

        Raises :class:`LinkError` for an unknown status, :class:`SequenceLostError` when the board is somewhere else.
        """
        place = self._asked(frame)
        if place is None or not frame.payload:
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
        place = self.flight.index(request)
        expected = payload[1] if len(payload) > 1 else -1
        carried = (expected - self.flight[0].sequence) % SEQUENCES if expected >= 0 else SEQUENCES
        request.refusals += 1
        if carried > len(self.flight):
            self._strange += 1
            if self._strange >= STRANGE:
                raise SequenceLostError("was reset or is used by another host: it lost the sequence")
            return self.again()
        self._strange = 0
        unheard, rest = self.flight[:carried], self.flight[carried:]
        # Refusals of older copies are still to come once some were sent again; only the newest copy's says anything new.
        fresh = place >= carried and request.refusals >= request.copies
        again = self._repeat(rest) if fresh else []
        self.flight = rest
        return again + [self.take(lost) for lost in unheard]

    @staticmethod
    def _repeat(requests: list[Request]) -> list[Request]:
        for request in requests:
            request.copies += 1
        return list(requests)
