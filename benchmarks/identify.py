"""Coefficients found from snapshots, plates designed, a classifier trained, all by the hand-written adjoint.

``python benchmarks/identify.py [FOLDER] [fields] [constants] [design] [digits]`` prints Markdown tables and writes pictures into FOLDER
(``build/identify``); without names it does all four parts, in some minutes. Noise is normal, in per cent of the snapshots' own scatter.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from scipy.ndimage import gaussian_filter

from npde import golden
from npde.data import load_data
from npde.equation import reaction, transport, waves
from npde.equation.general import Discretised
from npde.training.constrained.classify import classify
from npde.training.constrained.design import Bench, Designed, convert, focus, level
from npde.training.constrained.identify import identify
from npde.training.constrained.integers import as_integers
from npde.training.constrained.observations import Observations
from npde.training.constrained.parametrise import Unknown
from npde.training.wave import Wave

matplotlib.use("Agg")
from matplotlib import pyplot

NOISES = (0.0, 0.001, 0.01, 0.05)
CELLS = 32
GRAY_SCOTT = "u_t = Du*laplace(u) - u*v**2 + F*(1 - u); v_t = Dv*laplace(v) + u*v**2 - (F + k)*v"
WAVE = {"re": "-laplace(im)/2 + V*im", "im": "laplace(re)/2 - V*re"}


def main(folder: str = "build/identify", *parts: str) -> None:
    """The parts by name, or all of them."""
    where = Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    for name, part in {"fields": fields, "constants": constants, "design": design, "digits": digits}.items():
        if not parts or name in parts:
            began = time.perf_counter()
            part(where)
            print(f"\n{name}: {time.perf_counter() - began:.0f} s\n", flush=True)


def fields(where: Path) -> None:
    """A diffusivity D(x, y) in u_t = ∇·(D∇u), neumann: four random initial states, seen after 4, 10, 20 and 40 steps."""
    D = _diffusivity(CELLS)
    equation = transport.layered_heat((CELLS, CELLS), D, dt=0.2, boundary="neumann")
    start = _blobs(4, CELLS)[..., None]
    print("| noise | smoothing | α | residual ÷ noise | error of D | runs | golden RMS | golden largest |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    found: dict[tuple[float, str], Any] = {}
    for noise in NOISES:
        seen, sigma = _seen(equation, start, (4, 10, 20, 40), noise)
        for smooth in ("none", "discrepancy") if noise else ("none",):
            how = {"noise": sigma, "smooth": "discrepancy", "iterations": 60} if smooth != "none" else {"iterations": 200}
            told = identify("u_t = div(D*grad(u))", {"D": Unknown(per_cell=True)}, seen, dt=0.2, boundary="neumann", **how)
            found[noise, smooth] = told.values["D"]
            _, error = as_integers(told.equation, start, 40)
            print(f"| {100 * noise:g} % | {smooth} | {told.smooth:.3g} | {f'{told.residual / sigma:.3f}' if sigma else '–'} "
                  f"| {100 * _away(told.values['D'], D):.3g} % | {told.runs} | {100 * error.rms:.2g} % | {100 * error.largest:.2g} % |", flush=True)  # fmt: skip
    _draw_fields(D, found, seen, where / "diffusivity.png")
    _finer()


def _finer() -> None:
    """The same D seen in runs of another scheme: cells half as wide, a quarter of the step, averaged over 2×2 cells. No noise but the schemes' difference."""
    fine = transport.layered_heat((2 * CELLS, 2 * CELLS), _diffusivity(2 * CELLS), dt=0.05, h=0.5, boundary="neumann")
    begin, times, D = _blobs(4, 2 * CELLS, smooth=4)[..., None], (4, 10, 20, 40), _halved(_diffusivity(2 * CELLS)[..., None])[..., 0]
    snapshots = np.stack([_halved(fine.reference.run(begin, 4 * time)) for time in times])
    coarse = transport.layered_heat((CELLS, CELLS), D, dt=0.2, boundary="neumann")
    away = float(np.sqrt(np.mean((np.stack([coarse.reference.run(_halved(begin), time) for time in times]) - snapshots) ** 2)))
    for smooth in (0.0, "discrepancy"):
        told = identify(
            "u_t = div(D*grad(u))", {"D": Unknown(per_cell=True)}, Observations(_halved(begin), times, snapshots), dt=0.2,
            boundary="neumann", iterations=60, smooth=smooth, noise=away,
        )  # fmt: skip
        print(f"| a finer run: {100 * away / snapshots.std():.2g} % | {smooth or 'none'} | {told.smooth:.3g} | {told.residual / away:.3f} "
              f"| {100 * _away(told.values['D'], D):.3g} % | {told.runs} | – | – |", flush=True)  # fmt: skip


