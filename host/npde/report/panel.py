"""What is drawn of a model's run: which of its fields, and what of each, as one image a sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from npde.model import Model
from npde.program import Evolve, Grid, Identity, Pool, Recurrent, Stencil
from npde.program.program import Step, kind

Real = NDArray[np.float64]

MOST = 8
"""How many fields a picture shows; more only where many evolutions have two ends each."""
WAVE = "a² + b²"


@dataclass(frozen=True)
class Panel:
    """One column of the picture: ``values`` (batch, rows, columns) in units of their greatest magnitude.

    ``density``: a wave's, never negative, and in units of each image's own greatest, for light that spreads gets faint.
    ``folded``: one cell's values in rows; NaN fills the last. ``sequence``: the rows are a recurrent step's states, the
    first on top.
    """

    title: str
    values: Real
    density: bool = False
    folded: bool = False
    sequence: bool = False


def panels(
    model: Model, frames: Sequence[NDArray[np.integer]], channel: int | None = None, *, most: int = MOST
) -> list[Panel]:
    """The columns for ``frames``, all that :func:`npde.golden.trace` gave for ``model``.

    Of a long run of time steps some are chosen, about ``most`` in all (:func:`chosen`); a recurrent step is one panel
    of all its states. A wave's two fields become their density, a single cell's values are folded into rows, and of any
    other grid the ``channel`` is shown, by default the one that varies most. Outputs of one cell are left to their bars.
    """
    steps: list[Step | None] = [None, *model.program.steps]
    grids = [model.program.input, *model.program.grids()]
    runs = _runs(model, frames)
    if model.program.output.shape[:2] == (1, 1) and not isinstance(steps[-1], Recurrent):
        runs[-1] = runs[-1][:-1]
    for number, (last, step) in enumerate(pairwise(steps), 1):
        if _leapfrog(last, grids[number]) and _squares(step, grids[number]):
            runs[number] = []  # a² + b², which is what the wave's own columns show
    shown: list[Panel] = []
    density = False
    kept = chosen(list(map(_columns, steps, runs)), most)
    for number, (step, run, keep) in enumerate(zip(steps, runs, kept, strict=True)):
        before, grid = grids[number], grids[number + 1]
        following = steps[number + 1] if number + 1 < len(steps) else None
        wave = _leapfrog(step, grid) or _leapfrog(following, grid)
        density = wave or (density and (not run or isinstance(step, Pool)))
        if isinstance(step, Recurrent):
            states = np.stack([state.reshape(len(state), -1) for state in run], axis=1)
            shown.append(Panel(f"recurrent: {grid.channels} states\nafter each of {len(run)} rows", _unit(states), sequence=True))
            continue
        for index in keep:
            times = _times(step, before)
            title = _name(step) + (f", step {index + 1} of {times}" if times > 1 else "")
            folded = grid.channels > 1 and grid.shape[:2] == (1, 1) and not density
            if folded:
                of, image = f"1×1×{grid.channels}, folded", _folded(run[index].reshape(len(run[index]), -1))
            else:
                of, image = _image(run[index].astype(np.float64), grid, wave, density, isinstance(following, Recurrent), channel)
            shown.append(Panel(f"{title}\n{of}", _unit(image, each=density), density, folded))
    return shown


def chosen(lengths: Sequence[int], most: int = MOST) -> list[list[int]]:
    """For runs of so many fields each, the indices of those shown: about ``most`` in all.

    Of each run the first and the last, then evenly more of whichever run has the widest gaps. Where runs of one field
    (layers) are too many by themselves, they are thinned evenly, the first and the last of them staying.
    """
    single = [number for number, length in enumerate(lengths) if length == 1]
    room = max(2, most - 2 * sum(length > 1 for length in lengths))
    if len(single) > room:
        single = [single[round(k)] for k in np.linspace(0, len(single) - 1, room)]
    counts = [min(length, 2) if length != 1 else int(number in single) for number, length in enumerate(lengths)]
    while sum(counts) < most:
        gaps = [(length - 1) / (count - 1) if length > count > 1 else 0.0 for length, count in zip(lengths, counts, strict=True)]
        if not any(gaps):
            break
        counts[gaps.index(max(gaps))] += 1
    return [[round(k) for k in np.linspace(0, length - 1, count)] for length, count in zip(lengths, counts, strict=True)]


def _runs(model: Model, frames: Sequence[NDArray[np.integer]]) -> list[Sequence[NDArray[np.integer]]]:
    """The input, then what each step left: as many frames as it has repeats, time steps or rows."""
    runs, at = [frames[:1]], 1
    for step, before in zip(model.program.steps, model.program.grids(), strict=False):
        runs.append(frames[at : at + _times(step, before)])
        at += _times(step, before)
    return runs


def _times(step: Step | None, before: Grid) -> int:
    match step:
        case Stencil():
            return step.repeat
        case Evolve():
            return step.times
        case Recurrent():
            return before.height
        case _:
            return 1


def _columns(step: Step | None, run: Sequence[NDArray[np.integer]]) -> int:
    """How many fields of a run there are to choose from: all states together are one picture."""
    return 1 if isinstance(step, Recurrent) else len(run)


def _name(step: Step | None) -> str:
    match step:
        case None:
            return "input"
        case Stencil():
            inner = "u+K∗u" if step.skip else "K∗u"
            return inner if isinstance(step.phi, Identity) else f"φ({inner})"
        case _:
            return kind(step)


def _leapfrog(step: Step | None, grid: Grid) -> bool:
    """Whether a step is ψ = a + ib's: two fields in turn, each moved by the other."""
    if not isinstance(step, Evolve) or grid.channels != 2 or [update.updated for update in step.body] != [(0,), (1,)]:
        return False
    return all(any(form.channel == other for form in update.forms) for update, other in zip(step.body, (1, 0), strict=True))


