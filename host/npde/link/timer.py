"""How long to wait for an answer: measured as answers come, doubled when they stay away (RFC 6298)."""

from __future__ import annotations

LEAST = 0.02
"""Seconds below which no wait goes: a host's scheduling and a USB bridge's polling."""


class Timer:
    """``patience``: seconds waited before anything was measured, and the most a doubled wait comes to."""

    def __init__(self, patience: float):
        self.patience = patience
        self._mean: float | None = None
        self._spread = 0.0
        self._factor = 1.0

    def wait(self, travelling: float) -> float:
        """Seconds to wait; ``travelling`` is how many of them the bytes spend on the wire anyhow."""
        if self._mean is None:
            return self.patience + travelling
        measured = max(LEAST, self._mean + 4 * self._spread)
        return min(max(self.patience, measured), self._factor * measured) + travelling

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
        self._factor *= 2
