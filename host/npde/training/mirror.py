"""Whether images of a class may be mirrored left to right and still be of it, asked of the training samples themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

KNOWN, ASKED = 8000, 2000
"""Samples that are looked among, and samples that are looked for; fewer, in that proportion, where there are not so many."""


def alike_mirrored(images: NDArray, labels: NDArray[np.int64]) -> bool:
    """Whether the nearest neighbour of a mirrored image still tells its class, more than half as well as the image's own does.

    ``images`` (n, height, width[, channels]), ``labels`` (n,). As well is meant above chance. Clothes pass (0.73 of it), digits do not (0.33).
    """
    known = min(KNOWN, len(images) * KNOWN // (KNOWN + ASKED))
    flat = images.reshape(len(images), -1).astype(np.float32)
    nearest = KNeighborsClassifier(1).fit(flat[:known], labels[:known])
    asked, wanted = images[known : known + ASKED], labels[known : known + ASKED]
    chance = 1 / len(np.unique(labels))
    own, mirrored = (
        nearest.score(x.reshape(len(x), -1).astype(np.float32), wanted) - chance for x in (asked, asked[:, :, ::-1])
    )
    return bool(mirrored > own / 2)
