"""From identified coefficients to the integers a board runs, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from npde import golden
from npde.equation.general import Discretised, with_times
from npde.model import Model


@dataclass(frozen=True)
class GoldenError:
    """Golden's difference from the float64 run, root mean square and largest, relative to the span of that run's fields."""

    rms: float
    largest: float


def as_integers(equation: Discretised, start: ArrayLike, steps: int) -> tuple[Model, GoldenError]:
    """``equation``'s model over ``steps`` time steps, and golden's error from the states ``start`` (batch, height, width, fields).

    The model is what ``npde simulate``, a build and a board take. Fields beyond their format's end values saturate, which the
    ideal model does not: an error far above half a unit says so.
    """
    model = with_times(equation.model, steps)
    wanted = equation.reference.run(np.asarray(start, np.float64), steps)
    away = (equation.real(golden.run(model, equation.quantise(start)).output) - wanted) / float(np.ptp(wanted))
    return model, GoldenError(float(np.sqrt(np.mean(away**2))), float(np.abs(away).max()))
