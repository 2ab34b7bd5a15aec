"""``npde gallery``: an equation and a model on a virtual board, the page and its counts, and what a mismatch or a small board does to them."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from npde.cli import exhibit
from npde.data import load_data
from npde.equation.catalogue import CATALOGUE
from npde.models import NAMES, load_model
from npde.report.classifier import EQUATIONS
from npde_hdl import board as boards
from npde_hdl.plan import plan_for


def idx_folder(folder, side):
    """Ten training and two test images of nothing, in a folder as Fashion-MNIST's is."""
    folder.mkdir()
    for part, count in (("train", 10), ("t10k", 2)):
        images = struct.pack(">4I", 0x803, count, side, side) + bytes(count * side * side)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, count) + bytes(range(count)))
    return folder


def test_an_equation_runs_and_an_equation_too_large_is_named(npde_here, tmp_path):
    ended = npde_here(
        "gallery", "--board", "icebreaker", "--only", "heat", "--only", "gray-scott", "--steps", 6, "-o", tmp_path, "--json"
    )
    assert ended.code == 0
    told = ended.json
    (row,) = told["rows"]
    assert (told["equations"], told["do_not_fit"], told["mismatches"]) == (1, ["gray-scott"], 0)
    assert told["integers_compared"] == row["integers_compared"] == exhibit.SNAPSHOTS * 32 * 32
    assert (row["equation"], row["steps"], row["copies"]) == ("heat", 6, 1)
    assert row["cycles_per_step_on_the_board"] >= row["cycles_per_step"] / 2 > 0
    assert 0 < row["RMS_error"] <= row["largest_error"] < 0.001
    assert 1024 < row["cycles_per_step"] < 1100
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert told["page"] == str(tmp_path / "index.html")
    assert "1 of 2 equations ran" in page
    assert "0 mismatches" in page
    assert 'src="heat.png"' in page
    assert (tmp_path / "heat.png").read_bytes()[:4] == b"\x89PNG"
    assert "program &#x27;gray-scott&#x27; does not fit icebreaker" in page
    assert not (tmp_path / "gray-scott.png").exists()


def test_a_single_wrong_integer_is_counted_and_ends_with_1(npde_here, tmp_path, monkeypatch):
    from npde.link.board import Board

    read = Board.read_field

    def falsified(self):
        field = read(self)
        field[3, 4, 0] += 1
        return field

    monkeypatch.setattr(Board, "read_field", falsified)
    ended = npde_here("gallery", "--board", "icebreaker", "--only", "heat", "--steps", 1, "-o", tmp_path, "--json")
    assert ended.code == 1
    assert ended.json["mismatches"] == 2  # of two snapshots, steps 0 and 1
    assert '<span class="wrong">2</span> mismatches' in (tmp_path / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--only", "nope"], 2, "there is no equation or model 'nope'; equations are heat, "),
        (["--only", "heat", "--only", "nope"], 2, "models are digits, fashion, "),
        (["--only", "mlp-fashion", "--fashion", "nowhere"], 3, "no data set at nowhere"),
        (["--only", "digits", "--samples", "0"], 2, "samples"),
        (["--board", "nope"], 4, "unknown board 'nope'"),
        (["--steps", "0"], 2, "steps"),
    ],
)
def test_every_wrong_call_has_its_sentence(npde_here, tmp_path, words, code, sentence):
    ended = npde_here("gallery", "-o", tmp_path / "page", *words)
    assert (ended.code, sentence in ended.complaint()) == (code, True)
    assert not (tmp_path / "page").exists()


def test_a_board_with_room_for_none_is_an_error_and_the_page_says_why(npde_here, tmp_path):
    ended = npde_here("gallery", "--board", "icebreaker", "--only", "gray-scott", "-o", tmp_path, "--json")
    assert ended.code == 4
    assert "none of the chosen equations and models fits icebreaker" in ended.err
    assert "0 of 1 equations ran" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_every_ready_equation_has_its_number_of_steps_and_every_model_its_equation():
    assert set(exhibit.STEPS) == set(CATALOGUE)
    assert set(EQUATIONS) == set(NAMES)


