"""Proofs as tests: each file's ``PROOFS`` become cases of its ``proof``; ``pytest tests/formal`` ends in a table."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import pytest

from npde_sim.formal import check

ROWS: list[tuple] = []


@dataclass(frozen=True)
class Row:
    name: str
    reach: str
    engine: str
    seconds: str
    proof: str
    twin: str


def pytest_generate_tests(metafunc):
    if "proof" in metafunc.fixturenames:
        proofs = metafunc.module.PROOFS
        marks = [pytest.mark.slow if proof.slow else () for proof in proofs]
        metafunc.parametrize(
            "proof", [pytest.param(p, id=p.name, marks=mark) for p, mark in zip(proofs, marks, strict=True)]
        )


@pytest.fixture
def holds(record_property):
    """Proves a proof and refutes its twin, and keeps what came of it for the table."""

    def prove(proof):
        verdict = check(proof)
        refuted = check(proof, proof.twin)
        row = Row(
            proof.name,
            proof.reach,
            proof.engine,
            f"{verdict.seconds + refuted.seconds:.1f}",
            verdict.status,
            refuted.status,
        )
        record_property("proof", astuple(row))
        assert verdict.status == "PASS", (
            f"{proof.name}: {verdict.status} {', '.join(verdict.failed)}\n{verdict.log[-3000:]}"
        )
        assert refuted.status == "FAIL", (
            f"the twin of {proof.name} ({proof.twin.why}) is not refuted: {refuted.status}\n{refuted.log[-3000:]}"
        )

    return prove


def pytest_runtest_logreport(report):
    if report.when == "call":
        ROWS.extend(value for key, value in report.user_properties if key == "proof")


def pytest_terminal_summary(terminalreporter, config):
    if not ROWS or not any("formal" in str(argument) for argument in config.args):
        return
    table = [("proof", "for", "engine", "CPU s", "proof", "twin"), *ROWS]
    widths = [max(len(str(row[at])) for row in table) for at in range(6)]
    for row in table:
        terminalreporter.write_line(
            "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
