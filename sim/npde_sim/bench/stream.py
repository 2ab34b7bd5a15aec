"""The two ends of a stream, and the watch over its rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from npde_sim.bench.lanes import Lanes
from npde_sim.bench.pace import Pace
from npde_sim.bench.scoreboard import Expectation, Mismatch

if TYPE_CHECKING:
    from npde_sim.bench.bench import Bench


class Stream:
    """Handles of ``name__valid``, ``name__ready`` and ``name__payload`` in ``scope``."""

    def __init__(self, scope: Any, name: str):
        self.name = name
        self.valid = getattr(scope, f"{name}__valid")
        self.ready = getattr(scope, f"{name}__ready")
        self.payload = getattr(scope, f"{name}__payload")


class Source:
    """Drives a stream. While it holds back, the payload is noise: nobody may look at it then."""

    def __init__(self, bench: Bench, stream: Stream, pace: Pace):
        self.bench, self.stream, self.pace = bench, stream, pace
        self.sent_at: list[int] = []
        """The cycle in which each word was taken."""

    async def send(self, words: Iterable[int]) -> None:
        """Offer the words one after the other, each until it is taken."""
        stream, bench = self.stream, self.bench
        width = len(stream.payload)
        for word in words:
            while not self.pace.moves():
                stream.valid.value = 0
                stream.payload.value = bench.dice.getrandbits(width)
                await bench.cycle()
            stream.valid.value = 1
            stream.payload.value = word
            await bench.cycle()
            while not int(stream.ready.value):
                await bench.cycle()
            self.sent_at.append(bench.now)
        stream.valid.value = 0


class Monitor:
    """Watches a stream every cycle; with a ``pace`` it is the stream's end and drives ``ready``.

    Each transfer goes to the expectation. Raises :class:`Mismatch` also where the stream's rules
    are broken: ``valid`` withdrawn, or the payload changed, before the word was taken.
    """

    def __init__(self, bench: Bench, stream: Stream, lanes: Lanes, expectation: Expectation | None, pace: Pace | None):
        self.bench, self.stream, self.lanes = bench, stream, lanes
        self.expectation, self.pace = expectation, pace
        self.came: list[int] = []
        """Every word, and beside it the cycle of its transfer."""
        self.came_at: list[int] = []
        self.seen_at: list[int] = []
        """The cycle in which each word was first offered."""

    async def run(self) -> None:
        """Watch until cancelled."""
        stream, bench = self.stream, self.bench
        offered: int | None = None
        if self.pace is not None:
            stream.ready.value = int(self.pace.moves())
        while True:
            await bench.cycle()
            if not int(stream.valid.value):
                if offered is not None:
                    raise Mismatch(f"{stream.name}: valid was withdrawn in cycle {bench.now} before {offered:#x} was taken")
            else:
                payload = int(stream.payload.value)
                if offered is None:
                    self.seen_at.append(bench.now)
                elif payload != offered:
                    raise Mismatch(f"{stream.name}: the payload changed from {offered:#x} to {payload:#x} in cycle {bench.now} before it was taken")
                offered = payload
                if int(stream.ready.value):
                    offered = None
                    self._take(payload)
            if self.pace is not None:
                stream.ready.value = int(self.pace.moves())

    def _take(self, payload: int) -> None:
        self.came.append(payload)
        self.came_at.append(self.bench.now)
        if self.expectation is not None:
            self.expectation.take(self.lanes.unpack(payload))
