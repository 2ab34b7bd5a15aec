"""The ready equations by name: parameters, a grid, a step within the limit and a state to start from, for commands and studies."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npde.equation import reaction, transport, waves
from npde.equation.general import Discretised
from npde.errors import ProgramError

Real = NDArray[np.float64]
Shape = tuple[int, int]


@dataclass(frozen=True)
class Entry:
    """``build(shape, **parameters)`` with ``parameters(shape)`` by default; ``start`` gives a state (1, height, width, fields).

    ``steps`` is how long it takes to see something, ``width`` the default field width, ``equation`` its text.
    """

    equation: str
    build: Callable[..., Discretised]
    shape: Shape
    parameters: Callable[[Shape], dict[str, Any]]
    start: Callable[[Discretised], Real]
    steps: int
    width: int = 16


def ready(name: str, shape: Shape | None = None, **changes: Any) -> Discretised:
    """The equation ``name`` with its default parameters but for ``changes``; raises :class:`ProgramError` for a name or parameter not there."""
    entry = find(name)
    shape = shape or entry.shape
    known = [
        *list(inspect.signature(entry.build).parameters)[1:-1],
        "boundary",
        "times",
        "width",
        "h",
        "force",
        "map_width",
        "coefficient_width",
        "shift_forms",
        "planes",
        "largest",
    ]
    for parameter in changes:
        if parameter not in known:
            raise ProgramError(f"{name} has no parameter {parameter!r}; it has {', '.join(dict.fromkeys(known))}")
    options = {"width": entry.width, **entry.parameters(shape), **changes}
    return entry.build(shape, **options, notes={"equation": name})


def find(name: str) -> Entry:
    """The entry of that name."""
    if name not in CATALOGUE:
        raise ProgramError(f"there is no ready equation {name!r}; there are {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def start(equation: Discretised) -> Real:
    """The initial state that suits a ready equation."""
    return find(equation.model.notes.get("equation", "")).start(equation)


def _axes(equation: Discretised) -> tuple[Real, Real]:
    """y and x of the cells' middles, from the grid's own middle."""
    grid = equation.model.program.input
    y, x = np.indices((grid.height, grid.width), np.float64)
    return (y + 0.5 - grid.height / 2) * equation.h, (x + 0.5 - grid.width / 2) * equation.h


def _bump(equation: Discretised) -> Real:
    y, x = _axes(equation)
    size = equation.h * equation.model.program.input.width / 10
    return 0.9 * np.exp(-(x**2 + y**2) / (2 * size**2))[None, :, :, None]


def _block(equation: Discretised) -> Real:
    grid = equation.model.program.input
    _, x = _axes(equation)
    return (x < -equation.h * grid.width / 4).astype(np.float64)[None, :, :, None]


def _noise(equation: Discretised) -> Real:
    return np.asarray(np.random.default_rng(1).uniform(-0.2, 0.2, (1, *equation.model.program.input.shape)), np.float64)


def _spots(equation: Discretised) -> Real:
    grid = equation.model.program.input
    state = np.concatenate(
        [np.ones((1, grid.height, grid.width, 1)), np.zeros((1, grid.height, grid.width, 1))], axis=-1
    )
    rng = np.random.default_rng(3)
    for y, x in zip(rng.integers(0, grid.height, 6), rng.integers(0, grid.width, 6), strict=True):
        rows, columns = np.arange(y - 4, y + 4) % grid.height, np.arange(x - 4, x + 4) % grid.width
        state[0, rows[:, None], columns[None, :]] = 0.5, 0.25
    # A perfectly square spot divides along the axis that rounding picks; noise picks it first.
    return np.clip(state + rng.uniform(-0.05, 0.05, state.shape), 0, 0.999)


def _spiral(equation: Discretised) -> Real:
    y, x = _axes(equation)
    state = np.empty((1, *y.shape, 2))
    state[..., 0], state[..., 1] = -1.2, -0.625
    state[0, (x < 0) & (x > -6 * equation.h), 0] = 1.6
    state[0, x <= -6 * equation.h, 1] = 0.6
    state[0, y > 0, 0] = -1.2
    return state


def _wave(equation: Discretised) -> Real:
    _, x = _axes(equation)
    return (0.5 + 0.4 * np.sin(2 * np.pi * x / (equation.h * equation.model.program.input.width)))[None, :, :, None]


def _shock(equation: Discretised) -> Real:
    _, x = _axes(equation)
    return (1 - np.tanh(x / 2 + 5))[None, :, :, None]


def _packet(equation: Discretised) -> Real:
    y, x = _axes(equation)
    grid = equation.model.program.input
    away = equation.h * grid.width / 5
    size = equation.h * grid.width / 14
    envelope = np.exp(-((x + away) ** 2 + (y**2 if grid.height > 1 else 0)) / (4 * size**2))
    return waves.staggered(equation, (0.95 * envelope * np.exp(1.0j * x))[None])


def _soliton(equation: Discretised) -> Real:
    _, x = _axes(equation)
    return waves.staggered(equation, (np.exp(0.5j * x) / np.cosh(x))[None])


def _beam(equation: Discretised) -> Real:
    y, x = _axes(equation)
    return waves.staggered(equation, (0.95 * np.exp(-(x**2 + (y**2 if y.shape[0] > 1 else 0)) / 9))[None])


def _barrier(shape: Shape) -> Real:
    """A wall across the grid, a little right of the middle, two cells of 0.5 thick."""
    V = np.zeros(shape)
    V[:, shape[1] // 2 : shape[1] // 2 + 3] = 0.6
    return V


def _layers(shape: Shape) -> Real:
    return np.where(np.arange(shape[1]) < shape[1] // 2, 1.0, 0.2)[None, :] * np.ones(shape)


PLANE, ROW = (64, 64), (1, 256)
CATALOGUE = {
    "heat": Entry("u_t = D∇²u", transport.heat, PLANE, lambda _: {"dt": 0.2}, _bump, 200),
    "anisotropic-heat": Entry("u_t = Dx·u_xx + Dy·u_yy", transport.anisotropic_heat, PLANE, lambda _: {"Dx": 1.0, "Dy": 0.1, "dt": 0.4}, _bump, 200),
    "layered-heat": Entry("u_t = ∇·(D∇u)", transport.layered_heat, PLANE, lambda s: {"D": _layers(s), "dt": 0.2, "boundary": "neumann"}, _bump, 200),
    "advection-diffusion": Entry(
        "u_t = D∇²u - a·u_x - b·u_y", transport.advection_diffusion, PLANE, lambda _: {"D": 0.5, "speed": (0.5, 0.25), "dt": 0.4}, _bump, 200
    ),
    "burgers": Entry(
        "u_t = ν∇²u - u·u_x", transport.burgers, ROW, lambda _: {"nu": 1.0, "dt": 0.05, "h": 0.4, "largest": 2.1, "boundary": "neumann"}, _shock, 400
    ),
    "fisher-kpp": Entry("u_t = D∇²u + r·u(1 - u)", reaction.fisher_kpp, ROW, lambda _: {"dt": 0.1, "h": 0.5, "boundary": "neumann"}, _block, 400, 18),
    "allen-cahn": Entry("u_t = D∇²u + u - u³", reaction.allen_cahn, PLANE, lambda _: {"dt": 0.1}, _noise, 300),
    "gray-scott": Entry(
        "u_t = Du∇²u - uv² + F(1 - u), v_t = Dv∇²v + uv² - (F + k)v", reaction.gray_scott, (96, 96), lambda _: {"dt": 1.0}, _spots, 2000
    ),
    "fitzhugh-nagumo": Entry(
        "u_t = Du∇²u + u - u³/3 - v + I, v_t = ε(u + a - bv)", reaction.fitzhugh_nagumo, PLANE, lambda _: {"dt": 0.1, "boundary": "neumann"}, _spiral, 1000, 18
    ),
    "schroedinger": Entry(
        "iψ_t = -½∇²ψ + Vψ", waves.schroedinger, (64, 128), lambda s: {"V": _barrier(s), "h": 0.5, "dt": 0.1, "boundary": "dirichlet"}, _packet, 260
    ),
    "nonlinear-schroedinger": Entry(
        "iψ_t = -½ψ_xx - |ψ|²ψ", waves.schroedinger, ROW, lambda _: {"g": -1.0, "h": 0.15, "dt": 0.005, "largest": 1.1}, _soliton, 2000
    ),
    "paraxial": Entry("2ik·A_z + ∇²A + 2k²(Δn/n₀)A = 0", waves.paraxial, (64, 64), lambda _: {"k": 8.0, "h": 0.5, "dz": 0.4}, _beam, 150),
}  # fmt: skip
"""Every ready equation by its command-line name."""
