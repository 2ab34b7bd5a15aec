"""Fisher-KPP, Allen-Cahn, Gray-Scott and FitzHugh-Nagumo against closed forms and against py-pde's own discretisation."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest

from npde import golden
from npde.equation.general import Discretised, with_times
from npde.equation.reaction import allen_cahn, fisher_kpp, fitzhugh_nagumo, gray_scott


def integers(equation: Discretised, start: np.ndarray, steps: int) -> np.ndarray:
    return equation.real(golden.run(with_times(equation.model, steps), equation.quantise(start)).output)


def crossing(u: np.ndarray, h: float) -> float:
    """Where a falling front passes one half."""
    k = int(np.argmax(u < 0.5))
    return h * (k - 1 + (u[k - 1] - 0.5) / (u[k - 1] - u[k]))


def test_fisher_kpp_has_the_closed_travelling_wave_of_ablowitz_and_zeppetella():
    """u = (1 + e^{(x - ct)/√6})⁻² with c = 5/√6; in integers, too, where the front's foot is below one unit."""
    h, dt, cells, steps = 0.25, 0.0125, 400, 800
    equation = fisher_kpp((1, cells), dt=dt, h=h, boundary="neumann", width=18)
    x = np.arange(cells) * h - 20

    def wave(t):
        return (1 + np.exp((x - 5 / math.sqrt(6) * t) / math.sqrt(6))) ** -2

    start = wave(0)[None, None, :, None]
    end = equation.reference.run(start, steps)
    assert np.abs(end[0, 0, :, 0] - wave(steps * dt)).max() < 0.02
    gone = crossing(end[0, 0, :, 0], h) - crossing(start[0, 0, :, 0], h)
    assert gone / (steps * dt) == pytest.approx(5 / math.sqrt(6), rel=0.01)
    held = integers(equation, start, steps)
    # Near 1 and at the foot dt·u_t is below half a unit, so that the front runs 1 % late.
    assert np.abs(held - end).max() < 0.06


def test_fisher_kpp_from_a_step_approaches_the_least_speed_from_below():
    h, dt = 0.5, 0.05
    equation = fisher_kpp((1, 400), dt=dt, h=h, boundary="neumann")
    u = (np.arange(400) < 20).astype(float)[None, None, :, None]
    early = equation.reference.run(u, 600)
    late = equation.reference.run(early, 600)
    speed = (crossing(late[0, 0, :, 0], h) - crossing(early[0, 0, :, 0], h)) / (600 * dt)
    slope = np.linspace(0.5, 1.5, 1001)
    growth = 1 + dt * ((2 * np.cosh(slope * h) - 2) / h**2 + 1)
    least = (np.log(growth) / (slope * dt)).min()  # the scheme's own 2√(rD)
    assert least == pytest.approx(2, abs=0.1)
    assert speed == pytest.approx(
        least - 1.5 * math.log(2) / 30, abs=0.01
    )  # Bramson: x = ct - 3/2·ln t, t from 30 to 60


@pytest.mark.parametrize("width", [16, 18])
def test_allen_cahns_wall_stays_the_tanh_of_its_closed_form(width):
    h, dt = 0.5, 0.05
    equation = allen_cahn((1, 80), dt=dt, h=h, boundary="neumann", width=width)
    x = (np.arange(80) - 39.5) * h
    start = np.tanh(x / math.sqrt(2))[None, None, :, None]
    end = equation.reference.run(start, 2000)
    assert np.abs(end - start).max() < 0.012  # the discrete wall's own O(h²)
    assert np.abs(integers(equation, start, 2000) - end).max() < 2e-3


def test_allen_cahns_wall_converges_with_order_two():
    errors = []
    for cells in (40, 80, 160):
        h = 40 / cells
        equation = allen_cahn((1, cells), dt=0.1 * h**2, h=h, boundary="neumann")
        start = np.tanh((np.arange(cells) - (cells - 1) / 2) * h / math.sqrt(2))[None, None, :, None]
        errors.append(np.abs(equation.reference.run(start, round(6 / (0.1 * h**2))) - start).max())
    assert math.log2(errors[1] / errors[2]) == pytest.approx(2, abs=0.25)


