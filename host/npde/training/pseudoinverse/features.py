"""Random features: normal directions, nothing learned but the readout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def random_directions(width: int, values: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """``(width, values)`` independent normal weights (Pao, Park and Sobajic 1994; Huang, Zhu and Siew 2006)."""
    return rng.normal(size=(width, values))
