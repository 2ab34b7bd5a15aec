"""A test's side of a bench: builds the simulator, runs the cases, leaves a waveform of the one that failed."""

from __future__ import annotations

import inspect
import os
import pickle
import re
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from npde.errors import BuildError
from npde_sim import verilator
from npde_sim.bench.build import TOP, build
from npde_sim.bench.job import JOB, Case, Job, Outcome
from npde_sim.bench.scoreboard import Mismatch

SEED = "NPDE_SEED"
"""Environment variable that replaces every case's seed."""


def simulate(
    component: wiring.Component,
    scenario: Callable[..., Coroutine],
    *,
    cases: Sequence[Case] = (Case(1, "all-out"), Case(2, "random"), Case(3, "bursts")),
    sources: Sequence[str] = (),
    **arguments: Any,
) -> list[Any]:
    """Run ``scenario(bench, **arguments)`` on the component for each case; what each returned.

    ``arguments`` travel by pickle. ``sources`` are Verilog texts of cells the component instantiates.
    Raises :class:`Mismatch` for the first case in which something else came than expected, with its
    place, both integers, the case's seed and the path of its waveform.
    """
    if SEED in os.environ:
        cases = [Case(int(os.environ[SEED]), case.pace) for case in cases]
    code = inspect.unwrap(scenario)
    job = Job(code.__module__, inspect.getfile(code), code.__name__, arguments, tuple(cases))
    print(f"{job.scenario}: " + "; ".join(map(str, cases)))
    outcomes = _run(build(component, sources=sources), job)
    last = outcomes[-1]
    if last.error:
        raise RuntimeError(f"{job.scenario} ({last.case}) did not come to an end:\n{last.error}")
    if last.mismatch:
        wave = _trace(component, sources, job, last)
        raise Mismatch(f"{last.mismatch}\n{job.scenario}: {last.case}; waveform: {wave}")
    return [outcome.result for outcome in outcomes]


def _trace(component: wiring.Component, sources: Sequence[str], job: Job, failed: Outcome) -> Path:
    """Run the failed case again with tracing; all cases up to it, where alone it does not fail."""
    name = re.sub(r"\W+", "-", f"{Path(job.file).stem}-{job.scenario}-seed{failed.case.seed}-{failed.case.pace}")
    wave = verilator.cache("waveforms") / f"{name}.vcd"
    folder = build(component, sources=sources, waves=True)
    upto = job.cases[: job.cases.index(failed.case) + 1]
    for cases in ((failed.case,), upto):
        again = _run(folder, Job(job.module, job.file, job.scenario, job.arguments, cases), wave)
        if again[-1].mismatch:
            break
    return wave


def _run(folder: Path, job: Job, wave: Path | None = None) -> list[Outcome]:
    from cocotb_tools.runner import get_runner

    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "job.pickle"
        path.write_bytes(pickle.dumps(job))
        log = Path(place) / "simulator.log"
        try:
            get_runner("verilator").test(
                test_module="npde_sim.bench.inside", hdl_toplevel=TOP, hdl_toplevel_lang="verilog",
                build_dir=folder, test_dir=place, extra_env={JOB: str(path), "COCOTB_LOG_LEVEL": "WARNING"},
                waves=wave is not None, test_args=["--trace-file", str(wave)] if wave else [], log_file=log,
            )  # fmt: skip
        except (SystemExit, RuntimeError) as error:
            raise BuildError(f"the simulator of {job.scenario} stopped: {error}\n{log.read_text()[-2000:]}") from error
        outcomes = path.with_suffix(".out")
        if not outcomes.exists():
            raise BuildError(f"the simulator of {job.scenario} ended without a word:\n{log.read_text()[-2000:]}")
        return pickle.loads(outcomes.read_bytes())
