"""The command as a user starts it: another process, its two streams apart."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from npde.models import load_model


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one JSON object on standard output, which holds nothing else."""
        return json.loads(self.out)

    def complaint(self) -> str:
        """The one sentence on standard error; nothing else may be there, nor anything on standard output."""
        assert "Traceback" not in self.err, self.err
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("npde: ")
        assert self.out == ""
        return lines[0]


def npde(*words: object, timeout: float = 120) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-m", "npde", *map(str, words)], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session", name="npde")
def npde_command():
    return npde


@pytest.fixture
def npde_here(monkeypatch, capsys):
    """The same in this process, where an exception that is no sentence fails the test: for the many short cases."""
    from npde.cli import main

    def run(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["npde", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return Outcome(ended.value.code, told.out, told.err)

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """Float parameters after one epoch on the digits."""
    path = tmp_path_factory.mktemp("trained") / "digits.float"
    done = npde("train", path, "--epochs", 1, "--json")
    assert done.code == 0, done.err
    assert done.json["weights"] == load_model("digits").program.weight_count
    assert 0 <= float(done.json["float_accuracy"]) <= 1
    assert done.err.strip() == "" or "training" in done.err
    return path
