"""A component's tests recorded, its mutants run through them, the survivors looked at."""

from __future__ import annotations

import contextlib
import inspect
import io
import pickle
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from amaranth.back import rtlil

from npde.errors import BuildError
from npde_sim.bench import run as bench_run
from npde_sim.bench.build import TOP
from npde_sim.bench.job import Job
from npde_sim.mutants.equivalent import equivalent
from npde_sim.mutants.inside import WORK, Fate, Work
from npde_sim.mutants.netlist import Mutant, mutants_of, simulator

CASES = inspect.signature(bench_run.simulate).parameters["cases"].default


@dataclass
class Recorded:
    """One call of ``simulate``: which design, and what was done to it."""

    design: str
    job: Job
    sources: tuple[str, ...]
    test: int


@dataclass
class Recorder:
    """A pytest plugin that notes every simulation of the tests it runs."""

    calls: list[Recorded] = field(default_factory=list)
    tests: list[Any] = field(default_factory=list)
    passed: bool = True

    def pytest_collection_modifyitems(self, items):
        for item in items:
            if hasattr(item.module, "simulate"):
                item.module.simulate = self._simulate

    def pytest_runtest_call(self, item):
        self.tests.append(item)

    def pytest_runtest_logreport(self, report):
        self.passed &= not report.failed

    def _simulate(self, component, scenario, *, cases=CASES, sources=(), **arguments):
        design = rtlil.convert(component, name=TOP)
        code = inspect.unwrap(scenario)
        job = Job(code.__module__, inspect.getfile(code), code.__name__, arguments, tuple(cases))
        self.calls.append(Recorded(design, job, tuple(sources), len(self.tests) - 1))
        return bench_run.simulate(component, scenario, cases=cases, sources=sources, **arguments)


@dataclass(frozen=True)
class Count:
    """What became of a component's mutants."""

    component: str
    mutants: int
    killed: int
    equivalent: tuple[str, ...]
    survivors: tuple[str, ...]

    @property
    def share(self) -> float:
        """Killed, of those that are not proved equivalent."""
        return self.killed / max(1, self.mutants - len(self.equivalent))


@dataclass(frozen=True)
class Campaign:
    """``component`` is judged by ``tests`` (pytest's names); ``mutants`` faults in all."""

    component: str
    tests: tuple[str, ...]
    mutants: int = 100


def campaign(plan: Campaign, tell: Callable[[str], None] = lambda _: None) -> Count:
    """Run it. Raises :class:`BuildError` when the tests fail without a fault."""
    recorder = Recorder()
    with contextlib.redirect_stdout(io.StringIO()) as said:
        pytest.main(["-n", "0", "-m", "slow or not slow", "-p", "no:cacheprovider", *plan.tests], plugins=[recorder])
    if not recorder.passed or not recorder.calls:
        raise BuildError(f"the tests of {plan.component} do not pass without a fault:\n{said.getvalue()[-2000:]}")
    designs = list(dict.fromkeys(call.design for call in recorder.calls))
    killed, same, survivors, total = 0, [], [], 0
    for number, design in enumerate(designs):
        share = plan.mutants // len(designs) + (number < plan.mutants % len(designs))
        calls = [call for call in recorder.calls if call.design == design]
        mutants = mutants_of(design, share)
        if not mutants:
            continue
        tell(f"{plan.component}: {len(mutants)} mutants, {len(calls)} simulations")
        alive = _alive(design, calls, mutants, recorder, tell)
        total, killed = total + len(mutants), killed + len(mutants) - len(alive)
        for mutant in alive:
            tell(f"{plan.component}: not noticed: {mutant.fault}")
        for mutant in alive:
            proved = equivalent(design, mutant)
            (same if proved else survivors).append(mutant.where)
            tell(f"{plan.component}: {'equivalent' if proved else 'survives'}: {mutant.where}")
    return Count(plan.component, total, killed, tuple(same), tuple(survivors))


def _alive(design: str, calls: Sequence[Recorded], mutants: Sequence[Mutant], recorder: Recorder, tell) -> list[Mutant]:
    """The mutants which every scenario lets through, and every assertion of the tests behind them."""
    folder = simulator(design, mutants, calls[0].sources)
    alive = list(mutants)
    kept: dict[int, list[tuple[Recorded, tuple]]] = {mutant.number: [] for mutant in mutants}
    for call in calls:
        (baseline,) = _run(folder, Work(call.job, (0,), ()))
        if baseline.why:
            raise BuildError(f"{call.job.scenario} fails without a fault: {baseline.why}")
        fates = {
            fate.mutant: fate for fate in _run(folder, Work(call.job, tuple(m.number for m in alive), baseline.cycles))
        }
        alive = [mutant for mutant in alive if not fates[mutant.number].why]
        for mutant in alive:
            kept[mutant.number].append((call, fates[mutant.number].results))
        tell(f"{call.job.scenario}: {len(alive)} of {len(mutants)} left")
    return [mutant for mutant in alive if not _noticed(kept[mutant.number], recorder)]


def _noticed(kept: Sequence[tuple[Recorded, tuple]], recorder: Recorder) -> bool:
    """Whether a test's own assertions, behind its simulations, fail with what this mutant returned."""
    for number in dict.fromkeys(call.test for call, _ in kept):
        item = recorder.tests[number]
        results = iter([list(results) for call, results in kept if call.test == number])
        known = len([call for call in recorder.calls if call.test == number])
        arguments = item.callspec.params if hasattr(item, "callspec") else {}
        if known != sum(call.test == number for call, _ in kept) or set(item.fixturenames) - set(arguments):
            continue  # a test of several designs, drawn ones or with fixtures: its scenarios have judged
        before, item.module.simulate = item.module.simulate, lambda *_, results=results, **__: next(results)
        try:
            item.obj(**arguments)
        except AssertionError:
            return True
        finally:
            item.module.simulate = before
    return False


def _run(folder: Path, work: Work) -> list[Fate]:
    """The fates of all mutants of ``work``; a simulator that dies has noticed the one it was at."""
    from cocotb_tools.runner import get_runner

    fates: list[Fate] = []
    while len(fates) < len(work.mutants):
        left = work.mutants[len(fates) :]
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "work.pickle"
            path.write_bytes(pickle.dumps(Work(work.job, left, work.cycles)))
            log = Path(place) / "simulator.log"
            with contextlib.suppress(SystemExit, RuntimeError):
                get_runner("verilator").test(
                    test_module="npde_sim.mutants.inside", hdl_toplevel=TOP, hdl_toplevel_lang="verilog",
                    build_dir=folder, test_dir=place, log_file=log,
                    extra_env={WORK: str(path), "COCOTB_LOG_LEVEL": "WARNING"},
                )  # fmt: skip
            came = _read(path.with_suffix(".out"))
            fates += came
            if len(came) < len(left):
                said = log.read_text()[-300:] if log.exists() else ""
                if work.mutants == (0,):
                    raise BuildError(f"the simulator of {work.job.scenario} stopped: {said}")
                fates.append(Fate(left[len(came)], f"the simulator stopped: {said}", (), ()))
    return fates


def _read(path: Path) -> list[Fate]:
    fates = []
    if path.exists():
        with path.open("rb") as file, contextlib.suppress(EOFError, pickle.UnpicklingError):
            while True:
                fates.append(pickle.load(file))
    return fates
