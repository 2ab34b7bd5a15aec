"""A simulation as pictures: a strip of snapshots, and the same as an animation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npde import golden
from npde.equation.general import with_times
from npde.errors import FileError
from npde.model import Model
from npde.program import Evolve

ANIMATIONS = (".gif", ".png", ".webp")


def snapshots(model: Model, state: NDArray, steps: int, count: int = 6) -> tuple[list[int], NDArray[np.float64]]:
    """Golden's fields in reals, (snapshots, height, width, fields), and the time steps they are of: 0, …, ``steps``.

    ``state`` is (height, width, fields) in reals.
    """
    times = sorted({round(k * steps / max(1, count - 1)) for k in range(max(1, count))})
    now = model.quantise_input(np.asarray(state)[None])
    evolve = model.program.steps[0]
    frames, done = [now], 0
    if isinstance(evolve, Evolve) and evolve.planes:  # the planes of maps are counted from the first: one run, all kept
        trace = golden.trace(with_times(model, steps), now)
        frames = [trace[time] for time in times]
    else:
        for time in times[1:]:
            now = golden.run(with_times(model, time - done), now).output
            frames.append(now)
            done = time
    return times, model.program.input.q.real(np.concatenate(frames))


def panels(frames: NDArray[np.float64], fields: Sequence[str]) -> list[tuple[str, NDArray[np.float64]]]:
    """What is drawn: every field, or for a wave's ``re`` and ``im`` the density and the real part."""
    if tuple(fields) == ("re", "im"):
        return [("re² + im²", frames[..., 0] ** 2 + frames[..., 1] ** 2), ("re", frames[..., 0])]
    return [(name, frames[..., number]) for number, name in enumerate(fields)]


def draw_strip(
    times: Sequence[int], frames: NDArray[np.float64], path: str | os.PathLike[str], *, fields: Sequence[str], title: str = "", dt: float = 1.0,
    h: float = 1.0, potential: NDArray[np.float64] | None = None,
) -> None:  # fmt: skip
    """A strip of ``frames`` (snapshots, height, width, fields): a row a field, a column a time; a row of cells is drawn as curves.

    ``potential`` (height, width) is outlined where it is not zero. One colour scale a row, so that columns compare.
    """
    pyplot = _pyplot()
    rows = panels(frames, fields)
    flat = frames.shape[1] == 1
    ratio = 1.0 if flat else frames.shape[1] / frames.shape[2]
    figure, axes = pyplot.subplots(
        len(rows),
        len(times),
        figsize=(2.0 * len(times) + 0.8, (2.0 * max(ratio, 0.4) + 0.45) * len(rows) + 0.4),
        squeeze=False,
        layout="constrained",
    )
    extent = (0, frames.shape[2] * h, 0, frames.shape[1] * h)
    for number, (row, (name, values)) in enumerate(zip(axes, rows, strict=True)):
        low, high = float(values.min()), float(values.max())
        signed = low < -0.01 * abs(high)
        span = max(abs(low), abs(high)) or 1.0
        for axis, time, field in zip(row, times, values, strict=True):
            if flat:
                axis.plot((np.arange(frames.shape[2]) + 0.5) * h, field[0], lw=1)
                axis.set_ylim(low - 0.05 * span, high + 0.05 * span)
                axis.tick_params(labelsize=6)
                if potential is not None:
                    axis.fill_between(
                        (np.arange(frames.shape[2]) + 0.5) * h,
                        low,
                        high,
                        where=potential[0] != 0,
                        alpha=0.15,
                        color="k",
                    )
            else:
                limits = (-span, span) if signed else (low, high)
                drawn = axis.imshow(
                    field,
                    cmap="RdBu_r" if signed else "magma",
                    vmin=limits[0],
                    vmax=limits[1],
                    origin="lower",
                    extent=extent,
                    interpolation="nearest",
                )
                if potential is not None and np.ptp(potential):
                    axis.contour(
                        potential != 0, levels=[0.5], colors="w" if not signed else "k", linewidths=0.6, extent=extent
                    )
                axis.set(xticks=[], yticks=[])
            if number == 0:
                axis.set_title(f"t = {time * dt:g}", fontsize=8)
        row[0].set_ylabel(name, fontsize=9)
        if not flat:
            figure.colorbar(drawn, ax=list(row), shrink=0.8, pad=0.01).ax.tick_params(labelsize=6)
    figure.suptitle(title, fontsize=9)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def draw_animation(
    frames: NDArray[np.float64],
    path: str | os.PathLike[str],
    *,
    fields: Sequence[str],
    scale: int = 4,
    rate: float = 12,
) -> None:
    """``frames`` of the first panel as an animation (GIF, animated PNG or WebP by the suffix), ``scale`` pixels a cell, ``rate`` frames a second."""
    from PIL import Image

    target = Path(path)
    if target.suffix.lower() not in ANIMATIONS:
        raise FileError(f"{target}: an animation is one of {', '.join(ANIMATIONS)}")
    import matplotlib

    _, values = panels(frames, fields)[0]
    low, high = float(values.min()), float(values.max())
    span = max(abs(low), abs(high)) or 1.0
    signed = low < -0.01 * abs(high)
    unit = (values / span + 1) / 2 if signed else (values - low) / ((high - low) or 1.0)
    colours = (matplotlib.colormaps["RdBu_r" if signed else "magma"](unit)[..., :3] * 255).astype(np.uint8)
    tall = scale * max(1, 24 // scale) if frames.shape[1] == 1 else scale
    images = [Image.fromarray(frame[::-1].repeat(tall, axis=0).repeat(scale, axis=1)) for frame in colours]
    target.parent.mkdir(parents=True, exist_ok=True)
    images[0].save(target, save_all=True, append_images=images[1:], duration=round(1000 / rate), loop=0)


def _pyplot():  # type: ignore[no-untyped-def]
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
