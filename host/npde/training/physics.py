"""Evolutions as differentiable jax functions: forms, products, terms, maps; ideal or on the contract's integers."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import Array

from npde.fixed import signed_width
from npde.program import Evolve, Grid, Update
from npde.training.quantiser import rescale, saturate, units

PAD = {"periodic": "wrap", "dirichlet": "constant", "neumann": "edge"}
"""jax's names for the boundaries."""


def widest(evolve: Evolve, grid: Grid) -> int:
    """Bits of the widest exact integer an evolution makes: a form, a product or an accumulator."""
    widths = []
    for update in evolve.body:
        for form in update.forms:
            low, high = evolve.form_range(form, grid)
            widths.append(signed_width(low, high + (1 << form.shift >> 1)))
        formats = evolve.value_formats(update, grid)
        # One more than the operands' sum: the rounding constant.
        widths += [formats[p.left].width + formats[p.right].width + 1 for p in update.products]
        widths += [evolve.accumulator_width(update, channel, grid) for channel in update.updated]
    return max(widths)


def advance(evolve: Evolve, grid: Grid, tensors: Mapping[str, Array], u: Array, quantised: bool) -> Array:
    """``u`` (channels, height, width, batch) after all time steps, in units in the last place.

    ``tensors`` are real: ``kernel`` (coefficients, 1, 1), ``bias`` (biases,) and, where there are any, ``maps``
    (1 or times, height, width, maps); all three receive gradients.
    """
    kernel = units(tensors["kernel"].astype(u.dtype), evolve.weight, quantised).reshape(-1)
    bias = units(tensors["bias"].astype(u.dtype), evolve.bias, quantised)
    maps = None
    if evolve.maps:
        maps = units(tensors["maps"].astype(u.dtype), evolve.map, quantised).transpose(0, 3, 1, 2)[..., None]

    def time_step(u: Array, plane: Array | None) -> tuple[Array, None]:
        if plane is None and maps is not None:
            plane = maps[0]
        first = 0
        for update in evolve.body:
            u = _update(evolve, update, grid, kernel, bias[first : first + len(update.biased)], plane, u, quantised)
            first += len(update.biased)
        return u, None

    return jax.lax.scan(time_step, u, maps if evolve.planes else None, length=evolve.times)[0]


def _update(
    evolve: Evolve, update: Update, grid: Grid, kernel: Array, bias: Array, plane: Array | None, u: Array, quantised: bool
) -> Array:
    formats = evolve.value_formats(update, grid)
    values = _forms(update, grid, plane, u, quantised)
    for product in update.products:
        frac = formats[product.left].frac + formats[product.right].frac
        exact = values[product.left] * values[product.right]
        values.append(saturate(rescale(exact, frac - product.out.frac, quantised), product.out))

    frac = evolve.accumulator_frac(update, grid)
    channels = list(u)
    for channel in update.updated:
        acc = u[channel] * 2.0 ** (frac - grid.q.frac) if update.skip else jnp.zeros_like(u[channel])
        if channel in update.biased:
            acc = acc + bias[update.biased.index(channel)] * 2.0 ** (frac - evolve.bias.frac)
        for term in update.terms:
            if term.channel == channel:
                aligned = kernel[term.coefficient] * 2.0 ** (frac - evolve.weight.frac - formats[term.value].frac)
                acc = acc + aligned * values[term.value]
        channels[channel] = saturate(rescale(acc, frac - grid.q.frac, quantised), grid.q)
    return jnp.stack(channels)


def _forms(update: Update, grid: Grid, plane: Array | None, u: Array, quantised: bool) -> list[Array]:
    rows, cols = min(update.reach, grid.height - 1), min(update.reach, grid.width - 1)
    padded: dict[int, Array] = {}
    values = []
    for form in update.forms:
        if form.channel not in padded:
            field = u[form.channel] if form.channel < grid.channels else _map(plane, form.channel - grid.channels)
            padded[form.channel] = jnp.pad(field, ((rows, rows), (cols, cols), (0, 0)), mode=PAD[update.boundary])
        whole = padded[form.channel]
        total = sum(
            weight * whole[rows + dy : rows + dy + grid.height, cols + dx : cols + dx + grid.width]
            for (dy, dx), weight in zip(form.taps, form.weights, strict=True)
        )
        values.append(rescale(jnp.asarray(total), form.shift, quantised))
    return values


def _map(plane: Array | None, number: int) -> Array:
    assert plane is not None  # a form on a map without maps is no Evolve
    return plane[number]
