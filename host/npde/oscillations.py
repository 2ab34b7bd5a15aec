"""A sensor-like time series made by a formula: three-axis vibration of a rotating machine, whole or with a fault.

Every sample is 48 readings of three axes, handed on in 12 groups of four, while a shaft turns at a random speed of 0.06 to
0.1 turns a reading and a random phase. Axis j sees gain g_j and delay d_j of the shaft's own oscillation, noise of
standard deviation 0.25 on top, and one of four conditions:

0. *whole*: the fundamental, amplitude 0.5 to 1;
1. *unbalanced*: the first two axes' amplitude is 2.2 times that;
2. *misaligned*: a second harmonic of 0.9 times the fundamental along the third axis, 0.5 along the others;
3. *bearing*: a burst every 3.6th part of a turn, of amplitude 1.5, ringing at 0.31 turns a reading, gone after about three.

No measured data: the classes are told apart by what such faults are known to do, the numbers are this module's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npde.data import Dataset

SEED = 20210
GROUPS, GROUP = 12, 4
READINGS = GROUPS * GROUP
SAMPLES = {"train": 4000, "test": 1000}
CONDITIONS = ("whole", "unbalanced", "misaligned", "bearing")


def oscillations() -> Dataset:
    """The data set: (n, 12, 4, 3), groups, readings and axes, float32 in [-4, 4), labels the index of :data:`CONDITIONS`; the same every time."""
    rng = np.random.default_rng(SEED)
    (train_x, train_y), (test_x, test_y) = (_drawn(count, rng) for count in SAMPLES.values())
    return Dataset("oscillations", train_x, train_y, test_x, test_y, len(CONDITIONS), (-4.0, 4.0))


def _drawn(count: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    label = np.arange(count) % len(CONDITIONS)
    each = label[:, None, None]
    time = np.arange(READINGS)[None, :, None]
    speed = rng.uniform(0.06, 0.1, (count, 1, 1))
    phase = rng.uniform(0, 1, (count, 1, 1))
    turn = speed * time + phase + np.array([0.0, 0.25, 0.1])  # d_j
    amplitude = rng.uniform(0.5, 1.0, (count, 1, 1)) * np.array([1.0, 0.8, 0.4])  # g_j
    amplitude = amplitude * np.where((each == 1) & (np.arange(3) < 2), 2.2, 1.0)
    signal = amplitude * np.sin(2 * np.pi * turn)
    second = rng.uniform(0.5, 1.0, (count, 1, 1)) * np.array([0.5, 0.5, 0.9])
    signal += (each == 2) * second * np.sin(4 * np.pi * turn + 1.0)
    since = np.mod((speed * time + phase) * 3.6, 1.0) / (3.6 * speed)  # readings since the last burst
    burst = 1.5 * np.exp(-since / 1.5) * np.cos(2 * np.pi * 0.31 * since) * np.array([0.6, 1.0, 0.8])
    signal += (each == 3) * burst
    signal += rng.normal(scale=0.25, size=signal.shape)
    order = rng.permutation(count)
    x = np.clip(signal[order], -4, np.nextafter(np.float32(4), np.float32(0))).astype(np.float32)
    return x.reshape(count, GROUPS, GROUP, 3), label[order].astype(np.int64)
