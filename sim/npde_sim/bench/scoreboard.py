"""What should come against what comes, integer by integer, with the place of the first difference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


class Mismatch(AssertionError):
    """Something else came than was expected; the message names the place and both integers."""


class Expectation:
    """The integers a stream must carry, in order; arrays of four axes are (frame, y, x, channel).

    ``what`` names the stream in messages, ``axes`` the coordinates of other arrays.
    """

    def __init__(self, what: str, values: ArrayLike, axes: Sequence[str] | None = None):
        self.what, self.values = what, np.asarray(values)
        self.axes = tuple(axes) if axes else ("frame", "y", "x", "channel") if self.values.ndim == 4 else ("value",)
        if len(self.axes) != self.values.ndim:
            raise ValueError(f"{what}: {self.values.ndim} axes of values and {len(self.axes)} names for them")
        self._flat = [int(value) for value in self.values.ravel()]
        self.came = 0

    @property
    def complete(self) -> bool:
        """Whether everything expected has come."""
        return self.came >= len(self._flat)

    def take(self, values: Sequence[int]) -> None:
        """The next values that came; raises :class:`Mismatch` at the first that differs."""
        for value in values:
            if self.complete:
                raise Mismatch(f"{self.what}: {value} came after all {len(self._flat)} expected values")
            if value != self._flat[self.came]:
                raise Mismatch(f"{self.what}: {self.place(self.came)}: {self._flat[self.came]} expected, {value} came")
            self.came += 1

    def place(self, index: int) -> str:
        """Where in the array the value of that flat ``index`` lies, in words."""
        where = [int(i) for i in np.unravel_index(index, self.values.shape)]
        if self.axes == ("frame", "y", "x", "channel"):
            frame, y, x, channel = where
            return f"frame {frame}, cell ({y}, {x}), channel {channel}"
        return ", ".join(f"{axis} {i}" for axis, i in zip(self.axes, where, strict=True))

    def shortfall(self) -> str:
        """What is still missing, in words."""
        return f"{self.what}: {self.came} of {len(self._flat)} values came, then nothing; next is {self.place(self.came)}"


def compare(what: str, expected: ArrayLike, came: ArrayLike, axes: Sequence[str] | None = None) -> None:
    """Compare what was gathered elsewhere; raises :class:`Mismatch` at the first difference or a missing value."""
    expectation = Expectation(what, expected, axes)
    expectation.take([int(value) for value in np.asarray(came).ravel()])
    if not expectation.complete:
        raise Mismatch(expectation.shortfall())