def _squares(step: Step | None, grid: Grid) -> bool:
    """Whether a step makes a² + b² of a wave."""
    if not isinstance(step, Evolve) or grid.channels != 2 or step.times != 1 or len(step.body) != 1:
        return False
    (update,) = step.body
    squared = sorted(update.forms[product.left].channel for product in update.products if product.left == product.right < len(update.forms))
    return not update.skip and squared == [0, 1] and len(update.terms) == 2


def _image(field: Real, grid: Grid, wave: bool, density: bool, source: bool, channel: int | None) -> tuple[str, Real]:
    """What a title says of it, and the image (batch, rows, columns) of a field (batch, height, width, channels)."""
    cells = f"{grid.height}×{grid.width}"
    if wave:
        return f"{cells}, {WAVE}", field[..., 0] ** 2 + field[..., 1] ** 2
    if density:  # pooled from the first channel of a² + b²
        return f"{cells}, {WAVE}", field[..., 0]
    if grid.channels > 1 and source:  # a row as the recurrent step is given it
        return f"{grid.height} rows × {grid.width * grid.channels}", field.reshape(len(field), grid.height, -1)
    pick = channel if channel is not None and channel < grid.channels else int(field.std(axis=(0, 1, 2)).argmax())
    return f"{cells}×{grid.channels}" + (f", channel {pick}" if grid.channels > 1 else ""), field[..., pick]


def _folded(vectors: NDArray[np.integer]) -> Real:
    """Vectors (batch, length) in rows, whole ones where a length near its root divides, else the last filled with NaN."""
    length = vectors.shape[1]
    root = math.ceil(math.sqrt(length))
    width = next((width for width in range(root, 2 * root + 1) if length % width == 0), root)
    rows = math.ceil(length / width)
    padded = np.full((len(vectors), rows * width), np.nan)
    padded[:, :length] = vectors
    return padded.reshape(len(vectors), rows, width)


def _unit(images: NDArray[np.number], *, each: bool = False) -> Real:
    """In units of the greatest magnitude of all, or of ``each`` image."""
    greatest = np.nanmax(np.abs(images), axis=(1, 2) if each else None, keepdims=True)
    return np.asarray(images, np.float64) / np.maximum(1.0, greatest)
