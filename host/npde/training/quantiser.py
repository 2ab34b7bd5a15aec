"""Formats as a descent meets them: rounding that gradients pass straight through (Bengio, Léonard and Courville 2013), on integers held in floats."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import Array

from npde.fixed import Q
from npde.program import Program


def rescale(acc: Array, shift: int, quantised: bool) -> Array:
    """Divided by ``2**shift``; if quantised, rounded half up. Both are exact: a power of two, and one more bit."""
    value = acc * 2.0**-shift
    return straight_through(value, jnp.floor(value + 0.5)) if quantised and shift else value


def saturate(value: Array, q: Q) -> Array:
    """Clamped to the integers of ``q``; what lies beyond has no gradient."""
    return jnp.clip(value, q.low, q.high)


def units(real: Array, q: Q, quantised: bool) -> Array:
    """Real parameters in units in the last place of ``q``; if quantised, rounded half up and saturated."""
    value = real * 2.0**q.frac
    if not quantised:
        return value
    # Not floor(value + 0.5): that sum is itself rounded, and takes 0.49999997 to 1 where Q.quantise says 0.
    whole = jnp.floor(value)
    return straight_through(value, jnp.clip(whole + (value - whole >= 0.5), q.low, q.high))


@jax.custom_vjp
def straight_through(ideal: Array, rounded: Array) -> Array:
    """``rounded``, bit for bit, with the gradient of ``ideal``."""
    return rounded


straight_through.defvjp(
    lambda ideal, rounded: (rounded, None), lambda _, gradient: (gradient, jnp.zeros_like(gradient))
)


def within_formats(program: Program, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Parameters projected onto what their formats can hold, or the quantiser would saturate what training cannot see.

    Gains, which are folded into them, have none.
    """
    held = {f"{index}.{part}": q for index, parts in program.tensors().items() for part, (_, q) in parts.items()}
    return {
        k: jnp.clip(v, float(held[k].low * held[k].step), float(held[k].high * held[k].step)) if k in held else v
        for k, v in tensors.items()
    }
