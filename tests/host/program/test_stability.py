"""Repeated linear steps at, just below and just above their limit, judged on the integers they will run with."""

from __future__ import annotations

import numpy as np
import pytest

from npde import golden
from npde.errors import ProgramError
from npde.model import Model, Weights
from npde.program import CROSS, MOORE, Clip, Grid, Program, Q, Stencil

FRAC = 6
ONE = 1 << FRAC


def diffusion(taps, weights, *, channels=1, phi=None, repeat=50, force=False, shape=(8, 8), boundary="periodic") -> Model:
    """u' = u + K∗u with K's integers ``weights``, on every channel by itself."""
    step = Stencil(
        out_channels=channels, taps=taps, weight=Q(10, FRAC), bias=Q(8, 4), out=Q(18, 7), skip=True, repeat=repeat,
        boundary=boundary, **({} if phi is None else {"phi": phi}),
    )  # fmt: skip
    program = Program(name="diffusion", input=Grid(*shape, channels, Q(18, 7)), steps=(step,))
    kernel = np.eye(channels, dtype=np.int64)[:, :, None] * np.asarray(weights, np.int64)
    return Model(program, {0: Weights(kernel, np.zeros(channels, np.int64))}, force=force)


def five(number: int) -> list[int]:
    """D·dt/h² = number/64 with the 5-point Laplacian, exactly."""
    return [-4 * number if tap == (0, 0) else number for tap in CROSS]


def nine(sixth: int) -> list[int]:
    """D·dt/h² = 6·sixth/64 with the 9-point Laplacian, exactly."""
    return [{0: -20, 1: 4, 2: 1}[abs(dy) + abs(dx)] * sixth for dy, dx in MOORE]


@pytest.mark.parametrize(("taps", "weights", "allowed"), [
    (CROSS, five(15), True), (CROSS, five(16), True), (CROSS, five(17), False),   # 1/4
    (MOORE, nine(3), True), (MOORE, nine(4), True), (MOORE, nine(5), False),      # 3/8
])  # fmt: skip
def test_each_laplacian_is_allowed_up_to_its_limit_and_not_beyond(taps, weights, allowed):
    if allowed:
        diffusion(taps, weights)
        return
    with pytest.raises(ProgramError, match=r"^step 0: repeated 50 times .* multiplies the mode \(θy, θx\) = \(1π, 1π\) by 1\.\d+ a step; it must not exceed 1$"):
        diffusion(taps, weights)
    assert diffusion(taps, weights, force=True).force


def growth(model: Model) -> float:
    """How the checkerboard grows under the golden model."""
    y, x = np.indices((8, 8))
    field = ((-1) ** (y + x) * 64)[None, :, :, None]
    return np.abs(golden.run(model, field).output).max() / 64


def test_the_verdict_is_what_the_golden_model_then_does():
    assert growth(diffusion(CROSS, five(16))) == 1
    assert growth(diffusion(CROSS, five(17), force=True)) > 10
    assert growth(diffusion(MOORE, nine(4))) == 1
    assert growth(diffusion(MOORE, nine(5), force=True)) > 10


def test_a_line_has_twice_the_limit_of_a_plane():
    line = ((0, -1), (0, 0), (0, 1))
    diffusion(line, [32, -64, 32], shape=(1, 16))
    with pytest.raises(ProgramError, match=r"\(0π, 1π\)"):
        diffusion(line, [33, -66, 33], shape=(1, 16))


def test_a_coupling_that_grows_is_found_between_channels_too():
    step = Stencil(out_channels=2, taps=((0, 0),), weight=Q(10, FRAC), bias=Q(8, 4), out=Q(18, 7), repeat=3)
    program = Program(name="pair", input=Grid(4, 4, 2, Q(18, 7)), steps=(step,))
    turn = np.array([[0, ONE], [-ONE, 0]])[:, :, None]
    Model(program, {0: Weights(turn, np.zeros(2, np.int64))})
    with pytest.raises(ProgramError, match=r"by 1\.016 a step"):
        Model(program, {0: Weights(turn + np.sign(turn), np.zeros(2, np.int64))})


def test_what_is_bounded_or_not_repeated_is_not_judged():
    assert diffusion(CROSS, five(30), phi=Clip(-127, 127))
    assert diffusion(CROSS, five(30), repeat=1)


def test_a_growing_wave_that_is_no_checkerboard_is_found():
    """Central differences of advection under explicit Euler: gain √(1 + c²·sin²θ), which is 1 at θ = 0 and π."""
    line = ((0, -1), (0, 0), (0, 1))
    with pytest.raises(ProgramError, match=r"\(θy, θx\) = \(0π, 0\.5π\) by 1\.031 a step"):
        diffusion(line, [8, 0, -8], shape=(1, 16))
    # With diffusion of c²/2 and more it is stable (Lax and Wendroff 1960).
    diffusion(line, [8 + 2, -4, -8 + 2], shape=(1, 16))
