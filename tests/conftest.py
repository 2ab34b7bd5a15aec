"""A test run that was started in the background is interrupted like any other."""

from __future__ import annotations

import signal

# A shell that starts the tests in the background has them ignore interrupts, and with them every program they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
