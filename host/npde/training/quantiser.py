"""Rounding that gradients pass straight through, on integers held in floats (Bengio, Léonard and Courville 2013)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from npde.fixed import Q


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
