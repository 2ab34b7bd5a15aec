"""Cell updates a second of Gray-Scott on ECP5, beside py-pde compiled by numba and plain numpy on this machine.

``python benchmarks/gray_scott.py [SIDE] [FOLDER]`` takes a periodic grid of SIDE × SIDE cells (64) in 16 bits and builds
its bitstreams under FOLDER (``build/gray-scott``) where no report of the same plan lies yet. One cell update is one Euler
step of both fields of a cell. The board's rate is copies of the step × the clock reached after routing; *sustained*
counts the ends of passes too. The bound is what as many multipliers as the device has could do at that clock, were
nothing else needed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pde

from npde.equation.catalogue import ready, start
from npde.errors import BuildError
from npde_hdl import board as boards
from npde_hdl.build import build
from npde_hdl.build.report import Report
from npde_hdl.evolve.arithmetic import multipliers_of
from npde_hdl.plan import Plan, plan_for

BOARDS = {"ulx3s-25f": 80_000_000, "ulx3s-85f": 70_000_000}
"""The clock planned: that of the larger device is what its copies, farther apart, were estimated at after placing."""
DU, DV, FEED, KILL = 0.16, 0.08, 0.035, 0.065
STEPS = 2000


def main(side: str = "64", folder: str = "build/gray-scott") -> None:
    """One row each; the last column is relative to the fastest run on this machine."""
    equation = ready("gray-scott", (int(side), int(side)), Du=DU, Dv=DV, F=FEED, k=KILL, times=STEPS)
    state = start(equation)[0]
    cells = state.shape[0] * state.shape[1]
    rates = {
        "numpy, float64, in place": cells * STEPS / _seconds(lambda: _numpy(state, STEPS)),
        "numpy, float32, in place": cells * STEPS / _seconds(lambda: _numpy(state.astype(np.float32), STEPS)),
        "py-pde, numba, float64": cells * STEPS / _py_pde(state, STEPS),
    }
    best = max(rates.values())
    print("| what | copies | fmax | Mcell/s | sustained | bound | ÷ fastest here |")
    print("| --- " * 7 + "|")
    for name, rate in rates.items():
        print(f"| {name} | – | – | {rate / 1e6:,.1f} | – | – | {rate / best:.2f} |", flush=True)
    for name, clock in BOARDS.items():
        board = boards.get(name)
        plan = plan_for(equation.model.program, board, clock=clock)
        fmax = _fmax(plan, Path(folder) / f"{side}-{name}")
        step = plan.evolved[0]
        rate, sustained = step.copies * fmax, step.cells_a_cycle * fmax
        bound = board.budget.dsps / multipliers_of(step.step) * fmax
        print(f"| {name} | {step.copies} | {fmax / 1e6:.1f} MHz | {rate / 1e6:,.0f} | {sustained / 1e6:,.0f} "
              f"| {bound / 1e6:,.0f} | {sustained / best:.1f} |", flush=True)  # fmt: skip


def _fmax(plan: Plan, where: Path) -> float:
    """After routing, from the report of an earlier build of the same plan or from one made now; the best seed's where all miss the clock."""
    same = where / "plan"
    if not same.exists() or same.read_bytes() != plan.build_id:
        try:
            build(plan, where, progress=lambda stage: print(f"{plan.board}: {stage}", file=sys.stderr, flush=True))
        except BuildError as error:
            print(error, file=sys.stderr, flush=True)
        same.write_bytes(plan.build_id)
    return msgspec.json.decode((where / "report.json").read_bytes(), type=Report).fmax


def _seconds(run: Callable[[], object]) -> float:
    """The shortest of three runs."""
    took = []
    for _ in range(3):
        began = time.perf_counter()
        run()
        took.append(time.perf_counter() - began)
    return min(took)


def _numpy(state: np.ndarray, steps: int) -> np.ndarray:
    """Slices of a padded field, no array made in the loop."""
    dtype = state.dtype.type
    u, v = (np.pad(state[..., k], 1, mode="wrap") for k in (0, 1))
    inner = (slice(1, -1), slice(1, -1))
    lap, uvv = np.empty_like(u[inner]), np.empty_like(u[inner])

    def spread(field: np.ndarray, by: float) -> None:
        """``lap`` becomes the increment of diffusion."""
        np.add(field[:-2, 1:-1], field[2:, 1:-1], out=lap)
        np.add(lap, field[1:-1, :-2], out=lap)
        np.add(lap, field[1:-1, 2:], out=lap)
        np.multiply(lap, dtype(by), out=lap)

    for _ in range(steps):
        np.multiply(v[inner], v[inner], out=uvv)
        np.multiply(uvv, u[inner], out=uvv)
        spread(u, DU)
        u[inner] *= dtype(1 - 4 * DU - FEED)
        u[inner] += lap
        u[inner] -= uvv
        u[inner] += dtype(FEED)
        spread(v, DV)
        v[inner] *= dtype(1 - 4 * DV - FEED - KILL)
        v[inner] += lap
        v[inner] += uvv
        for field in (u, v):
            field[0], field[-1] = field[-2], field[1]
            field[:, 0], field[:, -1] = field[:, -2], field[:, 1]
    return np.stack([u[inner], v[inner]], axis=-1)


def _py_pde(state: np.ndarray, steps: int) -> float:
    """Seconds of the compiled explicit Euler alone."""
    height, width = state.shape[:2]
    grid = pde.CartesianGrid([(0, height), (0, width)], (height, width), periodic=True)
    equation = pde.PDE({
        "u": f"{DU} * laplace(u) - u * v**2 + {FEED} * (1 - u)",
        "v": f"{DV} * laplace(v) + u * v**2 - {FEED + KILL} * v",
    })  # fmt: skip
    fields = pde.FieldCollection([pde.ScalarField(grid, state[..., k]) for k in (0, 1)])
    solver = pde.EulerSolver(equation, backend="numba")
    advance = solver.make_stepper(fields, dt=1.0)
    advance(fields.copy(), 0.0, 1.0)  # compiles
    seconds = _seconds(lambda: advance(fields.copy(), 0.0, float(steps)))
    end = fields.copy()
    advance(end, 0.0, float(steps))
    difference = np.abs(np.moveaxis(end.data, 0, -1) - _numpy(state, steps)).max()
    print(f"py-pde and numpy differ by {difference:.1e} after {steps} steps", file=sys.stderr, flush=True)
    return seconds


if __name__ == "__main__":
    main(*sys.argv[1:])
