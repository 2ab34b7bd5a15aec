"""What travels between a test and its simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

JOB = "NPDE_BENCH_JOB"
"""Environment variable with the path of the pickled :class:`Job`; outcomes are written beside it."""


@dataclass(frozen=True)
class Case:
    """One run of a scenario: everything random in it follows from ``seed``."""

    seed: int
    pace: str = "random"

    def __str__(self) -> str:
        return f"seed {self.seed}, pace {self.pace}"


@dataclass(frozen=True)
class Job:
    """The cases to run, and the scenario by the name it has in its file."""

    module: str
    file: str
    scenario: str
    arguments: Mapping[str, Any]
    cases: Sequence[Case]


@dataclass
class Outcome:
    """``result`` is what the scenario returned, ``mismatch`` or ``error`` why it did not."""

    case: Case
    result: Any = None
    mismatch: str = ""
    error: str = ""
