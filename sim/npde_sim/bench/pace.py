"""How willingly one end of a stream moves: all-out, now and then, or in bursts."""

from __future__ import annotations

import random
from collections.abc import Iterator


def _always(dice: random.Random) -> Iterator[bool]:
    while True:
        yield True


def _sometimes(share: float):
    def moves(dice: random.Random) -> Iterator[bool]:
        while True:
            yield dice.random() < share

    return moves


def _bursts(dice: random.Random) -> Iterator[bool]:
    while True:
        for moving in (True, False):
            for _ in range(dice.choice((1, 2, 3, 5, 8, 20, 60))):
                yield moving


PACES = {"all-out": _always, "random": _sometimes(0.5), "slow": _sometimes(0.12), "bursts": _bursts}


class Pace:
    """Whether to move in this cycle, asked cycle by cycle; ``name`` is one of :data:`PACES`."""

    def __init__(self, name: str, seed: int):
        if name not in PACES:
            raise ValueError(f"{name!r} is not a pace; the paces are {', '.join(PACES)}")
        self._moves = PACES[name](random.Random(seed))

    def moves(self) -> bool:
        """The next cycle's decision."""
        return next(self._moves)
