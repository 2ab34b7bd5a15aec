"""``npde gallery``: one equation on a virtual board, its page and its counts, and what a mismatch or a small board does to them."""

from __future__ import annotations

import pytest

from npde.cli import gallery
from npde.equation.catalogue import CATALOGUE


def test_an_equation_runs_and_an_equation_too_large_is_named(npde_here, tmp_path):
    ended = npde_here(
        "gallery", "--board", "icebreaker", "--only", "heat", "--only", "gray-scott", "--steps", 6, "-o", tmp_path, "--json"
    )
    assert ended.code == 0
    told = ended.json
    (row,) = told["rows"]
    assert (told["equations"], told["do_not_fit"], told["mismatches"]) == (1, ["gray-scott"], 0)
    assert told["integers_compared"] == row["integers_compared"] == gallery.SNAPSHOTS * 32 * 32
    assert (row["equation"], row["steps"], row["copies"]) == ("heat", 6, 1)
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
        (["--only", "nope"], 2, "there is no ready equation 'nope'"),
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
    assert "none of the chosen equations fits icebreaker" in ended.err
    assert "0 of 1 equations ran" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_every_ready_equation_has_its_number_of_steps():
    assert set(gallery.STEPS) == set(CATALOGUE)
