"""Evolutions: linear forms, products rounded one by one, exact accumulators, one rounding an update."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from npde.golden.contract import PAD, Field, rescale, saturate
from npde.model import Weights
from npde.program import Evolve, Grid, Update


def advance(evolve: Evolve, grid: Grid, weights: Weights, u: Field) -> Iterator[Field]:
    """The field (batch, height, width, channels) after each time step."""
    for time in range(evolve.times):
        biases = iter(weights.bias.tolist())
        for step in evolve.body:
            bias = {channel: next(biases) for channel in step.biased}
            u = update(evolve, step, grid, weights, bias, u, time)
        yield u


def update(evolve: Evolve, step: Update, grid: Grid, weights: Weights, bias: dict[int, int], u: Field, time: int) -> Field:
    """The field after one update of time step ``time``."""
    whole = u
    if weights.maps is not None:
        plane = weights.maps[time if evolve.planes else 0]
        whole = np.concatenate([u, np.broadcast_to(plane, (*u.shape[:3], evolve.maps))], axis=-1)
    formats = evolve.value_formats(step, grid)
    values = _forms(step, grid, whole)
    for product in step.products:
        frac = formats[product.left].frac + formats[product.right].frac
        values.append(saturate(rescale(values[product.left] * values[product.right], frac - product.out.frac), product.out))

    frac = evolve.accumulator_frac(step, grid)
    after = u.copy()
    for channel in step.updated:
        acc = u[..., channel] << (frac - grid.q.frac) if step.skip else np.zeros(u.shape[:3], np.int64)
        acc = acc + (bias.get(channel, 0) << (frac - evolve.bias.frac) if channel in bias else 0)
        for term in step.terms:
            if term.channel == channel:
                aligned = int(weights.kernel[term.coefficient, 0, 0]) << (frac - evolve.weight.frac - formats[term.value].frac)
                acc = acc + aligned * values[term.value]
        after[..., channel] = saturate(rescale(acc, frac - grid.q.frac), grid.q)
    return after


def _forms(step: Update, grid: Grid, whole: Field) -> list[Field]:
    reach = step.reach
    rows, cols = min(reach, grid.height - 1), min(reach, grid.width - 1)
    padded = np.pad(whole, ((0, 0), (rows, rows), (cols, cols), (0, 0)), mode=PAD[step.boundary])  # type: ignore[call-overload]
    values = []
    for form in step.forms:
        total = sum(
            weight * padded[:, rows + dy : rows + dy + grid.height, cols + dx : cols + dx + grid.width, form.channel]
            for (dy, dx), weight in zip(form.taps, form.weights, strict=True)
        )
        values.append(rescale(total, form.shift))
    return values
