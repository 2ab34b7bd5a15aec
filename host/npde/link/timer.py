"""How long to wait for an answer: measured as answers come, doubled when they stay away (RFC 6298)."""

from __future__ import annotations


class Timer:
    """``patience``: seconds waited at the least; more where answers were seen to take longer."""

    def __init__(self, patience: float):
        self.patience = patience
        self._mean: float | None = None
        self._spread = 0.0
        self._factor = 1.0

    def wait(self, travelling: float) -> float:
        """Seconds to wait; ``travelling`` is how many of them the bytes spend on the wire anyhow."""
        expected = 0.0 if self._mean is None else self._mean + 4 * self._spread
        return max(self.patience, self._factor * expected) + travelling

    def measured(self, seconds: float) -> None:
        """An answer came after so long, to a request sent once."""
        if self._mean is None:
            self._mean, self._spread = seconds, seconds / 2
        else:
            self._spread += (abs(seconds - self._mean) - self._spread) / 4
            self._mean += (seconds - self._mean) / 8
        self._factor = 1.0

    def late(self) -> None:
        """None came in time."""
        self._factor = min(8.0, 2 * self._factor)
