"""Which board the suite in ``tests/hil`` runs on: a virtual one, or the device path of a real one."""

from __future__ import annotations

import signal


def pytest_addoption(parser):
    group = parser.getgroup("npde", "hardware in the loop")
    group.addoption("--npde-board", default="virtual:icebreaker", help="virtual:BOARD, or a serial port such as /dev/ttyUSB1")
    group.addoption("--npde-model", default="digits", help="the model its bitstream was built for")
    group.addoption("--npde-baud", default=3_000_000, type=int, help="its bit rate")
    group.addoption("--npde-count", default=30, type=int, help="test samples to infer")

# A shell that starts the tests in the background has them ignore interrupts, and with them every program they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
