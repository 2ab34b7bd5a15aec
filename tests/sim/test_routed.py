"""Ports of boards made from what place-and-route left."""

from __future__ import annotations

import shutil

import pytest

from npde.errors import BuildError, FitError
from npde.link.port import of_model, resolve
from npde_sim import routed


def test_a_model_is_put_into_a_port_only_where_no_file_is():
    assert of_model("bits:hx8k", "cnn") == "bits:hx8k:cnn"
    assert of_model("gates:icebreaker:rnn", "cnn") == "gates:icebreaker:rnn"
    assert of_model("bits:build/npde.bin", "cnn") == "bits:build/npde.bin"
    assert of_model("gates:hx8k:build/routed.json", "cnn") == "gates:hx8k:build/routed.json"


def test_a_file_whose_board_nobody_names(tiny):
    for kind, name in (("bits", "npde.bin"), ("gates", "routed.json")):
        file = tiny.folder / name
        with pytest.raises(BuildError, match=f"no report beside {file} says which board it is for; name it: {kind}:BOARD:{file}"):
            resolve(f"{kind}:{file}")
        with pytest.raises(BuildError, match="there is no file"):
            resolve(f"{kind}:{file.with_name('other' + file.suffix)}")


def test_the_report_beside_a_file_names_its_board(tiny, tmp_path):
    file = shutil.copy(tiny.folder / "npde.bin", tmp_path)
    (tmp_path / "report.json").write_text('{"board": "icebreaker"}')
    with pytest.raises(BuildError, match="is for the iCE40 device 8k; icebreaker has 5k"):
        resolve(f"bits:{file}")
    (tmp_path / "report.json").write_text("no report")
    with pytest.raises(BuildError, match="no report beside"):
        resolve(f"bits:{file}")


def test_what_cannot_be_decompiled_is_refused_before_it_is_built(monkeypatch):
    monkeypatch.setattr(routed, "build", lambda *_: pytest.fail("place-and-route began"))
    with pytest.raises(BuildError, match="decompiled for iCE40 boards alone; ulx3s-25f has an ECP5"):
        resolve("bits:ulx3s-25f")
    with pytest.raises(FitError, match="unknown board 'hx9k'"):
        resolve("gates:hx9k")


def test_a_build_is_kept_and_found_again(monkeypatch, tmp_path):
    from npde.models import load_model

    built = []

    def build(plan, folder):
        built.append(plan.board)
        folder.mkdir()
        (folder / "report.json").write_text("{}")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(routed, "build", build)
    program = load_model("digits").program
    first, second = routed.routed(program, "hx8k"), routed.routed(program, "hx8k")
    assert first == second
    assert built == ["hx8k"]
    assert routed.routed(program, "icebreaker") != first
