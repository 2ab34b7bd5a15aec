"""The Laplacians against the closed form: their order, their leading error, and the explicit Euler limit."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from npde.equation.reaction_diffusion import diffusion_limit, euler_stencil, isotropic_laplacian, laplacian
from npde.errors import ProgramError

BOTH = [laplacian(), isotropic_laplacian()]


def apply(stencil, u: np.ndarray) -> np.ndarray:
    """Periodic convolution, written out."""
    return sum(float(w) * np.roll(u, (-dy, -dx), (0, 1)) for (dy, dx), w in stencil.items())


def error(stencil, cells: int) -> float:
    """The greatest error of ∇² of sin(2πx + 1)·cos(4πy) on ``cells²`` points of the unit square."""
    y, x = np.meshgrid(*2 * (np.arange(cells) / cells,), indexing="ij")
    u = np.sin(2 * np.pi * x + 1) * np.cos(4 * np.pi * y)
    exact = -((2 * np.pi) ** 2 + (4 * np.pi) ** 2) * u
    return float(np.abs(apply(stencil, u) * cells**2 - exact).max())


@pytest.mark.parametrize("stencil", BOTH)
def test_the_order_measured_on_three_grids_is_two(stencil):
    errors = [error(stencil, cells) for cells in (32, 64, 128)]
    orders = [np.log2(coarse / fine) for coarse, fine in pairwise(errors)]
    assert orders == pytest.approx([2, 2], abs=0.02)


@pytest.mark.parametrize("stencil", BOTH)
def test_polynomials_of_second_degree_are_exact(stencil):
    def at(polynomial):
        return sum(w * polynomial(dy, dx) for (dy, dx), w in stencil.items())

    assert at(lambda y, x: 1) == at(lambda y, x: y) == at(lambda y, x: x) == at(lambda y, x: x * y) == 0
    assert at(lambda y, x: y * y) == at(lambda y, x: x * x) == 2


def test_the_nine_point_error_has_no_direction_and_the_five_point_one_has():
    def fourth(stencil):
        """The h² error's coefficients of u_xxxx and u_xxyy: isotropic is (1, 2) apart from a factor."""
        moments = [sum(w * dx**a * dy**b for (dy, dx), w in stencil.items()) for a, b in ((4, 0), (2, 2))]
        return moments[0] / 24, moments[1] / 4

    assert fourth(isotropic_laplacian()) == (Fraction(1, 12), Fraction(1, 6))
    assert fourth(laplacian()) == (Fraction(1, 12), 0)


@pytest.mark.parametrize(("stencil", "limit"), [(BOTH[0], Fraction(1, 4)), (BOTH[1], Fraction(3, 8))])
def test_the_limit_is_the_one_of_theory_and_where_growth_begins(stencil, limit):
    assert diffusion_limit(stencil) == limit
    wave = np.indices((6, 6)).sum(axis=0) % 2 * 2.0 - 1
    for number, grows in ((limit - Fraction(1, 1000), False), (limit, False), (limit + Fraction(1, 1000), True)):
        u = wave + 1e-3 * np.random.default_rng(0).normal(size=wave.shape)
        step = euler_stencil(stencil, diffusivity=number, dt=Fraction(1), force=grows)
        for _ in range(500):
            u = u + apply(step, u)
        assert (np.abs(u).max() > 1.1) == grows


@pytest.mark.parametrize("stencil", BOTH)
def test_an_unstable_euler_step_is_refused_with_its_number_and_the_limit(stencil):
    limit = diffusion_limit(stencil)
    with pytest.raises(ProgramError, match=rf"^D·dt/h² = {limit * 2} exceeds {limit}, the stability limit"):
        euler_stencil(stencil, diffusivity=limit / 2, dt=Fraction(1), h=Fraction(1, 2))
    exact = euler_stencil(stencil, diffusivity=limit / 4, dt=Fraction(1), h=Fraction(1, 2))
    assert exact == {tap: limit * weight for tap, weight in stencil.items()}


@pytest.mark.parametrize(("d", "dt", "h"), [(-1, 1, 1), (1, 0, 1), (1, -1, 1), (1, 1, 0)])
def test_numbers_that_are_not_positive_are_refused(d, dt, h):
    with pytest.raises(ProgramError, match="diffusion needs D ≥ 0, dt > 0 and h > 0"):
        euler_stencil(laplacian(), diffusivity=Fraction(d), dt=Fraction(dt), h=Fraction(h))


def test_a_stencil_that_damps_nothing_is_no_laplacian():
    with pytest.raises(ProgramError, match="is no Laplacian"):
        diffusion_limit({(0, 0): Fraction(1)})
