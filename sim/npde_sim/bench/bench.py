"""What a scenario has at hand inside the simulator: clock, reset, streams and dice."""

from __future__ import annotations

import random
from collections.abc import Coroutine, Iterable
from typing import Any

import cocotb
import numpy as np
from cocotb.task import Task
from cocotb.triggers import RisingEdge
from cocotb.utils import get_sim_time

from npde_sim.bench.lanes import Lanes
from npde_sim.bench.pace import Pace
from npde_sim.bench.scoreboard import Expectation, Mismatch
from npde_sim.bench.stream import Monitor, Source, Stream

PERIOD = 10_000
"""Of the clock, in picoseconds."""


class Bench:
    """One case: ``dut`` out of reset, ``dice`` and ``rng`` of its seed, its ``pace`` for every stream.

    A signal read after :meth:`cycle` has the value the clock edge saw; one written then changes
    behind that edge.
    """

    def __init__(self, dut: Any, seed: int, pace: str):
        self.dut, self.seed, self.pace = dut, seed, pace
        self.dice, self.rng = random.Random(seed), np.random.default_rng(seed)
        self._edge = RisingEdge(dut.clk)
        self._tasks: list[Task] = []
        self._expectations: list[Expectation] = []
        self.failure: Exception | None = None

    @property
    def now(self) -> int:
        """The number of the last clock edge."""
        return int(get_sim_time("ps")) // PERIOD

    async def cycle(self, count: int = 1) -> None:
        """Wait for that many clock edges; raises what went wrong beside the scenario."""
        for _ in range(count):
            await self._edge
            self.check()

    async def reset(self) -> None:
        """Two cycles of reset, every input of a stream idle."""
        self.dut.rst.value = 1
        await self.cycle(2)
        self.dut.rst.value = 0

    def start(self, work: Coroutine) -> Task:
        """Run beside the scenario; what it raises ends the case."""
        task = cocotb.start_soon(self._guard(work))
        self._tasks.append(task)
        return task

    def source(self, name: str, *, scope: Any = None, pace: str | None = None) -> Source:
        """A driver of the stream that enters the component at ``name``."""
        stream = Stream(scope or self.dut, name)
        stream.valid.value = 0
        return Source(self, stream, Pace(pace or self.pace, self.dice.getrandbits(32)))

    def feed(self, name: str, words: Iterable[int], *, pace: str | None = None) -> Source:
        """A driver that sends ``words`` beside the scenario."""
        source = self.source(name, pace=pace)
        self.start(source.send(words))
        return source

    def sink(self, name: str, lanes: Lanes, expectation: Expectation | None = None, *, pace: str | None = None) -> Monitor:
        """The end of the stream that leaves the component at ``name``."""
        return self._monitor(Stream(self.dut, name), lanes, expectation, Pace(pace or self.pace, self.dice.getrandbits(32)))

    def watch(self, scope: Any, name: str, lanes: Lanes, expectation: Expectation | None = None) -> Monitor:
        """A look at a stream inside the design."""
        return self._monitor(Stream(scope, name), lanes, expectation, None)

    def _monitor(self, stream: Stream, lanes: Lanes, expectation: Expectation | None, pace: Pace | None) -> Monitor:
        monitor = Monitor(self, stream, lanes, expectation, pace)
        if expectation is not None:
            self._expectations.append(expectation)
        self.start(monitor.run())
        return monitor

    async def settle(self, patience: int, linger: int = 40) -> None:
        """Until every expectation is complete, and ``linger`` cycles more in which nothing further may come.

        Raises :class:`Mismatch` when none of them moved for ``patience`` cycles.
        """
        came, still = 0, 0
        while missing := [expectation for expectation in self._expectations if not expectation.complete]:
            before, came = came, sum(expectation.came for expectation in self._expectations)
            still = still + 1 if came == before else 0
            if still > patience:
                raise Mismatch(f"{missing[0].shortfall()} (for {patience} cycles)")
            await self.cycle()
        await self.cycle(linger)

    async def _guard(self, work: Coroutine) -> None:
        try:
            await work
        except Exception as error:
            self.failure = self.failure or error

    def check(self) -> None:
        """Raise what went wrong beside the scenario."""
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        """End every task that still runs."""
        for task in self._tasks:
            if not task.done():
                task.cancel()
