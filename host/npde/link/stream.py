"""Samples in and answers out at the rate of the wire: PUSH and PULL under way together.

Whatever is lost, no sample is taken twice and no answer missed: a ``PUSH`` is taken at its position alone, and a
``PULL`` names only what was received, so that the board frees nothing that is still on its way. What is asked next depends
on the answers so far alone, never on the clock, so that a recorded run is asked for again in the same words.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator

from npde.errors import LinkError
from npde.link.protocol import OVERHEAD_BYTES, PAYLOAD, POSITION_MODULUS, Kind, Status
from npde.link.session import BOOKKEEPING_BYTES, Session
from npde.link.window import Request

POSITION_BYTES = 2
PULL = struct.Struct("<HH")
MOST_PULLED = PAYLOAD - 3
"""Bytes of answers in the longest frame: its status and position take three."""
MOST_PULLS, SLACK = 3, 0.7
"""PULLs under way at once, and how much of the answers' way they may fill with repetition."""


class Transfer:
    """One run of ``count`` samples, ``wire`` all their bytes, for as many answers of ``size`` bytes.

    ``kept``: bytes of answers the board holds until they are pulled. ``stall``: seconds without a byte of
    answer, or a byte of samples taken, after which the board is given up. Iterate over :meth:`answers`.
    """

    def __init__(self, session: Session, wire: bytes, count: int, size: int, *, kept: int, stall: float):
        self.session, self.wire, self.count, self.size, self.stall = session, wire, count, size, stall
        self.sample = len(wire) // count if count else 0
        # Answers that find no room stop the pipeline and cost a PUSH its tail: no more samples than answers have room for.
        self.most_unpulled = max(kept // size, 2)
        # A PULL repeats what those before it have not delivered yet: several only where the answers' way has room for that.
        self.most_pulls = min(MOST_PULLS, max(1, int(SLACK * self.sample / size)))
        self.sent = self.reached = self.got = self.freed = 0
        self.since_pull = 0
        self.pushes: deque[tuple[int, int, int]] = deque()
        """Of each PUSH under way its first byte, the one behind its last, and the ``turn`` it belongs to."""
        self.turn = self.top = 0
        """Times that sending went back, and the byte behind the last ever sent."""
        self.pulls = 0
        self.full = False
        """Whether the board took a PUSH in part: it takes no more until answers are pulled."""

    def answers(self) -> Iterator[bytes]:
        """The answers' bytes as they come, in order, in pieces of any length.

        Raises :class:`LinkError` when the board refuses, contradicts itself, stalls or goes away.
        """
        with self.session.finishing():
            yield from self._answers()

    def _answers(self) -> Iterator[bytes]:
        wanted, last = self.count * self.size, self.session.now()
        while self.got < wanted:
            self._ask()
            request = self.session.collect()
            if request.kind == Kind.PUSH:
                reached = self.reached
                self._pushed(request)
                last = self.session.now() if self.reached > reached else last
                continue
            piece = self._pulled(request)
            if self.got > wanted:
                raise LinkError(f"the board on {self.session.port} gave more answers than it was given samples")
            now = self.session.now()
            if piece:
                last = now
                yield piece
                last += self.session.now() - now  # what the caller did meanwhile is no stall
            elif now - last > self.stall:
                raise LinkError(
                    f"the board on {self.session.port} has answered {self.got // self.size} of {self.count} samples "
                    f"and no more for {self.stall:g} seconds"
                )
        while self.session.pending:
            self.session.collect()

    def _ask(self) -> None:
        """Put as much under way as the board has room for."""
        spacing = max(1, self.most_unpulled * self.sample // (self.most_pulls + 1))
        while True:
            part = self._next_part()
            # Where one request waits for another, pushes and pulls take turns.
            due = self.since_pull > 0 or not part if self.pulls == 0 else self.pulls < self.most_pulls and self.since_pull >= spacing
            if due and self.session.room(PULL.size):
                self._pull()
            elif part and self.session.room(POSITION_BYTES + part):
                self._push(part)
            else:
                return

    def _next_part(self) -> int:
        """How many of the samples' bytes go into the next PUSH; 0 for none now."""
        if self.full:
            return 0
        session = self.session
        # Two frames in the ring: one that is carried out, and one on its way.
        half = (session.ring - 4 * PULL.size) // 2 - OVERHEAD_BYTES - BOOKKEEPING_BYTES
        most = max(1, min(session.frame, half) - POSITION_BYTES)
        room = self.most_unpulled * self.sample
        left = len(self.wire) - self.sent
        allowed = min(left, self.freed // self.size * self.sample + room - self.sent)
        # Not a crumb now when a whole frame may go a little later.
        return min(most, allowed) if allowed >= min(most, left, max(1, room // 2)) else 0

    def _push(self, part: int) -> None:
        at = self.sent
        payload = struct.pack("<H", at % POSITION_MODULUS) + self.wire[at : at + part]
        self.session.submit(Kind.PUSH, payload, shorter=lambda most: payload[: max(POSITION_BYTES + 1, most)])
        self.pushes.append((at, at + part, self.turn))
        self.sent += part
        self.since_pull += part
        self.top = max(self.top, self.sent)

    def _pull(self) -> None:
        at, most = self.got % POSITION_MODULUS, min(MOST_PULLED, self.session.frame)
        self.session.submit(Kind.PULL, PULL.pack(at, most), shorter=lambda shorter: PULL.pack(at, min(most, shorter)))
        self.freed = self.got
        self.pulls += 1
        self.since_pull = 0

    def _pulled(self, request: Request) -> bytes:
        """The bytes that are new in a PULL's answer."""
        self.pulls -= 1
        self.full = False
        asked, _ = PULL.unpack(request.payload)
        known = (self.got - asked) % POSITION_MODULUS
        port = self.session.port
        if request.status == Status.POSITION and known:
            return b""  # asked anew, its answer lost, after a later PULL had freed what it names
        if request.status != Status.OK:
            raise LinkError(f"the board on {port} refused PULL: {_name(request)}")
        place = int.from_bytes(request.reply[:POSITION_BYTES], "little")
        if place != asked:
            raise LinkError(f"the board on {port} answers from position {place} where {asked} was asked for")
        piece = request.reply[POSITION_BYTES + known :]
        self.got += len(piece)
        return piece

    def _pushed(self, request: Request) -> None:
        """POSITION answers a PUSH behind one that was cut short, or one carried out before: it says how far the board came."""
        port = self.session.port
        if request.status not in (Status.OK, Status.POSITION) or len(request.reply) < POSITION_BYTES:
            raise LinkError(f"the board on {port} refused samples: {_name(request)}")
        at, end, turn = self.pushes.popleft()
        reached = self.top - (self.top - int.from_bytes(request.reply[:POSITION_BYTES], "little")) % POSITION_MODULUS
        if reached < max(0, self.top - self.session.ring - PAYLOAD):
            raise LinkError(f"the board on {port} refused samples: it says it took {reached} bytes of {self.top}")
        self.reached = max(self.reached, reached)
        if reached < end and turn == self.turn:
            # A PUSH that a bad line cut short and the board took whole says nothing of the board's room.
            whole = reached >= at + len(request.payload) - POSITION_BYTES
            self.sent, self.turn, self.full = reached, self.turn + 1, not whole


def _name(request: Request) -> str:
    return request.status.name if request.status is not None else "nothing"
