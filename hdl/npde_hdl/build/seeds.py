"""Place-and-route with one seed after the other, or several at once, until the clock is met; the best is kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from npde_hdl.board import Board
from npde_hdl.build.report import Used, read_timing
from npde_hdl.build.tool import run_tool


class Routed(NamedTuple):
    """``fmax`` in hertz, by which ``seed``, what it used; the ``seconds`` of all tries, and how many they were."""

    fmax: float
    seed: int
    used: dict[str, Used]
    seconds: float
    tried: int


def best_of(
    route: list[str], where: Path, board: Board, clock: int, *, seeds: int, jobs: int, log: str, report: str,
    tell: Callable[[str], None],
) -> Routed:  # fmt: skip
    """The first seed that meets ``clock`` in hertz, or the best of ``seeds``; of ``jobs`` at once the best of them.

    Each works on a copy of ``where`` in a folder of its own within it; what the best one left comes back into ``where``. Raises
    :class:`npde.errors.BuildError` where the tool fails; ``log`` then lies in ``where``.
    """
    inputs = [path for path in where.iterdir() if path.is_file()]
    tries: list[Routed] = []

    def attempt(seed: int) -> Routed:
        folder = _folder(where, seed)
        folder.mkdir(exist_ok=True)
        for path in inputs:
            shutil.copy(path, folder)
        try:
            seconds = run_tool([route[0], "--seed", str(seed), *route[1:]], folder, log)
            fmax, used = read_timing(folder / report, board)
        finally:
            if (folder / log).exists():
                shutil.copy(folder / log, where)
        return Routed(fmax, seed, used, seconds, 1)

    try:
        with ThreadPoolExecutor(jobs) as pool:
            for first in range(1, seeds + 1, jobs):
                batch = range(first, min(first + jobs, seeds + 1))
                tell(f"place and route, seed{'s' if len(batch) > 1 else ''} {', '.join(map(str, batch))}")
                tries += pool.map(attempt, batch)
                if max(one.fmax for one in tries) >= clock:
                    break
        best = max(tries, key=lambda one: one.fmax)
        for path in _folder(where, best.seed).iterdir():
            path.replace(where / path.name)
    finally:
        for seed in range(1, seeds + 1):
            shutil.rmtree(_folder(where, seed), ignore_errors=True)
    return best._replace(seconds=sum(one.seconds for one in tries), tried=len(tries))


def _folder(where: Path, seed: int) -> Path:
    return where / f"seed{seed}"
