"""A faster line, where board, port and cable all bear it: asked for, proven, or given up without loss.

A board that takes ``RATE`` goes back to its first rate by itself when nothing whole arrives (docs/protocol.md), and the
session does when nothing is heard; so a rate at which the line is broken costs a second and nothing else.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from npde.errors import LinkError
from npde.link.protocol import LEAST_CYCLES, PAYLOAD, RATE_TOLERANCE, Info, Kind, Status
from npde.link.session import Session

RATES = (12_000_000, 8_000_000, 6_000_000, 5_000_000, 4_000_000, 3_000_000, 2_000_000, 1_000_000, 921_600, 460_800, 230_400)
"""What serial bridges make, quickest first."""
ROUNDS = 4
"""Long requests, and as many long answers, that must all come through at once before a rate is kept."""
PROOF_PATIENCE = 0.5
"""Seconds an answer may stay away meanwhile: a board simulated on a busy machine takes that long."""
WAY_BACK_PATIENCE = 5.0
"""The same for a board that is on its way back to its first rate: it answered just now, and a tenth of a simulated second is long."""


def cycles_of(info: Info, baud: int) -> int:
    """Clock cycles the board takes for a bit at ``baud``."""
    return max(1, round(info.clock / baud))


def candidates(info: Info) -> list[int]:
    """The rates faster than its first that the board's clock makes, quickest first."""
    return [
        baud for baud in RATES
        if baud > info.baud and cycles_of(info, baud) >= LEAST_CYCLES
        and abs(info.clock / cycles_of(info, baud) - baud) <= RATE_TOLERANCE * baud
    ]  # fmt: skip


def quicken(session: Session, info: Info) -> int:
    """Move board and host to the fastest rate that proves good; returns the rate they speak at.

    None of it is recorded. Raises :class:`LinkError` only where the board is lost altogether.
    """
    with _unrecorded(session):
        for baud in candidates(info):
            if not session.accepts(baud) or not session.move(cycles_of(info, baud), baud):
                continue
            if _proven(session):
                break
            session.fall_back()
            with _patience(session, WAY_BACK_PATIENCE):
                session.synchronise()
    return session.baud


def slow(session: Session, info: Info) -> None:
    """Leave the board at its first rate for the next host; where that fails it goes back by itself."""
    with _unrecorded(session), contextlib.suppress(LinkError), _patience(session, PROOF_PATIENCE):
        if session.baud != session.first_baud and session.at_rest:
            session.move(cycles_of(info, session.first_baud), session.first_baud, most_tries=2)


def _proven(session: Session) -> bool:
    """Whether long frames come through both ways at once, again and again."""
    losses = session.losses
    try:
        with _patience(session, PROOF_PATIENCE):
            for _ in range(ROUNDS):
                session.ask(Kind.IDENTIFY, most_tries=2)
                # Too long for a RESET: it is judged by its bytes, refused and not carried out.
                status, _ = session.request(Kind.RESET, os.urandom(PAYLOAD), most_tries=2)
                if status != Status.LENGTH:
                    return False
    except LinkError:
        return False
    return session.losses == losses


@contextlib.contextmanager
def _patience(session: Session, seconds: float) -> Iterator[None]:
    before, session.patience = session.patience, seconds
    try:
        yield
    finally:
        session.patience = before


@contextlib.contextmanager
def _unrecorded(session: Session) -> Iterator[None]:
    told, session.answered = session.answered, lambda request: None
    try:
        yield
    finally:
        session.answered = told
