"""``npde synergy`` as a user calls it, and one sentence for each wrong call."""

from __future__ import annotations

import os
import re

import pytest

from npde.errors import DataError
from npde.model import Model
from npde.training.synergetic.system import System

PICTURE = b"\x89PNG"


def test_a_pair_is_two_models_two_pictures_and_their_figures(npde_here, tmp_path):
    told = npde_here("synergy", tmp_path / "pair", "--data", "digits", "--anomaly", 9, "--epochs", 12, "--code", 14, "--json").json
    assert sorted(os.listdir(tmp_path / "pair")) == ["A.npde", "B.npde", "images.png", "roc.png"]
    for picture in ("images.png", "roc.png"):
        assert (tmp_path / "pair" / picture).read_bytes().startswith(PICTURE)
    assert Model.load(tmp_path / "pair" / "B.npde").program.output.size == told["code"] == 14
    system = System.load(tmp_path / "pair")
    assert system.a.content_hash.hex() in told["A"]
    assert system.a.notes["data"] == "digits without 9"
    assert system.a.program.output.size == 64 + 9
    assert 0.6 < told["AUC_reconstruction_error"] <= 1
    assert told["strange"] == "class 9, 45 of 445 test images"
    assert told["PSNR_noisy"] < told["PSNR_denoised"]
    plan = npde_here("plan", tmp_path / "pair" / "A.npde", "--json").json
    assert plan["frames_per_second"] > 1000


@pytest.mark.slow
def test_two_virtual_boards_answer_as_golden_does(npde_here, tmp_path):
    told = npde_here("synergy", tmp_path, "--epochs", 2, "--board", "icebreaker", "--json").json
    assert told["integers_compared_on_two_boards"] == 20 * (16 + 74)
    assert told["mismatches"] == 0


@pytest.mark.parametrize(("words", "code", "says"), [
    ([], 2, "Missing argument '(?i:output)'"),
    (["FOLDER/pair", "--recipe", "mnist"], 7, "no synergy 'mnist'; there are digits, fashion"),
    (["FOLDER/pair", "--recipe", "fashion"], DataError.exit_code, "synergy 'fashion' takes a folder of IDX files, which --data names"),
    (["FOLDER/pair", "--data", "FOLDER/nowhere"], DataError.exit_code, "no data set at .*nowhere"),
    (["FOLDER/pair", "--anomaly", "10"], DataError.exit_code, "has the classes 0 to 9, .* 10 cannot be the anomaly"),
    (["FOLDER/pair", "--schedule", "never"], 7, "no schedule 'never'; there are joint, alternating, apart"),
    (["FOLDER/pair", "--code", "0"], 7, "a code has at least one value, not 0"),
    (["FOLDER/pair", "--epochs", "-1"], 2, "'--epochs'"),
    (["FOLDER/pair", "--board", "arty"], 4, "unknown board 'arty'; known are"),
    (["FOLDER/file"], 9, "file.* cannot be written"),
])  # fmt: skip
def test_bad_input_is_one_sentence_and_nothing_is_written(npde_here, tmp_path, words, code, says):
    (tmp_path / "file").write_text("nothing of interest")
    done = npde_here("synergy", *(word.replace("FOLDER", str(tmp_path)) for word in words))
    assert re.search(says, done.complaint())
    assert done.code == code
    assert os.listdir(tmp_path) == ["file"]
