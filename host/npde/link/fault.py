"""A byte pipe that harms what passes, in either direction, as bad cables and bridges do; seeded, and counted."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass

from npde.errors import LinkError
from npde.link.pipe import Pipe


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
    """``pipe`` with ``faults``; ``counts`` says how often each happened. Set ``faults`` anew at any time."""

    def __init__(self, pipe: Pipe, faults: Faults, seed: int):
        self.pipe, self.faults, self.counts = pipe, faults, Counter[str]()
        self._rng = random.Random(seed)
        self._held = {"read": b"", "write": b""}

    def read(self, patience: float) -> bytes:
        return self._harmed(self.pipe.read(patience), "read")

    def write(self, wire: bytes) -> None:
        harmed = self._harmed(wire, "write")
        if harmed:
            self.pipe.write(harmed)

    def close(self) -> None:
        self.pipe.close()

    def _happens(self, name: str) -> bool:
        happens = self._rng.random() < getattr(self.faults, name)
        self.counts[name] += happens
        return happens

    def _harmed(self, whole: bytes, way: str) -> bytes:
        out = bytearray()
        for start in range(0, len(whole), self.faults.piece):
            piece = self._bytes(whole[start : start + self.faults.piece])
            if self._happens("unplug"):
                raise LinkError("the port went away: an unplug on purpose")
            if self._happens("stall"):
                time.sleep(self.faults.pause)
            if self._happens("burst"):
                piece[:32] = self._rng.randbytes(len(piece[:32]))
            if not self._held[way] and self._happens("swap"):
                self._held[way] = bytes(piece)
                continue
            out += piece + self._held[way]
            self._held[way] = b""
        return bytes(out)

    def _bytes(self, piece: bytes) -> bytearray:
        faults, out = self.faults, bytearray()
        if not (faults.flip or faults.drop or faults.repeat):
            return bytearray(piece)
        for byte in piece:
            if faults.flip and self._rng.random() < 1 - (1 - faults.flip) ** 8:
                byte ^= 1 << self._rng.randrange(8)
                self.counts["flip"] += 1
            copies = 0 if self._happens("drop") else 2 if self._happens("repeat") else 1
            out += bytes([byte]) * copies
        return out
