"""A byte pipe that harms what passes, in either direction, as bad cables and bridges do; seeded, and counted."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from npde.errors import LinkError
from npde.link.pipe import Pipe

BITS = 8


@dataclass(frozen=True)
class Faults:
    """Probabilities: ``flip`` a bit; ``drop`` and ``repeat`` a byte; ``burst`` (32 random bytes in place of as many), ``swap``
    (a piece behind the next one), ``stall`` (for ``pause`` seconds) and ``unplug`` a piece of at most ``piece`` bytes."""

    flip: float = 0.0
    drop: float = 0.0
    repeat: float = 0.0
    burst: float = 0.0
    swap: float = 0.0
    stall: float = 0.0
    unplug: float = 0.0
    pause: float = 0.05
    piece: int = 64


class FaultyPipe:
    """``pipe`` with ``faults``; ``counts`` says how often each happened. Set ``faults`` anew at any time.

    ``sleep`` is what a stall does; a pipe with a clock of its own takes one that moves it.
    """

    def __init__(self, pipe: Pipe, faults: Faults, seed: int, *, sleep: Callable[[float], object] = time.sleep):
        self.pipe, self.counts, self.sleep = pipe, Counter[str](), sleep
        self._rng = random.Random(seed)
        self._held = {"read": b"", "write": b""}
        self.faults = faults

    @property
    def faults(self) -> Faults:
        """What happens from now on."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        # How many bits or bytes pass until the next fault of a kind: drawn once a fault, so that sound bytes cost nothing.
        self._gaps = {name: self._gap(name) for name in ("flip", "drop", "repeat")}

    def read(self, patience: float) -> bytes:
        return self._harmed(self.pipe.read(patience), "read")

    def write(self, wire: bytes) -> None:
        harmed = self._harmed(wire, "write")
        if harmed:
            self.pipe.write(harmed)

    def now(self) -> float:
        return self.pipe.now()

    def rate(self, baud: int) -> int:
        return self.pipe.rate(baud)

    def close(self) -> None:
        self.pipe.close()

    def _happens(self, name: str) -> bool:
        chance = getattr(self._faults, name)
        happens = chance > 0 and self._rng.random() < chance
        self.counts[name] += happens
        return happens

    def _gap(self, name: str) -> float:
        """How many pass before the next: geometrically distributed."""
        chance = getattr(self._faults, name)
        if chance <= 0:
            return math.inf
        return math.floor(math.log(1 - self._rng.random()) / math.log1p(-chance)) if chance < 1 else 0

    def _places(self, name: str, length: int) -> list[int]:
        """Where among the next ``length`` it happens."""
        gap, places = self._gaps[name], []
        while gap < length:
            places.append(int(gap))
            gap += 1 + self._gap(name)
        self._gaps[name] = gap - length
        self.counts[name] += len(places)
        return places

    def _harmed(self, whole: bytes, way: str) -> bytes:
        out = bytearray()
        for start in range(0, len(whole), self._faults.piece):
            piece = self._bytes(whole[start : start + self._faults.piece])
            if self._happens("unplug"):
                raise LinkError("the port went away: an unplug on purpose")
            if self._happens("stall"):
                self.sleep(self._faults.pause)
            if self._happens("burst"):
                piece[:32] = self._rng.randbytes(len(piece[:32]))
            if not self._held[way] and self._happens("swap"):
                self._held[way] = bytes(piece)
                continue
            out += piece + self._held[way]
            self._held[way] = b""
        return bytes(out)

    def _bytes(self, piece: bytes) -> bytearray:
        out = bytearray(piece)
        for place in self._places("flip", BITS * len(piece)):
            out[place // BITS] ^= 1 << place % BITS
        lost, doubled = self._places("drop", len(piece)), self._places("repeat", len(piece))
        if lost or doubled:
            copies = [1] * len(out)
            for place in doubled:
                copies[place] = 2
            for place in lost:
                copies[place] = 0
            out = bytearray(byte for byte, times in zip(out, copies, strict=True) for _ in range(times))
        return out
