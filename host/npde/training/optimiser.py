"""The strategies of gradient descent, each as optax has it: Adam on small batches, L-BFGS on large ones or on all samples."""

from __future__ import annotations

import optax

from npde.training.recipe import Descent

MEMORY = 12
LINE_SEARCH = 12
"""Evaluations a zoom line search may take for one step."""


def optimiser(descent: Descent, total: int) -> optax.GradientTransformationExtraArgs:
    """Of a descent of ``total`` steps.

    Adam with decoupled weight decay (Loshchilov and Hutter 2019), its rate warmed up and then lowered to zero by a
    cosine; or L-BFGS (Liu and Nocedal 1989) with a line search for the strong Wolfe conditions.
    """
    if descent.strategy == "lbfgs":
        return optax.lbfgs(memory_size=MEMORY, linesearch=optax.scale_by_zoom_linesearch(max_linesearch_steps=LINE_SEARCH))
    warm = max(1, round(descent.warmup * total))
    schedule = optax.warmup_cosine_decay_schedule(0.0, descent.rate, warm, max(total, warm + 1))
    kernels = lambda tensors: {name: name.endswith(".kernel") for name in tensors}  # noqa: E731
    adam = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=descent.decay, mask=kernels))
    return optax.with_extra_args_support(adam)