def test_a_disc_of_allen_cahn_shrinks_by_its_curvature():
    """R² falls at the rate 2D (mean curvature flow, D = the wall's mobility)."""
    h, dt, D = 1.0, 0.1, 1.0
    equation = allen_cahn((64, 64), dt=dt, h=h, D=D, laplacian="laplace9")
    y, x = np.meshgrid(np.arange(64) - 31.5, np.arange(64) - 31.5, indexing="ij")
    u = np.tanh((20 - np.hypot(y, x)) / math.sqrt(2))[None, :, :, None]

    def area(field):
        return (field > 0).sum()

    settled = equation.reference.run(u, 100)
    later = equation.reference.run(settled, 600)
    assert (area(settled) - area(later)) / (np.pi * 600 * dt) == pytest.approx(2 * D, rel=0.15)


def test_fitzhugh_nagumo_rests_at_its_fixed_point_and_fires_one_pulse_that_travels():
    equation = fitzhugh_nagumo((1, 200), dt=0.05, boundary="neumann")
    rest = np.array([-1.1994080352440, -0.6242600440550])
    start = np.broadcast_to(rest, (1, 1, 200, 2)).copy()
    assert np.abs(equation.reference.run(start, 2000) - rest).max() < 1e-6
    assert np.abs(integers(equation, start, 2000) - rest).max() < 2e-3
    start[:, :, :8, 0] = 1.5
    fired = equation.reference.run(start, 1200)
    assert fired[0, 0, 20:, 0].max() > 1.5
    assert fired[0, 0, :5, 0].max() < 0
    assert np.abs(integers(equation, start, 1200) - fired).max() < 0.1


os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # compiling takes longer than these runs
pde = pytest.importorskip("pde", reason="py-pde comes with the dev extra")


def against_py_pde(
    equation: Discretised, theirs, start: np.ndarray, time: float, axes: list[tuple[float, float]]
) -> np.ndarray:
    """The state that py-pde's explicit Euler reaches from ``start`` (height, width, fields) with the same dt."""
    grid = pde.CartesianGrid(axes, start.shape[:2], periodic=True)
    fields = [pde.ScalarField(grid, start[..., k]) for k in range(start.shape[-1])]
    state = pde.FieldCollection(fields) if len(fields) > 1 else fields[0]
    end = theirs.solve(
        state, t_range=time, dt=equation.dt, solver="euler", backend="numpy", tracker=None, adaptive=False
    )
    data = np.asarray(end.data)
    return np.moveaxis(data, 0, -1) if len(fields) > 1 else data[..., None]


def noisy(shape: tuple[int, int], fields: int, low: float, high: float) -> np.ndarray:
    return np.random.default_rng(5).uniform(low, high, (*shape, fields))


def test_gray_scott_is_py_pdes_to_rounding_and_its_integers_stay_within_the_stated_bound():
    equation = gray_scott((24, 24), dt=1.0)
    start = np.stack([np.ones((24, 24)), np.zeros((24, 24))], axis=-1)
    start[8:14, 9:15] = 0.5, 0.25
    start = np.clip(start + noisy((24, 24), 2, -0.02, 0.02), 0, 0.999)
    theirs = pde.PDE({
        "u": "0.16 * laplace(u) - u * v**2 + 0.035 * (1 - u)",
        "v": "0.08 * laplace(v) + u * v**2 - 0.1 * v",
    })  # fmt: skip
    wanted = against_py_pde(equation, theirs, start, 150, [(0, 24), (0, 24)])
    mine = equation.reference.run(start[None], 150)
    assert np.abs(mine[0] - wanted).max() < 1e-12
    assert np.abs(integers(equation, start[None], 150) - mine).max() < 2e-3


def test_allen_cahn_is_py_pdes_to_rounding():
    equation = allen_cahn((20, 28), dt=0.05, h=0.5)
    start = noisy((20, 28), 1, -0.5, 0.5)
    wanted = against_py_pde(equation, pde.AllenCahnPDE(interface_width=1.0), start, 5, [(0, 10), (0, 14)])
    mine = equation.reference.run(start[None], 100)
    assert np.abs(mine[0] - wanted).max() < 1e-12
    assert np.abs(integers(equation, start[None], 100) - mine).max() < 2e-3


def test_fisher_kpp_is_py_pdes_to_rounding():
    equation = fisher_kpp((16, 16), dt=0.1, D=0.7, r=0.9)
    start = noisy((16, 16), 1, 0, 0.1)
    wanted = against_py_pde(
        equation, pde.PDE({"u": "0.7 * laplace(u) + 0.9 * u * (1 - u)"}), start, 6, [(0, 16), (0, 16)]
    )
    mine = equation.reference.run(start[None], 60)
    assert np.abs(mine[0] - wanted).max() < 1e-12
    assert np.abs(integers(equation, start[None], 60) - mine).max() < 2e-3
