"""The one cocotb test: runs a job's cases one after the other inside the simulator and writes what became of them."""

from __future__ import annotations

import importlib.util
import os
import pickle
import sys
import traceback
from pathlib import Path
from types import ModuleType

import cocotb
from cocotb.clock import Clock

from npde_sim.bench.bench import PERIOD, Bench
from npde_sim.bench.job import JOB, Job, Outcome
from npde_sim.bench.scoreboard import Mismatch


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def job(dut):
    """Stops at the first case that goes wrong; five million cycles in all are a hang."""
    path = Path(os.environ[JOB])
    work: Job = pickle.loads(path.read_bytes())
    scenario = getattr(_module(work.module, work.file), work.scenario)
    outcomes: list[Outcome] = []
    Clock(dut.clk, PERIOD, unit="ps").start()
    for case in work.cases:
        bench = Bench(dut, case.seed, case.pace)
        outcome = Outcome(case)
        try:
            await bench.reset()
            outcome.result = await scenario(bench, **work.arguments)
            bench.check()
        except Mismatch as mismatch:
            outcome.mismatch = str(mismatch)
        except Exception:
            outcome.error = traceback.format_exc()
        bench.close()
        outcomes.append(outcome)
        if outcome.mismatch or outcome.error:
            break
    path.with_suffix(".out").write_bytes(pickle.dumps(outcomes))


def _module(name: str, file: str) -> ModuleType:
    """The scenario's module; test files lie in no package, so it is found by its path."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]
