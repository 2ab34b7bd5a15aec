"""How long to wait for an answer: measured as answers come (RFC 6298), less where the line harms them or nothing comes."""

from __future__ import annotations

IMPATIENCE = 1 / 50
"""The least wait on a line that harms frames, in units of patience."""
BACK_OFF, FORGETTING = 1.05, 0.9
ENOUGH = 2
"""Answers in a row that stay away before waits are halved."""
SLOWEST = 10.0
"""Patiences that an answer may be believed to take: a dead board is to be told of in the end."""


class Timer:
    """``patience``: seconds waited at the least on a sound line; more where answers were seen to take longer.

    Where frames arrive harmed, waiting is what costs most: each halves the least wait, down to :data:`IMPATIENCE`. A repeat
    that turns out to have been hasty (the answer was only late) makes it four times as long, up to ``patience`` again: a
    slow board must not be asked ever more often.
    """

    def __init__(self, patience: float):
        self.patience = patience
        self._least = patience
        self._mean: float | None = None
        self._spread = 0.0
        self._growth = 1.0
        self._missed = 0

    def wait(self, travelling: float) -> float:
        """Seconds to wait; ``travelling`` is how many of them the bytes spend on the wire anyhow."""
        seconds = max(min(self.patience, self._growth * self._least), self._expected)
        # A board silent for longer than it ever was is asked more often: it is given up soon, and should be asked enough until then.
        return (seconds / 2 if self._missed > ENOUGH else seconds) + travelling

    @property
    def pace(self) -> float:
        """Seconds within which a board that lives has answered by all that was seen: one to :data:`SLOWEST` patiences."""
        return min(max(self.patience, self._expected), SLOWEST * self.patience)

    @property
    def _expected(self) -> float:
        return 0.0 if self._mean is None else self._mean + 4 * self._spread

    def measured(self, seconds: float) -> None:
        """An answer came after so long, to a request sent once."""
        if self._mean is None:
            self._mean, self._spread = seconds, seconds / 2
        else:
            self._spread += (abs(seconds - self._mean) - self._spread) / 4
            self._mean += (seconds - self._mean) / 8

    def late(self) -> None:
        """None came in time."""
        self._missed += 1
        self._growth *= BACK_OFF

    def voice(self) -> None:
        """The board said something."""
        self._growth = 1.0
        self._missed = 0

    def harmed(self) -> None:
        """Something came that was no whole frame."""
        self._least = max(IMPATIENCE * self.patience, self._least / 2)
        # What was measured while the line was sound, of many frames under way, would else be believed for long.
        if self._mean is not None:
            self._mean, self._spread = FORGETTING * self._mean, FORGETTING * self._spread

    def hasty(self) -> None:
        """A repeat was for nothing: what it repeated had arrived."""
        self._least = min(self.patience, 4 * self._least)
