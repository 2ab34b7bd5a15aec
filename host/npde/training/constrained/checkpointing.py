"""A run read backwards without holding it: states at checkpoints, and what lies between them computed again.

The adjoint of time t needs the state of time t, last first. :func:`backwards` keeps every ⌈√T⌉-th state and computes
one segment at a time again: about 2·√T states, each step taken at most twice. :func:`binomial` holds as few states as it
is told to and takes the steps the binomial schedule needs: r times each at most, where T ≤ C(s + r, s) for s slots.
Source: A. Griewank and A. Walther, ACM Transactions on Mathematical Software 26, 2000, 19 (revolve).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeVar

from npde.training.errors import TrainingError

State = TypeVar("State")


def backwards(
    step: Callable[[State, int], State], start: State, times: int, spacing: int | None = None
) -> Iterator[tuple[int, State]]:
    """``(time, state)`` from ``times`` down to 0, of the run that ``step(state, time)`` makes of ``start``.

    Every ``spacing``-th state is kept, by default ⌈√times⌉; 1 keeps all of them. At any moment at most
    ⌈times/spacing⌉ + spacing states are held, the one given out included. Raises :class:`TrainingError` for no step or a spacing below 1.
    """
    _check(times)
    every = math.isqrt(times - 1) + 1 if spacing is None else spacing
    if every < 1:
        raise TrainingError(f"checkpoints lie 1 or more time steps apart, not {every}")
    kept, state = [start], start
    for time in range(times):
        state = step(state, time)
        if (time + 1) % every == 0 and time + 1 < times:
            kept.append(state)
    yield times, state
    del state, start
    for first in reversed(range(0, times, every)):
        segment = [kept.pop()]
        for time in range(first, min(first + every, times) - 1):
            segment.append(step(segment[-1], time))
        while segment:
            yield first + len(segment) - 1, segment.pop()


def binomial(
    step: Callable[[State, int], State], start: State, times: int, slots: int
) -> Iterator[tuple[int, State]]:
    """The same with at most ``slots`` states kept, ``start`` among them, and one more in work.

    Raises :class:`TrainingError` for no step or no slot.
    """
    _check(times)
    if slots < 1:
        raise TrainingError(f"checkpoints need at least 1 slot, the start's, not {slots}")
    return _reversed(step, start, 0, times, slots)


def _reversed(
    step: Callable[[State, int], State], state: State, first: int, last: int, slots: int
) -> Iterator[tuple[int, State]]:
    """The states of times ``last`` down to ``first``, of which ``state`` is the first and takes one of the slots."""
    while last > first:
        if slots == 1:
            yield last, _advanced(step, state, first, last)
            last -= 1
            continue
        middle = first + _split(last - first, slots)
        yield from _reversed(step, _advanced(step, state, first, middle), middle, last, slots - 1)
        last = middle - 1
    yield first, state


def _advanced(step: Callable[[State, int], State], state: State, first: int, last: int) -> State:
    for time in range(first, last):
        state = step(state, time)
    return state


def _split(length: int, slots: int) -> int:
    """How far ahead the next checkpoint lies: what can be reversed with one repetition less and all the slots."""
    repetitions = 1
    while math.comb(slots + repetitions, slots) <= length:
        repetitions += 1
    return max(1, min(length, math.comb(slots + repetitions - 1, slots)))


def _check(times: int) -> None:
    if times < 1:
        raise TrainingError(f"a run has at least 1 time step, not {times}")
