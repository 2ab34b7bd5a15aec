"""One epoch's training batches: shuffled, shifted, cut out, mirrored. Plain numpy on integers of the input format."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from npde.training.recipe import Augmentation


def augment(
    fields: NDArray[np.integer], augmentation: Augmentation, background: int, rng: np.random.Generator
) -> NDArray[np.integer]:
    """A changed copy of ``fields``, integers (n, height, width, channels); what moves in is ``background``."""
    n, height, width, _ = fields.shape
    shift = augmentation.shift
    if shift:
        padded = np.pad(fields, ((0, 0), (shift, shift), (shift, shift), (0, 0)), constant_values=background)
        moves = rng.integers(0, 2 * shift + 1, size=(n, 2))
        fields = np.empty_like(fields)
        for dy in range(2 * shift + 1):
            for dx in range(2 * shift + 1):
                chosen = np.flatnonzero((moves[:, 0] == dy) & (moves[:, 1] == dx))
                fields[chosen] = padded[chosen, dy : dy + height, dx : dx + width]
    else:
        fields = fields.copy()
    if augmentation.flip:
        mirrored = rng.random(n) < 0.5
        fields[mirrored] = fields[mirrored, :, ::-1]
    if augmentation.cutout:
        side = augmentation.cutout
        top = rng.integers(1 - side, height, size=(n, 1))
        left = rng.integers(1 - side, width, size=(n, 1))
        rows, cols = np.arange(height), np.arange(width)
        inside_y = (rows >= top) & (rows < top + side)
        inside_x = (cols >= left) & (cols < left + side)
        fields[inside_y[:, :, None] & inside_x[:, None, :]] = background
    return fields


def batches(
    fields: NDArray[np.integer],
    labels: NDArray[np.int64],
    *,
    batch: int,
    together: int,
    augmentation: Augmentation,
    background: int,
    rng: np.random.Generator,
) -> Iterator[tuple[NDArray[np.integer], NDArray[np.int32]]]:
    """One epoch in groups of up to ``together`` batches: (k, channels, height, width, batch) and (k, batch).

    What does not fill the last batch is left out of this epoch; the shuffle leaves out others the next.
    """
    order = rng.permutation(len(fields))
    count = len(fields) // batch
    for start in range(0, count, together):
        k = min(together, count - start)
        chosen = order[start * batch : (start + k) * batch]
        group = augment(fields[chosen], augmentation, background, rng)
        yield (
            np.ascontiguousarray(group.reshape(k, batch, *fields.shape[1:]).transpose(0, 4, 2, 3, 1)),
            labels[chosen].reshape(k, batch).astype(np.int32),
        )
