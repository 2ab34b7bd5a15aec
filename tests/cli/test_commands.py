"""What each command says when all goes well: a result on standard output, JSON on request, progress elsewhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from npde import __version__, golden
from npde.data import load_data
from npde.model import Model
from npde.models import load_model
from npde.training.recipe import RECIPES

COMMANDS = ["train", "quantise", "synergy", "plan", "verify", "build", "flash", "load", "serve-virtual", "serve", "infer", "bench", "info", "doctor", "demo", "derive", "simulate", "gallery", "export", "version"]


def test_every_command_is_listed_and_explains_itself():
    """One process for all of them: each costs a third of a second to start."""
    from typer.testing import CliRunner

    from npde.cli.main import app

    listing = CliRunner().invoke(app, ["--help"])
    assert listing.exit_code == 0
    for command in COMMANDS:
        assert command in listing.output
        for word in ("--help", "-h"):
            told = CliRunner().invoke(app, [command, word])
            assert told.exit_code == 0
            assert "Usage" in told.output
    assert sorted(COMMANDS) == sorted(c.name or c.callback.__name__.replace("_", "-") for c in app.registered_commands)


def test_the_module_is_the_command(npde):
    assert npde("version").out.strip() == __version__
    assert npde("--help").code == 0


def test_plan_reports_folding_and_cost(npde):
    told = npde("plan", "digits", "--json").json
    assert told["board"] == "icebreaker"
    assert 0 < told["utilisation"] <= 1
    assert told["frames_per_second"] == pytest.approx(told["clock"] / told["initiation_interval"], abs=0.01)
    assert max(step["cycles"] for step in told["steps"]) <= told["initiation_interval"]
    assert set(told["resources"]) == {"logic cells", "multiplier blocks", "block RAMs", "single-port RAMs"}
    table = npde("plan", "digits")
    assert (table.code, table.err) == (0, "")
    assert "initiation interval" in table.out


def test_plan_pareto_lists_and_draws_every_folding_worth_having(npde, tmp_path):
    picture = tmp_path / "p.png"
    told = npde("plan", "digits", "--pareto", "--picture", picture, "--json").json
    rates = [row["frames per second"] for row in told["foldings"]]
    assert rates == sorted(rates, reverse=True)
    assert len(rates) > 2
    assert told["picture"] == str(picture)
    assert picture.stat().st_size > 5000
    assert "frames per second against each resource" in npde("plan", "digits", "--pareto", "--picture", picture).out.replace("\n", " ")



def test_info_describes_a_model_and_lists_what_there_is(npde):
    told, model = npde("info", "--model", "digits", "--json").json, load_model("digits")
    assert (told["hash"], told["shape"]) == (model.content_hash.hex(), model.program.shape_hash.hex())
    assert told["weights"] == model.program.weight_count
    listed = npde("info", "--json").json
    assert listed["models"].startswith("digits, fashion, ")
    assert "helmholtz" in listed["models"]
    assert "icebreaker" in listed["boards"]


def test_train_lists_its_recipes(npde):
    told = npde("train", "--recipe", "list", "--json").json
    assert list(told) == list(RECIPES)
    assert told["helmholtz"] == "for digits@16x16"
    assert "helmholtz" in npde("train", "--recipe", "list").out


def test_quantise_by_rounding_is_what_golden_then_computes(npde, trained, tmp_path):
    told = npde("quantise", trained, tmp_path / "m.npde", "--round-only", "--json").json
    model = Model.load(tmp_path / "m.npde")
    assert told["hash"] == model.content_hash.hex()
    data = load_data("digits")
    answer = golden.run(model, model.quantise_input(data.test_x))
    assert np.mean(answer.label == data.test_y) > 0.3
    assert os.listdir(tmp_path) == ["m.npde"]


def test_infer_gives_golden_s_labels_and_writes_them(npde, tmp_path):
    told = npde("infer", "digits", "--count", 5, "--output", tmp_path / "a.npz", "--json")
    assert (told.code, told.json["samples"], told.json["mismatches"]) == (0, 5, 0)
    model, data = load_model("digits"), load_data("digits")
    wanted = golden.run(model, model.quantise_input(data.test_x[:5]))
    assert told.json["labels"] == wanted.label.tolist()
    assert told.json["accuracy"] == np.mean(wanted.label == data.test_y[:5])
    with np.load(tmp_path / "a.npz") as kept:
        assert np.array_equal(kept["output"], wanted.output)
        assert np.array_equal(kept["label"], wanted.label)
    assert os.listdir(tmp_path) == ["a.npz"]


def test_verify_compares_every_integer(npde):
    told = npde("verify", "digits", "--count", 2, "--json")
    assert (told.code, told.json["frames"], told.json["output_integers_compared"], told.json["mismatches"]) == (0, 2, 20, 0)


def test_bench_gives_both_rates_and_their_ratio(npde):
    told = npde("bench", "digits", "--count", 3, "--json").json
    assert told["samples"] == 3
    assert told["ratio"] == pytest.approx(told["frames_per_second_over_the_wire"] / told["frames_per_second_by_golden_here"])


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_served_board_answers_on_its_path_and_ends_when_it_is_told_to(npde, end):
    command = [sys.executable, "-m", "npde", "serve-virtual", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            told = json.loads(server.stdout.readline())
            if end == signal.SIGTERM:
                assert npde("infer", "digits", "--port", told["port"], "--baud", told["baud"], "--count", 2, "--json").json["mismatches"] == 0
                said = npde("info", "--port", told["port"], "--json").json
                assert (said["baud"], said["baud_now"]) == (3_000_000, 6_000_000), "auto is the default"
                assert (said["board"], said["model"]) == ("icebreaker", load_model("digits").content_hash.hex())
            server.send_signal(end)
            rest, complaints = server.communicate(timeout=30)
        finally:
            server.kill()
    assert server.returncode == 0
    assert rest == "", "with --json nothing but the JSON belongs on standard output"
    assert "Traceback" not in complaints
    assert not os.path.exists(told["port"]), "the simulator must not outlive the command"
