"""How a field and the header in front of it travel to a board that keeps it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from npde.fixed import Q
from npde.link.protocol import HEADER, value_bytes

MOST_STEPS = (1 << 32) - 1


def header(flags: int, times: int) -> bytes:
    """What stands in front of each sample of a program whose field stays on the board."""
    return HEADER.pack(flags, times)


def steps_in_turn(times: int) -> Iterator[int]:
    """``times`` as counts a header holds; one of zero where there are none."""
    while times > MOST_STEPS:
        yield MOST_STEPS
        times -= MOST_STEPS
    yield times


def wire_of(fields: NDArray[np.int64], q: Q) -> list[bytes]:
    """Each of ``fields`` (batch, height, width, channels), value by value, little-endian and sign-extended."""
    size = value_bytes(q.width)
    values = fields.astype("<i8").reshape(-1, 1).view(np.uint8).reshape(*fields.shape, 8)[..., :size]
    return [field.tobytes() for field in values]