def test_a_model_runs_every_integer_compared_beside_one_whose_data_is_missing(npde_here, tmp_path):
    ended = npde_here(
        "gallery", "--board", "icebreaker", "--only", "digits", "--only", "fashion", "--samples", 7, "-o", tmp_path, "--json"
    )
    assert ended.code == 0, ended.err
    told = ended.json
    (row,) = told["rows"]
    model, data = load_model("digits"), load_data("digits")
    plan = plan_for(model.program, boards.get("icebreaker"))
    assert (told["equations"], told["classifiers"], told["do_not_fit"], told["without_data"]) == (0, 1, [], ["fashion"])
    assert told["mismatches"] == row["mismatches"] == 0
    assert told["integers_compared"] == row["integers_compared"] == 7 * (10 + 1)
    assert (row["model"], row["data"], row["samples"], row["test_samples"]) == ("digits", "digits", 7, len(data.test_x))
    assert f"{row['golden_accuracy']:.4f}" == model.notes["quantised accuracy"]
    assert row["board_accuracy"] in {right / 7 for right in range(5, 8)}
    assert row["cycles_per_frame"] == plan.initiation_interval
    assert row["frames_per_second"] == pytest.approx(plan.clock / plan.initiation_interval, rel=1e-3)
    assert (row["multipliers"], row["multipliers_busy"]) == (plan.multipliers, pytest.approx(plan.utilisation, abs=1e-4))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<h1>Classifiers on a virtual icebreaker</h1>" in page
    assert "1 of 2 classifiers ran" in page
    assert 'src="digits-classifier.png"' in page
    assert "<p>fashion needs Fashion-MNIST: give --fashion FOLDER" in page
    assert not (tmp_path / "fashion-classifier.png").exists()
    with Image.open(tmp_path / "digits-classifier.png") as picture:
        assert picture.size[0] > 1000
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 50


def test_a_single_wrong_output_and_a_single_wrong_label_are_counted_and_end_with_1(npde_here, tmp_path, monkeypatch):
    from npde.link.board import Board

    infer = Board.infer

    def falsified(self, raw, *, progress=None):
        answer = infer(self, raw, progress=progress)
        answer.output[1, 0, 0, 3] -= 1
        answer.label[2] = (answer.label[2] + 1) % 10
        return answer

    monkeypatch.setattr(Board, "infer", falsified)
    ended = npde_here("gallery", "--board", "icebreaker", "--only", "digits", "--samples", 3, "-o", tmp_path)
    assert ended.code == 1
    assert "mismatches        │ 2" in ended.out
    assert '<span class="wrong">2</span> mismatches' in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_without_its_data_alone_a_model_is_a_row_of_the_page_and_a_sentence(npde_here, tmp_path):
    ended = npde_here("gallery", "--only", "rnn-fashion", "-o", tmp_path)
    assert ended.code == 3
    assert "npde: rnn-fashion needs Fashion-MNIST: give --fashion FOLDER, where its four IDX files are" in ended.err
    assert "0 of 1 classifiers ran" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_folder_given_is_what_those_models_are_shown(npde_here, tmp_path):
    # Its weights leave no room on an HX8K, which is only asked once the data is there.
    ended = npde_here("gallery", "--board", "hx8k", "--only", "fashion", "--fashion", idx_folder(tmp_path / "large", 28), "-o", tmp_path, "--json")
    assert (ended.code, ended.json["do_not_fit"], ended.json["without_data"]) == (4, ["fashion"], [])
    ended = npde_here("gallery", "--only", "fashion", "--fashion", idx_folder(tmp_path / "small", 8), "-o", tmp_path / "page")
    assert ended.code == 2
    assert "takes samples of shape (batch, 28, 28, 1), not (1, 8, 8)" in ended.complaint()
    assert not (tmp_path / "page").exists()


def test_a_name_of_both_an_equation_and_a_model_means_both(npde_here, tmp_path):
    assert set(CATALOGUE) & set(NAMES) == {"schroedinger"}
    ended = npde_here("gallery", "--board", "hx8k", "--only", "schroedinger", "-o", tmp_path, "--json")
    assert (ended.code, ended.json["do_not_fit"]) == (4, ["schroedinger", "schroedinger"])
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert '<h2 id="schroedinger">' in page
    assert '<h2 id="schroedinger-classifier">' in page
