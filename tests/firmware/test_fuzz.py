"""The fuzzers run, find nothing in the firmware as it is, and do find a bound that is left out; the analysers are content."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from npde.firmware.export import export
from npde.models import load_model

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("clang"), reason="needs clang, Debian's clang and libclang-rt-dev"),
]


@pytest.fixture
def fuzz(tmp_path):
    """``fuzz(harm)``: the fuzzers' end and what they said, on a copy of the firmware in which ``harm`` replaced one text by another."""

    def run(harm: tuple[str, str, str] | None = None, runs: int = 20_000):
        shutil.copytree(ROOT / "firmware", tmp_path / "firmware", dirs_exist_ok=True)
        if harm:
            file, text, instead = harm
            place = tmp_path / "firmware" / "src" / file
            assert place.read_text().count(text) == 1
            place.write_text(place.read_text().replace(text, instead))
        out = tmp_path / "out"
        subprocess.run([sys.executable, ROOT / "firmware/fuzz/seeds.py", out], check=True)
        export(load_model(str(out / "model.npde")), out / "model")
        words = [
            "make",
            "-s",
            "-C",
            tmp_path / "firmware/fuzz",
            f"OUT={out}",
            f"FOLDER={out}/model",
            f"RUNS={runs}",
            "TIME=240",
        ]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    return run


def test_nothing_is_found_in_the_firmware_as_it_is(fuzz):
    done = fuzz()
    assert done.returncode == 0, done.stderr
    assert [line.split(" executions")[0] for line in done.stdout.splitlines()] == ["load: 20000", "protocol: 20000"]


@pytest.mark.parametrize(
    "harm",
    [
        ("image_kernel.c", "npde_image_expect(image, within, NPDE_ERROR_SHAPE);", "(void)within;"),
        ("image_evolve.c", "term.coefficient < in->evolve->coefficient_count && ", ""),
        ("load.c", "    if (image.used > place->arena_bytes)", "    if (image.used > 2 * place->arena_bytes)"),
    ],
)
def test_a_bound_that_is_left_out_is_found(fuzz, harm):
    done = fuzz(harm, 2_000_000)
    assert done.returncode != 0
    assert "found something" in done.stderr


@pytest.mark.skipif(not shutil.which("cppcheck"), reason="needs cppcheck")
def test_three_analysers_say_nothing():
    done = subprocess.run(["make", "-s", "analyse"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
