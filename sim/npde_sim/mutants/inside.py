"""The cocotb test that runs a job on one mutant after the other and writes down at once what became of each."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock

from npde_sim.bench.bench import PERIOD, Bench
from npde_sim.bench.inside import _module
from npde_sim.bench.job import Job
from npde_sim.bench.scoreboard import Mismatch

WORK = "NPDE_MUTANTS_WORK"
PATIENCE = 3
"""Times as many cycles as the faultless netlist took, and 2000 more, are a hang."""


@dataclass(frozen=True)
class Work:
    """A job for these mutants; ``cycles`` are those of each case without a fault, none yet if empty."""

    job: Job
    mutants: tuple[int, ...]
    cycles: tuple[int, ...]


@dataclass(frozen=True)
class Fate:
    """``why`` a mutant was noticed, or else what the scenario's cases returned; and the cycles they took."""

    mutant: int
    why: str
    results: tuple[Any, ...]
    cycles: tuple[int, ...]


class Limited(Bench):
    """A bench that ends after so many cycles, whoever waits."""

    most: int | None = None
    begun = 0

    async def cycle(self, count: int = 1) -> None:
        await super().cycle(count)
        if self.most is not None and self.now - self.begun > self.most:
            raise Mismatch(f"no end after {self.most} cycles")


@cocotb.test(timeout_time=100, timeout_unit="sec")
async def mutants(dut):
    """Fates are appended one by one: a mutant whose netlist does not settle ends the simulator."""
    path = Path(os.environ[WORK])
    work: Work = pickle.loads(path.read_bytes())
    scenario = getattr(_module(work.job.module, work.job.file), work.job.scenario)
    Clock(dut.clk, PERIOD, unit="ps").start()
    with path.with_suffix(".out").open("ab") as out:
        for mutant in work.mutants:
            pickle.dump(await _fate(dut, scenario, work, mutant), out)
            out.flush()


async def _fate(dut, scenario, work: Work, mutant: int) -> Fate:
    results, cycles, why = [], [], ""
    for number, case in enumerate(work.job.cases):
        # What the last mutant left behind is reset without a fault first.
        dut.mutsel.value = 0
        bench = Limited(dut, case.seed, case.pace)
        await bench.reset()
        dut.mutsel.value = mutant
        bench.begun, bench.most = bench.now, work.cycles[number] * PATIENCE + 2000 if work.cycles else None
        try:
            await bench.reset()
            results.append(await scenario(bench, **work.job.arguments))
            bench.check()
        except Mismatch as mismatch:
            why = str(mismatch)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
        bench.close()
        cycles.append(bench.now - bench.begun)
        if why:
            break
    return Fate(mutant, why, tuple(results), tuple(cycles))
