"""A program for a board that takes programs at run time: what room it has, the image sent, the board's judgement in words."""

from __future__ import annotations

import struct
from typing import NamedTuple

from npde.errors import LinkError
from npde.link.protocol import COMMANDS, REFUSALS, Kind, Refusal, Status
from npde.link.session import Session

ROOM = struct.Struct(COMMANDS[Kind.PROGRAM].reply)
REFUSED = struct.Struct("<bI")
AT_ONCE = 400
"""Bytes of an image in one frame."""


class Room(NamedTuple):
    """Bytes of an ``image`` that the board keeps aside, and of ``memory`` for a program with its weights and buffers."""

    image: int
    memory: int


def room(session: Session) -> Room:
    """What a board that takes programs has for them. Raises :class:`LinkError`."""
    status, reply = session.request(Kind.PROGRAM, struct.pack("<H", 0))
    if status != Status.OK:
        raise LinkError(f"the board on {session.port} refused PROGRAM: {status.name}")
    return Room(*ROOM.unpack(reply))


def send(session: Session, image: bytes, has: Room) -> None:
    """Send an image and have it adopted; raises :class:`LinkError` with the board's reason, its program then as before."""
    if len(image) > has.image:
        raise LinkError(
            f"the program's image has {len(image)} bytes; the board on {session.port} keeps {has.image} of one"
        )
    for first in range(0, len(image), AT_ONCE):
        session.ask(Kind.PROGRAM, struct.pack("<H", first) + image[first : first + AT_ONCE])
    status, reply = session.request(Kind.ADOPT, struct.pack("<H", len(image)))
    if status == Status.REFUSED and len(reply) == REFUSED.size:
        number, detail = REFUSED.unpack(reply)
        raise LinkError(f"the board on {session.port} refused the program: {_why(number, detail, has)}")
    if status != Status.OK:
        raise LinkError(f"the board on {session.port} refused ADOPT: {status.name}")


def _why(number: int, detail: int, has: Room) -> str:
    if number not in list(Refusal):
        return f"reason {number}, which this host does not know"
    if number == Refusal.MEMORY:
        return f"it needs {detail} bytes of memory, and {has.memory} are set aside"
    meaning, _, says = REFUSALS[Refusal(number)].partition("; ")
    return f"{meaning} ({says.removeprefix('the ')} {detail})"
