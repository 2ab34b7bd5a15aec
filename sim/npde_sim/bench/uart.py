"""An asynchronous serial line, timed in picoseconds: the far end has a clock of its own."""

from __future__ import annotations

from typing import Any

from cocotb.triggers import FallingEdge, Timer, with_timeout

from npde_sim.bench.bench import PERIOD, Bench
from npde_sim.bench.scoreboard import Mismatch


class Line:
    """8N1. ``bit`` is a bit's length in clock cycles, not necessarily whole: two clocks never agree."""

    def __init__(self, bench: Bench, *, rx: Any = None, tx: Any = None, bit: float):
        self.bench, self.rx, self.tx, self.bit = bench, rx, tx, bit
        if rx is not None:
            rx.value = 1

    async def send(self, data: bytes, *, stop: int = 1) -> None:
        """Bytes back to back; with ``stop`` 0 each ends in a framing error and the line then rests for two bits."""
        for byte in data:
            for level in (0, *(byte >> i & 1 for i in range(8)), stop):
                self.rx.value = level
                await self.pause(1)
            if not stop:
                self.rx.value = 1
                await self.pause(2)

    async def pause(self, bits: float) -> None:
        """Let that many bits' time pass."""
        await Timer(round(bits * self.bit * PERIOD), unit="ps")

    async def receive(self, patience: int = 40_000) -> int | None:
        """The next byte, sampled in the middle of its bits, or None when none begins in ``patience`` cycles."""
        if int(self.tx.value):
            try:
                await with_timeout(FallingEdge(self.tx), patience * PERIOD, "ps")
            except TimeoutError:
                return None
        await self.pause(0.5)
        if int(self.tx.value):
            raise Mismatch(f"the line fell for less than half a bit in cycle {self.bench.now}")
        byte = 0
        for place in range(8):
            await self.pause(1)
            byte |= int(self.tx.value) << place
        await self.pause(1)
        if not int(self.tx.value):
            raise Mismatch(f"a stop bit is low in cycle {self.bench.now}, after byte {byte:#04x}")
        return byte
