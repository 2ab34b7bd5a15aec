"""Heat, advection-diffusion and Burgers against closed forms; orders measured on three grids."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from npde import golden
from npde.equation.general import discretise, with_times
from npde.equation.transport import advection_diffusion, anisotropic_heat, burgers, heat, layered_heat


def order(errors: list[float]) -> list[float]:
    """The measured orders between grids that halve their spacing."""
    return [math.log2(a / b) for a, b in itertools.pairwise(errors)]


def row(cells: int, length: float = 1.0) -> np.ndarray:
    return (np.arange(cells) + 0.5) * length / cells


def test_a_fourier_mode_of_heat_decays_as_the_discrete_symbol_says_and_converges_in_space_to_the_closed_form():
    errors = []
    for cells in (16, 32, 64):
        h, dt = 1 / cells, 0.32 / cells**2  # dt as h²: its error is of the same order
        steps = round(0.01 / dt)
        equation = heat((1, cells), dt=dt, h=h)
        start = np.sin(2 * np.pi * row(cells))[None, None, :, None]
        end = equation.reference.run(start, steps)
        gain = 1 - 4 * dt / h**2 * math.sin(np.pi / cells) ** 2
        assert end == pytest.approx(start * gain**steps, rel=1e-10, abs=1e-13)
        errors.append(np.abs(end - start * math.exp(-4 * np.pi**2 * steps * dt)).max())
    assert order(errors) == pytest.approx([2, 2], abs=0.05)


def test_heat_converges_in_time_with_order_one():
    errors = []
    for steps in (20, 40, 80):
        equation = heat((16, 16), dt=0.05 / steps, h=0.25)
        start = np.cos(2 * np.pi * row(16))[None, :, None, None] * np.ones((1, 16, 16, 1))
        rate = -4 / 0.25**2 * math.sin(np.pi / 16) ** 2
        errors.append(np.abs(equation.reference.run(start, steps) - start * math.exp(rate * 0.05)).max())
    assert order(errors) == pytest.approx([1, 1], abs=0.02)


def test_the_heat_kernel_spreads_by_2Dt_and_keeps_its_mass_in_integers():
    equation = heat((64, 64), D=0.5, dt=0.25, width=18)
    start = np.zeros((1, 64, 64, 1))
    start[0, 32, 32] = 0.9
    start = equation.reference.run(start, 40)  # a dot is below what integers resolve once spread; start from a bump
    model = with_times(equation.model, 80)
    end = equation.real(golden.run(model, equation.quantise(start * 50)).output)[0, :, :, 0] / 50
    x = np.arange(64) - 32
    variance = (end * x**2).sum() / end.sum()
    assert variance == pytest.approx(2 * 0.5 * 0.25 * 120, rel=0.02)
    assert end.sum() == pytest.approx(0.9, rel=0.01)


def test_anisotropic_heat_decays_each_axis_by_its_own_diffusivity():
    equation = anisotropic_heat((16, 32), Dx=1.0, Dy=0.25, dt=0.2)
    y, x = np.meshgrid(np.arange(16), np.arange(32), indexing="ij")
    start = (np.sin(2 * np.pi * x / 32) + np.sin(2 * np.pi * y / 16))[None, :, :, None]
    gain_x = 1 - 0.2 * 1.0 * 4 * math.sin(np.pi / 32) ** 2
    gain_y = 1 - 0.2 * 0.25 * 4 * math.sin(np.pi / 16) ** 2
    wanted = gain_x**50 * np.sin(2 * np.pi * x / 32) + gain_y**50 * np.sin(2 * np.pi * y / 16)
    assert equation.reference.run(start, 50)[0, :, :, 0] == pytest.approx(wanted, abs=1e-12)


def test_per_cell_diffusivity_reaches_the_flux_of_two_layers_in_series_and_conserves_mass():
    D = np.where(np.arange(40) < 20, 1.0, 0.25)[None, :]
    equation = layered_heat((1, 40), D, dt=0.4, boundary="neumann", width=18)
    u = np.linspace(1, 0, 40)[None, None, :, None]
    assert equation.reference.run(u, 500).sum() == pytest.approx(u.sum(), rel=1e-12)
    end = equation.real(golden.run(with_times(equation.model, 500), equation.quantise(u)).output)
    assert end.sum() == pytest.approx(u.sum(), rel=2e-4)
    # Between fixed ends the stationary gradient is inverse to the diffusivity of each layer.
    u = np.linspace(1, 0, 40)[None, None, :, None]
    for _ in range(300):
        u = equation.reference.run(u, 20)
        u[..., 0, 0], u[..., -1, 0] = 1.0, 0.0
    slope = -np.diff(u[0, 0, :, 0])
    assert slope[30] / slope[8] == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize(("upwind", "wanted"), [(False, 2), (True, 1)])
def test_an_advected_sine_converges_to_the_closed_form_in_space(upwind, wanted):
    errors = []
    for cells in (32, 64, 128):
        dt = 2e-5
        equation = advection_diffusion((1, cells), D=0.05, speed=(1.0, 0.0), dt=dt, h=1 / cells, upwind=upwind)
        start = np.sin(2 * np.pi * row(cells))[None, None, :, None]
        closed = math.exp(-0.05 * 4 * np.pi**2 * 0.02) * np.sin(2 * np.pi * (row(cells) - 0.02))
        errors.append(np.abs(equation.reference.run(start, 1000)[0, 0, :, 0] - closed).max())
    assert order(errors)[-1] == pytest.approx(wanted, abs=0.15)


def test_upwind_advection_by_one_cell_a_step_is_exact_even_in_integers():
    equation = advection_diffusion((1, 32), D=0.0, speed=(1.0, 0.0), dt=1.0, upwind=True)
    u = np.sin(2 * np.pi * row(32))[None, None, :, None] * 0.9
    ints = equation.quantise(u)
    assert (golden.run(with_times(equation.model, 7), ints).output == np.roll(ints, 7, axis=2)).all()


def test_burgers_steepens_into_the_viscous_shock_of_the_closed_form():
    """u = 1 - tanh((x - t)/2ν) travels at speed 1 from 2 to 0."""
    errors = []
    for cells in (100, 200, 400):
        h, nu, dt = 40 / cells, 1.0, 0.004
        equation = burgers((1, cells), nu=nu, dt=dt, h=h, largest=2.1, boundary="neumann")
        x = np.arange(cells) * h - 15
        start = (1 - np.tanh(x / (2 * nu)))[None, None, :, None]
        end = equation.reference.run(start, 500)[0, 0, :, 0]
        errors.append(np.abs(end - (1 - np.tanh((x - 2.0) / (2 * nu)))).max())
    assert order(errors)[0] == pytest.approx(2, abs=0.2)
    assert errors[-1] < 0.01


def test_upwind_follows_the_sign_of_a_map_and_refuses_one_that_changes_it():
    speed = np.linspace(0.1, 0.5, 32)[None, :]
    equation = discretise("u_t = -upwind(c, 0, u)", shape=(1, 32), dt=1.0, maps={"c": -speed})
    assert equation.order_space == 1
    start = np.zeros((1, 1, 32, 1))
    start[..., 16, 0] = 1
    assert equation.reference.step(start)[0, 0, :, 0].nonzero()[0].tolist() == [15, 16]
    with pytest.raises(ValueError, match="one sign everywhere"):
        discretise("u_t = -upwind(c, 0, u)", shape=(1, 32), dt=1.0, maps={"c": speed - 0.3})
