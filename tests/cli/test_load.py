"""``npde load``: a program and its weights onto a board that takes programs, and one sentence from any other."""

from __future__ import annotations

import shutil

import pytest

pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")


def test_a_board_without_a_program_is_given_one(npde_here):
    told = npde_here("load", "rnn", "--port", "firmware:posix:none", "--json")
    assert told.code == 0
    assert (told.json["program"], told.json["memory_for_programs"]) == ("loaded", 98304)


def test_inference_gives_it_the_program_itself(npde_here):
    told = npde_here("infer", "mlp", "--port", "firmware:posix:none", "--count", 20, "--json")
    assert (told.code, told.json["samples"], told.json["mismatches"]) == (0, 20, 0)


def test_a_program_that_is_built_in_stays(npde_here):
    told = npde_here("load", "mlp", "--port", "firmware:posix:mlp", "--json")
    assert (told.code, told.json["program"]) == (0, "was there")
    refused = npde_here("load", "mlp", "--port", "firmware:posix:rnn")
    assert refused.code == 6
    assert "built in and takes no other at run time; 'mlp" in refused.complaint()


def test_info_says_whether_programs_are_loadable(npde_here):
    assert npde_here("info", "--port", "firmware:posix:none", "--json").json["programs"] == "loadable, 98304 bytes"
    assert npde_here("info", "--port", "firmware:posix:mlp", "--json").json["programs"] == "built in"