def _diffusivity(cells: int) -> np.ndarray:
    """A smooth hill and a disc with an edge, between 0.3 and 0.8."""
    y, x = (np.indices((cells, cells)) + 0.5) / cells
    return 0.3 + 0.5 * np.exp(-((x - 0.35) ** 2 + (y - 0.62) ** 2) / 0.025) + 0.35 * (np.hypot(x - 0.7, y - 0.3) < 0.16)


def _halved(states: np.ndarray) -> np.ndarray:
    """(…, 2·CELLS, 2·CELLS, fields) averaged to (…, CELLS, CELLS, fields)."""
    return states.reshape(*states.shape[:-3], CELLS, 2, CELLS, 2, states.shape[-1]).mean(axis=(-4, -2))


def _draw_fields(D: np.ndarray, found: dict[tuple[float, str], np.ndarray], seen: Observations, path: Path) -> None:
    figure, axes = pyplot.subplots(2, 6, figsize=(15, 5.6), layout="constrained", gridspec_kw={"width_ratios": [1] * 5 + [1.5]})
    drawn: Any = None
    for row, smooth in enumerate(("none", "discrepancy")):
        for column, noise in enumerate(NOISES):
            if (noise, smooth) in found:
                drawn = axes[row][column + 1].imshow(found[noise, smooth], vmin=0, vmax=1, cmap="viridis")
                title = f"noise {100 * noise:g} %, {'smoothed' if row else 'as fitted'}: {100 * _away(found[noise, smooth], D):.2g} %"
                axes[row][column + 1].set_title(title, fontsize=8)
    axes[0][0].imshow(D, vmin=0, vmax=1, cmap="viridis")
    axes[0][0].set_title("D(x, y) sought", fontsize=8)
    snapshots = np.asarray(seen.snapshots)
    for axis, field, title in zip(axes[1], (np.asarray(seen.start)[0], snapshots[1, 0]), ("one of four initial states", "its snapshot after 10 steps, noise 5 %")):
        axis.imshow(field[..., 0], cmap="RdBu_r", vmin=-0.9, vmax=0.9)
        axis.set_title(title, fontsize=8)
    for axis in axes[:, :5].flat:
        axis.set_axis_off()
    figure.colorbar(drawn, ax=list(axes[1, :5]), location="bottom", shrink=0.4, aspect=40, label="D")
    grid = axes[0][5].get_gridspec()
    for axis in axes[:, 5]:
        axis.remove()
    axis = figure.add_subplot(grid[:, 5])
    for smooth, label, mark in (("none", "no smoothing", "o-"), ("discrepancy", "discrepancy principle", "s-")):
        noises = [noise for noise in NOISES if noise and (noise, smooth) in found]
        axis.loglog([100 * n for n in noises], [100 * _away(found[n, smooth], D) for n in noises], mark, label=label)
    axis.axhline(100 * _away(found[0.0, "none"], D), ls=":", color="grey", label="clean snapshots")
    axis.set_xlabel("noise of the snapshots, % of their scatter")
    axis.set_ylabel("relative L² error of D, %")
    axis.legend(fontsize=8)
    axis.grid(which="both", alpha=0.3)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def constants(where: Path) -> None:
    """Reaction constants and a potential, clean and noisy."""
    start = np.stack([1 - 0.5 * np.abs(_blobs(2, CELLS)), 0.4 * np.abs(_blobs(2, CELLS, 3))], axis=-1)
    front = np.abs(_blobs(2, 96)[:, :1])[..., None]
    y, x = (np.indices((24, 24)) + 0.5) / 24
    V = np.exp(-((x - 0.35) ** 2 + (y - 0.6) ** 2) / 0.02) - 0.4 * (np.abs(x - 0.75) < 0.08)
    wave = np.stack([_blobs(6, 24, 1), _blobs(6, 24, 2)], axis=-1)
    cases = {
        "Gray-Scott, F and k": (
            reaction.gray_scott((CELLS, CELLS)), start, (20, 60, 100), GRAY_SCOTT,
            {"F": Unknown(0, 0.1, start=0.08), "k": Unknown(0, 0.1, start=0.02)}, {"F": 0.035, "k": 0.065},
            {"dt": 1, "constants": {"Du": 0.16, "Dv": 0.08}, "about": [{"u": 1, "v": 0}], "largest": 0.999},
        ),
        "Fisher-KPP, r": (
            reaction.fisher_kpp((1, 96), r=0.7, dt=0.2), front, (5, 20, 40), "u_t = laplace(u) + r*u*(1 - u)",
            {"r": Unknown()}, {"r": 0.7}, {"dt": 0.2, "about": [{"u": 0}, {"u": 1}], "largest": 0.999},
        ),
        "Schrödinger, V(x, y)": (
            waves.schroedinger((24, 24), V=V, dt=0.2), wave, (2, 5, 8), WAVE,
            {"V": Unknown(low=-1, per_cell=True, start=0.0)}, {"V": V}, {"dt": 0.2, "scheme": "leapfrog", "iterations": 100},
        ),
    }  # fmt: skip
    print("| equation, unknown | interval | noise | found | error | runs | golden RMS | golden largest |")
    print("| --- | --- | ---: | --- | ---: | ---: | ---: | ---: |")
    potentials = {}
    for name, (equation, begin, times, text, unknowns, truth, options) in cases.items():
        for noise in (0.0, 0.01):
            seen, sigma = _seen(equation, begin, times, noise)
            smooth = {"smooth": "discrepancy", "noise": sigma} if noise and "V" in truth else {}
            told = identify(text, unknowns, seen, **{**options, **smooth})
            _, error = as_integers(told.equation, begin, times[-1])
            intervals = ", ".join(f"({i.low:g}, {i.high:.4g})" for i in told.intervals.values())
            shown = ", ".join(f"{k} = {v:.6g}" for k, v in told.values.items() if isinstance(v, float)) or "a field"
            worst = max(_away(told.values[k], truth[k]) for k in truth)
            print(f"| {name} | {intervals} | {100 * noise:g} % | {shown} | {100 * worst:.2g} % | {told.runs} "
                  f"| {100 * error.rms:.2g} % | {100 * error.largest:.2g} % |", flush=True)  # fmt: skip
            if "V" in truth:
                potentials[noise] = told.values["V"]
    figure, axes = pyplot.subplots(1, 3, figsize=(8.5, 3), layout="constrained")
    for axis, (title, values) in zip(axes, {"V(x, y) sought": V, **{f"found, noise {100 * n:g} %: {100 * _away(v, V):.2g} %": v for n, v in potentials.items()}}.items()):
        drawn = axis.imshow(values, vmin=-1, vmax=1, cmap="RdBu_r")
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    figure.colorbar(drawn, ax=list(axes))
    figure.savefig(where / "potential.png", dpi=110)
    pyplot.close(figure)


