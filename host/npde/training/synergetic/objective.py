"""The free energy of a pair: one number that both models lower.

With z ~ q(z|x) = N(B(x), s²), p(z) = N(0, τ²), p(x|z) = N(A(z), σ²) for n values of an image and p(y|z) the softmax of A's logits,

``F = E_q[ ‖x - A(z)‖²/2σ² + n/2·log 2πσ² ] + E_q[ -log p(y|z) ] + KL(q(z|x) ‖ p(z)) >= -log p(x, y)``

(the variational free energy of Guo and Yin 2020's synergetic system; Kingma and Welling 2014 for the descent through z).
σ (one number) and s (one a value of the code) are learned with the rest: at the minimum σ² is the mean square error, and s
says how much of each value's format A makes use of. A model of integers has neither: its code is the mean, rounded.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from npde.training.evolution import evolve
from npde.training.quantiser import rescale, saturate
from npde.training.synergetic.configuration import Synergy, Terms
from npde.training.synergetic.programs import CODE, Pair

SPREAD, ERROR = "B.log s", "A.log sigma"
"""The two tensors besides the programs' own: log s (code,) and log σ ()."""


def of(side: str, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors of one model (``"A"`` or ``"B"``) under the names its program has for them."""
    return {name[2:]: tensor for name, tensor in tensors.items() if name.startswith(f"{side}.") and name not in (SPREAD, ERROR)}


def free_energy(
    pair: Pair, synergy: Synergy, terms: Terms, quantised: bool, tensors: Mapping[str, Array], x: Array, y: Array, key: Array
) -> Array:
    """The mean of F, in nats, over images x (channels, height, width, batch) in units in the last place with labels y (batch,).

    ``tensors`` holds both models' under ``"A."`` and ``"B."``; ``key`` draws the input's noise and the code. With
    ``quantised`` noise, code and both models' fields are integers: golden's for what they are given.
    """
    noise, draw = jax.random.split(key)
    pixel = pair.image.q
    code = evolve(pair.b, of("B", tensors), _noisy(x, synergy.noise * 2.0**pixel.frac, noise, pair), quantised=quantised)
    spread = jnp.exp(tensors[SPREAD])
    drawn = code + (spread * 2.0**CODE.frac)[:, None, None, None] * jax.random.normal(draw, code.shape, code.dtype)
    z = saturate(_whole(drawn) if quantised else drawn, CODE)
    out = evolve(pair.a, of("A", tensors), z, quantised=quantised).reshape(pair.a.output.size, -1) * 2.0**-pair.a.output.q.frac
    image, logits = out[: pair.image.size], out[pair.image.size :]
    away = image - x.transpose(1, 2, 0, 3).reshape(image.shape) * 2.0**-pixel.frac
    log_sigma = tensors[ERROR]
    reconstruction = (away**2).sum(axis=0) / 2 * jnp.exp(-2 * log_sigma) + pair.image.size * (log_sigma + np.log(2 * np.pi) / 2)
    label = optax.softmax_cross_entropy_with_integer_labels(logits.T, y)
    mean, width = code.reshape(len(spread), -1) * 2.0**-CODE.frac / synergy.prior, spread / synergy.prior
    complexity = ((mean**2).sum(axis=0) + (width**2 - 1 - 2 * jnp.log(width)).sum()) / 2
    return (terms.reconstruction * reconstruction + terms.label * label + terms.complexity * complexity).mean()


def _noisy(x: Array, most: float, key: Array, pair: Pair) -> Array:
    """Integers of the input's format, each image with normal noise of its own standard deviation from 0 to ``most``."""
    if not most:
        return x
    level, normal = jax.random.split(key)
    sigma = jax.random.uniform(level, (x.shape[-1],), x.dtype, 0, most)
    return saturate(jnp.round(x + sigma * jax.random.normal(normal, x.shape, x.dtype)), pair.image.q)


def _whole(value: Array) -> Array:
    """Rounded half up, the gradient passing straight through: a rescale by one place of what is twice as large."""
    return rescale(2 * value, 1, True)
