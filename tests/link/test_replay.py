"""The HIL suite recorded on a board, and passed once more by the recording alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = Path(__file__).parents[1] / "hil" / "test_board.py"
BOARDS = [pytest.param("virtual:icebreaker", marks=pytest.mark.slow), "firmware:posix"]


def passed(*options: object) -> int:
    """How many tests of the suite pass; raises where one does not."""
    command = [sys.executable, "-m", "pytest", SUITE, "-n0", "-p", "no:cacheprovider", *map(str, options)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SUITE.parents[2], env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-500:]
    return int(re.search(r"(\d+) passed", done.stdout)[1]) if "passed" in done.stdout else done.stdout.count(".")


@pytest.mark.parametrize("board", BOARDS)
def test_the_suite_recorded_on_a_board_passes_without_it(tmp_path, board):
    recording = tmp_path / "session.jsonl"
    on_board = passed("--npde-board", board, "--npde-count", 5, "--npde-record", recording)
    lines = recording.read_text().splitlines()
    assert len(lines) > 100
    replayed = passed("--npde-board", "/dev/no-such-port", "--npde-count", 5, "--npde-replay", recording)
    assert on_board == replayed >= 8
    # And by the recording it is: one answer changed, and the suite says so.
    place = next(number for number, line in enumerate(lines) if '"PULL"' in line and '"OK"' in line)
    lines[place] = re.sub(r'("reply":"....)(..)', lambda found: found[1] + f"{int(found[2], 16) ^ 1:02x}", lines[place])
    recording.write_text("\n".join(lines) + "\n")
    with pytest.raises(AssertionError, match="failed"):
        passed("--npde-board", "/dev/no-such-port", "--npde-count", 5, "--npde-replay", recording)
