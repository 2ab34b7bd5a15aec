"""The benchmarks still run: golden's beside its two slower twins on a few frames, the others as far as their imports."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


def loaded(path: Path):
    spec = importlib.util.spec_from_file_location(f"benchmark_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def beside_each_other(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for path in FOLDER.glob("*.py"):
        sys.modules.pop(path.stem, None)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_a_benchmark_finds_what_it_measures(path):
    assert loaded(path)


def test_goldens_benchmark_runs_and_its_twins_agree(capsys):
    loaded(FOLDER / "golden.py").main("", "60")
    said = capsys.readouterr().out
    assert "60 frames in" in said
    assert "both equal" in said
