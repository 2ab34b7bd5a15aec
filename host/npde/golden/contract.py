"""The numeric contract's two operations on integers, and how a grid continues beyond its edge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npde.fixed import Q

Field = NDArray[np.int64]

PAD = {"periodic": "wrap", "dirichlet": "constant", "neumann": "edge"}
"""numpy's names for the boundaries."""


def rescale(acc: Field, shift: int) -> Field:
    """``acc / 2**shift`` rounded half up, by adding half and shifting right arithmetically."""
    return acc if shift == 0 else (acc + (1 << (shift - 1))) >> shift


def saturate(value: Field, q: Q) -> Field:
    """Clamp to the integers of ``q``."""
    return np.clip(value, q.low, q.high)
