"""Schrödinger and the paraxial equation against closed forms, the discretised barrier's transmission and py-pde; norms watched."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest

from npde import golden
from npde.equation.general import Discretised, with_times
from npde.equation.waves import density, paraxial, schroedinger, staggered


def run(equation: Discretised, psi: np.ndarray, steps: int) -> np.ndarray:
    """The float64 state after ``steps`` from complex ``psi`` (width,) or (height, width)."""
    return equation.reference.run(staggered(equation, np.atleast_2d(psi)[None]), steps)


def integers(equation: Discretised, psi: np.ndarray, steps: int) -> np.ndarray:
    start = equation.quantise(staggered(equation, np.atleast_2d(psi)[None]))
    return equation.real(golden.run(with_times(equation.model, steps), start).output)


def mean(weight: np.ndarray, x: np.ndarray) -> float:
    return float((weight * x).sum() / weight.sum())


def axis(cells: int, h: float) -> np.ndarray:
    return (np.arange(cells) - (cells - 1) / 2) * h


def oscillator(h: float, dt: float, cells: int, **options):
    x = axis(cells, h)
    return schroedinger((1, cells), V=x[None, :] ** 2 / 2, h=h, dt=dt, boundary="dirichlet", **options), x


def test_the_harmonic_oscillators_ground_state_stays_as_it_is():
    equation, x = oscillator(0.25, 0.02, 64, width=18)
    ground = np.exp(-(x**2) / 2)
    for end, bound in ((run(equation, ground, 2000), 0.01), (integers(equation, ground, 2000), 0.02)):
        after = equation.reference.step(end)
        assert np.abs(density(end, after)[0, 0] - ground**2).max() < bound


def test_a_coherent_state_swings_like_the_classical_particle_and_keeps_its_width():
    equation, x = oscillator(0.2, 0.01, 100, width=18)
    start = np.exp(-((x - 2) ** 2) / 2)
    for time in (math.pi / 2, math.pi, 2 * math.pi):
        end = run(equation, start, round(time / 0.01))
        weight = density(end)[0, 0]
        assert mean(weight, x) == pytest.approx(2 * math.cos(time), abs=0.05)
        assert mean(weight, x**2) - mean(weight, x) ** 2 == pytest.approx(0.5, abs=0.03)
        assert np.abs(integers(equation, start, round(time / 0.01)) - end).max() < 0.02


def test_the_leapfrog_converges_with_order_two_in_space_and_time():
    errors = []
    for cells in (40, 80, 160):
        h = 16 / cells
        equation, x = oscillator(h, 0.25 * h**2, cells)
        steps = round(1.6 / (0.25 * h**2))
        end = run(equation, np.exp(-((x - 1) ** 2) / 2), steps)
        t = steps * 0.25 * h**2
        closed = np.exp(-((x - math.cos(t)) ** 2) / 2) * np.exp(-1j * (t / 2 + x * math.sin(t) - math.sin(2 * t) / 4))
        errors.append(np.abs(end[0, 0, :, 0] - closed.real).max())
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.15)
    assert math.log2(errors[1] / errors[2]) == pytest.approx(2, abs=0.15)


def test_the_leapfrog_converges_with_order_two_in_time_alone():
    ends = []
    x = axis(48, 0.4)
    for dt in (0.04, 0.02, 0.01, 0.0025):
        equation = schroedinger((1, 48), V=x[None, :] ** 2 / 2, h=0.4, dt=dt, boundary="dirichlet", force=True)
        ends.append(run(equation, np.exp(-((x - 1) ** 2) / 2), round(1.6 / dt))[0, 0, :, 0])
    errors = [np.abs(end - ends[-1]).max() for end in ends[:-1]]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.25)


def test_a_free_gaussian_spreads_as_the_closed_form_says():
    equation = schroedinger((1, 256), h=0.25, dt=0.02)
    x = axis(256, 0.25)
    end = run(equation, np.exp(-(x**2) / 2), 150)
    weight = density(end)[0, 0]
    assert mean(weight, x**2) == pytest.approx(0.5 * (1 + 3.0**2), rel=0.03)
    assert np.abs(weight - np.exp(-(x**2) / 10) / math.sqrt(10)).max() < 0.01
    assert np.abs(integers(equation, np.exp(-(x**2) / 2), 150) - end).max() < 0.005


def test_a_gaussian_on_the_plane_spreads_alike_along_both_axes():
    equation = schroedinger((40, 40), h=0.5, dt=0.1)
    y, x = np.meshgrid(axis(40, 0.5), axis(40, 0.5), indexing="ij")
    weight = density(run(equation, np.exp(-(x**2 + y**2) / 2), 15))[0]
    assert mean(weight, x**2) == pytest.approx(mean(weight, y**2))
    assert mean(weight, x**2) == pytest.approx(0.5 * (1 + 1.5**2), rel=0.08)


def transmission(k: float, barrier: np.ndarray, h: float) -> float:
    """|t|² of the discrete equation -½δ²ψ + Vψ = Eψ with E = (1 - cos kh)/h², by its transfer from right to left."""
    energy = (1 - math.cos(k * h)) / h**2
    ahead, here = np.exp(1j * k * h), 1.0 + 0j
    for V in barrier[::-1]:
        ahead, here = here, 2 * (1 + h**2 * (V - energy)) * here - ahead
    # here = a·e^{ikx} + b·e^{-ikx}, ahead the next cell to the right.
    incoming = (ahead - here * np.exp(-1j * k * h)) / (np.exp(1j * k * h) - np.exp(-1j * k * h))
    return float(1 / abs(incoming) ** 2)


def test_a_narrow_band_packet_tunnels_by_the_discrete_barriers_transmission():
    h, dt, cells, k, sigma = 0.25, 0.03, 1600, 1.0, 20.0
    x = np.arange(cells) * h
    V = np.where((x >= 200) & (x < 201.5), 0.8, 0.0)
    equation = schroedinger((1, cells), V=V[None], h=h, dt=dt, boundary="dirichlet", width=18)
    packet = 0.9 * np.exp(-(((x - 110) / (2 * sigma)) ** 2) + 1j * k * x)
    band = np.linspace(k - 4 / (2 * sigma), k + 4 / (2 * sigma), 81)
    weight = np.exp(-2 * (sigma * (band - k)) ** 2)
    wanted = sum(w * transmission(q, V[V > 0], h) for q, w in zip(band, weight, strict=True)) / weight.sum()
    steps = round(180 / dt)
    end = run(equation, packet, steps)
    through = density(end)[0, 0]
    assert 0.2 < wanted < 0.8
    assert through[x > 201].sum() / through.sum() == pytest.approx(wanted, abs=0.005)
    held = density(integers(equation, packet, steps))[0, 0]
    assert held[x > 201].sum() / held.sum() == pytest.approx(wanted, abs=0.01)


def test_the_bright_soliton_of_the_cubic_equation_travels_without_spreading():
    """ψ = sech(x - vt)·e^{i(vx + (1 - v²)t/2)} solves iψ_t = -½ψ_xx - |ψ|²ψ."""
    h, dt, v, time = 0.1, 0.002, 0.5, 6.0
    equation = schroedinger((1, 300), g=-1.0, h=h, dt=dt, largest=1.1, width=18)
    x = axis(300, h)
    start = np.exp(1j * v * (x + 5)) / np.cosh(x + 5)
    closed = 1 / np.cosh(x + 5 - v * time) ** 2
    end = run(equation, start, round(time / dt))
    assert np.abs(density(end)[0, 0] - closed).max() < 0.03
    assert mean(density(end)[0, 0], x) == pytest.approx(-2, abs=0.05)
    assert np.abs(density(integers(equation, start, round(time / dt)))[0, 0] - closed).max() < 0.05


def test_the_scheme_conserves_visschers_norm_to_rounding_and_integers_nearly():
    x = axis(64, 0.5)
    equation = schroedinger((1, 64), V=np.cos(x)[None], h=0.5, dt=0.1, boundary="dirichlet")
    u = staggered(equation, (np.exp(-(x**2) / 4) * np.exp(1j * x))[None, None])
    first = density(u, equation.reference.step(u)).sum()
    end = equation.reference.run(u, 5000)
    assert density(end, equation.reference.step(end)).sum() == pytest.approx(first, rel=1e-11)
    held = equation.real(golden.run(with_times(equation.model, 5000), equation.quantise(u)).output)
    assert density(held, equation.reference.step(held)).sum() == pytest.approx(first, rel=5e-3)


def test_schroedinger_comes_to_py_pdes_solution_as_dt_shrinks():
    os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # compiling takes longer than the run
    pde = pytest.importorskip("pde", reason="py-pde comes with the dev extra")
    x = axis(48, 0.5)
    start = np.exp(-(x**2) / 4) * np.exp(0.5j * x)
    grid = pde.CartesianGrid([(x[0] - 0.25, x[-1] + 0.25)], 48, periodic=True)
    theirs = pde.PDE({"psi": "0.5j * laplace(psi)"})
    wanted = theirs.solve(
        pde.ScalarField(grid, start, dtype=complex),
        t_range=1.0,
        dt=1e-3,
        solver="runge-kutta",
        backend="numpy",
        tracker=None,
        adaptive=False,
    )
    errors = []
    for dt in (0.05, 0.025):
        end = run(schroedinger((1, 48), h=0.5, dt=dt), start, round(1 / dt))
        errors.append(np.abs(end[0, 0, :, 0] - np.asarray(wanted.data).real).max())
    assert errors[1] < 1e-3
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.2)


# The paraxial equation: lengths in units of the wavelength over 2π, k = 1 unless said.


def test_a_gaussian_beam_widens_as_w_of_z():
    k, w0, h, dz = 8.0, 2.0, 0.25, 0.2
    equation = paraxial((1, 256), k=k, h=h, dz=dz)
    x = axis(256, h)
    rayleigh = k * w0**2 / 2
    for z in (rayleigh / 2, rayleigh, 1.5 * rayleigh):
        start = 0.95 * np.exp(-((x / w0) ** 2))
        for end in (run(equation, start, round(z / dz)), integers(equation, start, round(z / dz))):
            weight = density(end)[0, 0]
            width = 2 * math.sqrt(mean(weight, x**2))
            assert width == pytest.approx(w0 * math.sqrt(1 + (z / rayleigh) ** 2), rel=0.02)


def test_a_gaussian_beam_on_the_plane_widens_as_w_of_z():
    k, w0, h, dz = 8.0, 3.0, 0.5, 0.4
    equation = paraxial((64, 64), k=k, h=h, dz=dz)
    y, x = np.meshgrid(axis(64, h), axis(64, h), indexing="ij")
    rayleigh = k * w0**2 / 2
    weight = density(run(equation, 0.95 * np.exp(-(x**2 + y**2) / w0**2), round(rayleigh / dz)))[0]
    assert 2 * math.sqrt(mean(weight, x**2)) == pytest.approx(w0 * math.sqrt(2), rel=0.02)


def test_a_thin_lens_focuses_at_its_focal_length():
    """A slab of index -x²/(2f·thickness) is the lens; the waist then lies f/(1 + (f/z_R)²) behind it."""
    k, w0, h, dz, f = 8.0, 4.0, 0.25, 0.2, 30.0
    x = axis(256, h)
    planes = np.zeros((400, 1, 256))
    planes[:20] = -(np.minimum(np.abs(x), 12) ** 2) / (2 * f * 20 * dz)  # 4 units thick, 24 wide
    equation = paraxial((1, 256), k=k, index=planes, planes=True, times=400, h=h, dz=dz, largest=1.9)
    rayleigh = k * w0**2 / 2
    u = staggered(equation, np.exp(-((x / w0) ** 2))[None, None])
    widths = []
    for plane in range(400):
        u = equation.reference.step(u, plane)
        weight = density(u)[0, 0]
        widths.append(2 * math.sqrt(mean(weight, x**2)))
    focus = (1 + int(np.argmin(widths))) * dz - 10 * dz
    assert focus == pytest.approx(f / (1 + (f / rayleigh) ** 2), rel=0.05)
    assert min(widths) == pytest.approx(w0 / math.sqrt(1 + (rayleigh / f) ** 2), rel=0.05)
    start = equation.quantise(staggered(equation, np.exp(-((x / w0) ** 2))[None, None]))
    assert np.abs(equation.real(golden.run(equation.model, start).output) - u).max() < 0.02


def test_a_grating_images_itself_at_talbots_length():
    """A field of period d returns after z_T = 2d²/λ = k·d²/π, shifted by half a period after half of it."""
    k, d, cells = 4.0, 16.0, 64
    h = d / 32
    z_talbot = k * d**2 / math.pi
    steps = 4000
    equation = paraxial((1, cells), k=k, h=h, dz=z_talbot / steps)
    x = np.arange(cells) * h
    grating = 0.45 * (1 + np.cos(2 * np.pi * x / d))
    whole, half = run(equation, grating, steps), run(equation, grating, steps // 2)
    assert np.abs(density(whole)[0, 0] - grating**2).max() < 0.01
    assert np.abs(density(half)[0, 0] - np.roll(grating, 16) ** 2).max() < 0.01
    assert np.abs(density(integers(equation, grating, steps))[0, 0] - grating**2).max() < 0.02
