"""What carries bytes to a board and back: a serial port, or whatever stands in for one."""

from __future__ import annotations

import array
import os
import sys
import time
from typing import Protocol

import serial

from npde.errors import LinkError

WRITE_PATIENCE = 5.0
"""Seconds a port may take no bytes before it is given up."""


TCGETS2, OUTPUT_SPEED = 0x802C542A, 10
"""Linux's question for a line's settings, and which number of the answer (a ``termios2``) is the rate."""


class Pipe(Protocol):
    """A byte pipe; every failure is a :class:`LinkError` of one sentence that names it."""

    def read(self, patience: float) -> bytes:
        """What has arrived, at least a byte unless ``patience`` seconds pass without one."""

    def write(self, wire: bytes) -> None:
        """Send all of ``wire``."""

    def now(self) -> float:
        """Seconds on the clock that ``patience`` is measured by; a simulated line has its own."""

    def rate(self, baud: int) -> int:
        """Change the bit rate; returns the one the port has then, perhaps another."""

    def close(self) -> None:
        """Give it back; more than once does no harm."""


class SerialPipe:
    """A serial port, held for this process alone. Raises :class:`LinkError` when it is absent, busy or no port."""

    def __init__(self, port: str, baud: int):
        self.port = port
        try:
            self._serial = serial.Serial(port, baud, timeout=0.02, write_timeout=WRITE_PATIENCE, exclusive=True)
        except (serial.SerialException, OSError, ValueError, OverflowError) as error:
            reason = "is in use by another program" if "exclusively lock" in str(error) else f"cannot be opened ({error})"
            raise LinkError(f"serial port {port} {reason if os.path.exists(port) else 'does not exist'}") from error

    def read(self, patience: float) -> bytes:
        try:
            self._serial.timeout = patience
            return self._serial.read(max(1, self._serial.in_waiting))
        except (serial.SerialException, OSError, TypeError) as error:
            raise LinkError(f"the board on {self.port} went away while it was listened to: {error}") from error

    def write(self, wire: bytes) -> None:
        try:
            self._serial.write(wire)
        except serial.SerialTimeoutException as error:
            raise LinkError(f"the port {self.port} takes no more bytes; does anything listen there?") from error
        except (serial.SerialException, OSError) as error:
            raise LinkError(f"the board on {self.port} went away while it was written to: {error}") from error

    def now(self) -> float:
        return time.monotonic()

    def rate(self, baud: int) -> int:
        try:
            self._serial.flush()
            self._serial.baudrate = baud
            return self._rate_now()
        except (serial.SerialException, OSError, ValueError, OverflowError):
            return 0

    def _rate_now(self) -> int:
        """A driver that cannot make a rate sets another, and says so here alone."""
        if sys.platform != "linux":
            return self._serial.baudrate
        import fcntl

        line = array.array("i", [0] * 64)
        fcntl.ioctl(self._serial.fileno(), TCGETS2, line)
        return line[OUTPUT_SPEED]

    def close(self) -> None:
        self._serial.close()
