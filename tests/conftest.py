"""A test run that was started in the background is interrupted like any other; what long tests counted stands at its end."""

from __future__ import annotations

import signal

import pytest

# A shell that starts the tests in the background has them ignore interrupts, and with them every program they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

COUNTED = "counted"


@pytest.fixture
def counted(record_property):
    """``counted(text)`` puts a line at the end of the run, whichever process the test is in."""
    return lambda text: record_property(COUNTED, text)


def pytest_terminal_summary(terminalreporter):
    reports = [report for name in ("passed", "failed") for report in terminalreporter.stats.get(name, [])]
    lines = [text for report in reports if report.when == "call" for name, text in report.user_properties if name == COUNTED]
    if lines:
        terminalreporter.section("counted")
        for line in lines:
            terminalreporter.line(line)
