"""The formats an architecture chooses before any weight exists."""

from __future__ import annotations

from npde.fixed import Q

INPUT_BITS = 8
BIAS_BITS = 16
ANSWER_BITS = 16


def ranged(width: int, log2_range: int) -> Q:
    """The format of ``width`` bits that spans [-2**log2_range, 2**log2_range)."""
    return Q(width, width - 1 - log2_range)


def biased(log2_range: int, finest: int) -> Q:
    """Biases of 16 bits that span ±2**log2_range, no finer than the accumulator."""
    return Q(BIAS_BITS, min(BIAS_BITS - 1 - log2_range, finest))