def design(where: Path) -> None:
    """Plates sixteen steps thick between a Gaussian beam and a target, on 32×32 cells, k = 2, dz = 1/4, |Δn/n₀| below 0.2, smoothing 0.1."""
    y, x = np.indices((CELLS, CELLS)) - (CELLS - 1) / 2

    def beam(waist: float) -> np.ndarray:
        return np.exp(-(x**2 + y**2) / waist**2)

    ring = (x + 1j * y) * beam(6)
    region = (np.abs(x - 5) < 2.1) & (np.abs(y + 4) < 2.1)
    common = {"k": 2.0, "dz": 0.25, "steps": 100, "thick": 16, "limit": 0.2}
    four, lens = Bench(plates=(1, 21, 41, 61), **common), Bench(plates=(1,), **common)
    cases: dict[str, tuple[np.ndarray, Any, Bench]] = {
        "Gaussian to a spot a third as wide, one plate": (0.9 * beam(9), beam(3), lens),
        "power in 5×5 cells off the axis, one plate": (0.9 * beam(9), region, lens),
        "power in 5×5 cells off the axis, four plates": (0.9 * beam(9), region, four),
        "HG00 to HG10, four plates": (0.9 * beam(6), x * beam(6), four),
        "HG00 to HG11, four plates": (0.9 * beam(6), x * y * beam(6), four),
        "HG00 to a vortex, four plates": (0.9 * beam(6), ring, four),
    }
    print("| task | before | after | power that arrives | unitary split step | golden | iterations |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    drawn = {}
    for name, (wave, target, bench) in cases.items():
        found = (focus if target.dtype == bool else convert)(wave, target, bench, smooth=0.1, iterations=100)
        start = waves.staggered(found.equation, wave[None])
        end = level(found.equation.real(golden.run(found.equation.model, found.equation.quantise(start)).output), bench)[0]
        split = _split_step(wave, bench, found.index)
        print(f"| {name} | {found.before:.4f} | {found.after:.4f} | {found.power:.3f} | {_merit(split, target):.4f} "
              f"| {_merit(end, target):.4f} | {len(found.history) - 1} |", flush=True)  # fmt: skip
        drawn[name] = (wave, target, found, end)
    _draw_designs(drawn, where / "design.png")


def _draw_designs(drawn: dict[str, tuple[np.ndarray, np.ndarray, Designed, np.ndarray]], path: Path) -> None:
    figure, axes = pyplot.subplots(len(drawn), 7, figsize=(12, 1.9 * len(drawn)), layout="constrained")
    for row, (name, (wave, target, found, end)) in zip(axes, drawn.items()):
        for axis in row:
            axis.set_axis_off()
        row[0].imshow(np.abs(wave) ** 2, cmap="magma")
        row[0].set_title(f"{name}\nbeam", fontsize=7, loc="left")
        for axis, plate in zip(row[1:5], found.index):
            axis.imshow(plate, vmin=-0.2, vmax=0.2, cmap="RdBu_r")
            axis.set_title("Δn/n₀", fontsize=7)
        row[5].imshow(np.abs(end) ** 2, cmap="magma")
        row[5].set_title(f"golden's answer, η = {_merit(end, target):.3f}", fontsize=7)
        row[6].imshow(np.abs(target.astype(complex)) ** 2, cmap="magma")
        row[6].set_title("target", fontsize=7)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def digits(where: Path) -> None:
    """The diffractive classifier on the 8×8 digits, by epochs."""
    print("| grid | index planes | epochs | seconds | ideal, test | golden, test |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for source, times, epochs in (("digits", 16, 5), ("digits", 16, 30), ("digits@16x16", 32, 20)):
        data, began = load_data(source), time.perf_counter()
        found = classify(data, Wave(times=times, planes=True, diffraction=0.1875, field_range=5), epochs=epochs, rate=0.1)
        print(f"| {data.sample_shape[0]}×{data.sample_shape[1]} | {times} | {epochs} | {time.perf_counter() - began:.0f} "
              f"| {100 * found.accuracy:.2f} % | {100 * found.golden_accuracy:.2f} % |", flush=True)  # fmt: skip


def _blobs(runs: int, cells: int, seed: int = 0, smooth: float = 1) -> np.ndarray:
    """(runs, cells, cells) random states, smooth over some cells."""
    drawn = gaussian_filter(np.random.default_rng(seed).normal(size=(runs, cells, cells)), (0, smooth, smooth), mode="nearest")
    return 0.9 * drawn / np.abs(drawn).max()


def _seen(equation: Discretised, start: np.ndarray, times: tuple[int, ...], noise: float) -> tuple[Observations, float]:
    snapshots = np.stack([equation.reference.run(start, time) for time in times])
    sigma = noise * float(snapshots.std())
    return Observations(start, times, snapshots + sigma * np.random.default_rng(9).normal(size=snapshots.shape)), sigma


def _away(found: Any, truth: Any) -> float:
    return float(np.linalg.norm(np.asarray(found) - truth) / np.linalg.norm(truth))


def _merit(psi: np.ndarray, target: np.ndarray) -> float:
    power = np.vdot(psi, psi).real
    if target.dtype == bool:
        return float((np.abs(psi[target]) ** 2).sum() / power)
    return float(abs(np.vdot(target, psi)) ** 2 / (np.vdot(target, target).real * power))


def _split_step(beam: np.ndarray, bench: Bench, index: np.ndarray, parts: int = 8) -> np.ndarray:
    """The same bench by a unitary split step with the five-point Laplacian's own waves, periodic: no leapfrog in it."""
    waves_of = 2 - 2 * np.cos(2 * np.pi * np.fft.fftfreq(CELLS))
    spread = np.exp(-1j * bench.dz / parts * (waves_of[:, None] + waves_of[None, :]) / (2 * bench.k))
    psi = beam.astype(complex)
    for plane in bench.spread(index):
        half = np.exp(1j * bench.k * plane * bench.dz / parts / 2)
        for _ in range(parts):
            psi = half * np.fft.ifft2(spread * np.fft.fft2(half * psi))
    return psi


if __name__ == "__main__":
    main(*sys.argv[1:])
