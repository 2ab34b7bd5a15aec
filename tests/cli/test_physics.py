"""``npde derive`` and ``npde simulate`` as a user calls them, and one sentence for each wrong call."""

from __future__ import annotations

import numpy as np
import pytest

from npde.equation.catalogue import CATALOGUE
from npde.model import Model

PICTURE = b"\x89PNG"


def test_a_ready_equation_becomes_a_model_a_picture_an_animation_and_fields(npde_here, tmp_path):
    model = tmp_path / "gs.npde"
    told = npde_here(
        "derive",
        "gray-scott",
        "-o",
        model,
        "--grid",
        "24x32",
        "--set",
        "F=0.03",
        "--set",
        "laplacian=laplace9",
        "--json",
    ).json
    assert told["multipliers_per_cell"] == 10
    assert told["order_in_space"] == "O(h^2)"
    assert told["hash"] == Model.load(model).content_hash.hex()
    for name in ("strip.png", "movie.gif", "fields.npz"):
        ended = npde_here("simulate", model, tmp_path / name, "--steps", 20, "--json")
        assert ended.code == 0
        assert ended.json["steps"] == 20
    assert (tmp_path / "strip.png").read_bytes()[:4] == PICTURE
    assert (tmp_path / "movie.gif").read_bytes()[:3] == b"GIF"
    kept = np.load(tmp_path / "fields.npz")
    assert kept["fields"].shape == (6, 24, 32, 2)
    assert kept["times"].tolist() == [0, 4, 8, 12, 16, 20]


def test_an_equation_of_ones_own_with_a_map_runs_from_a_file(npde_here, tmp_path):
    np.save(tmp_path / "K.npy", np.linspace(0.1, 1, 24)[None, :])
    np.save(tmp_path / "start.npy", np.sin(np.linspace(0, 3, 24))[None, :, None])
    model = tmp_path / "own.npde"
    ended = npde_here(
        "derive", "u_t = div(K*grad(u)) - c*u", "-o", model, "--grid", "24", "--dt", 0.2, "--set", "c=0.1", "--map", f"K={tmp_path / 'K.npy'}",
        "--boundary", "neumann", "--json",
    )  # fmt: skip
    assert ended.json["maps"] == "K"
    assert (
        npde_here(
            "simulate", model, tmp_path / "own.png", "--steps", 50, "--initial", tmp_path / "start.npy", "--json"
        ).json["u_to"]
        < 1
    )
    complaint = npde_here("simulate", model, tmp_path / "own.png").complaint()
    assert "give --initial FILE.npy" in complaint


def test_the_list_names_every_ready_equation(npde_here):
    assert set(npde_here("derive", "list", "--json").json) == set(CATALOGUE)


def test_the_summary_of_a_leapfrog_says_what_it_costs_to_a_reader(npde_here):
    out = npde_here("derive", "paraxial").out
    assert "largest stable dt" in out
    assert "leapfrog" in out


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["derive", "nope"], 2, "there is no ready equation 'nope'; there are heat,"),
        (["derive", "u_t = laplace(u)"], 2, "needs --dt"),
        (["derive", "u_t = laplace(u)", "--dt", "1"], 2, "the largest stable step is 0.25"),
        (["derive", "u_t = laplace(w)", "--dt", "0.1"], 2, "no field, map or constant 'w'"),
        (["derive", "gray-scott", "--set", "Q=1"], 2, "gray-scott has no parameter 'Q'"),
        (["derive", "gray-scott", "--set", "F"], 2, "--set takes NAME=VALUE"),
        (["derive", "gray-scott", "--set", "F=1e"], 2, "F is a number"),
        (["derive", "heat", "--grid", "4by4"], 2, "a grid is written HEIGHTxWIDTH"),
        (["derive", "heat", "--boundary", "robin"], 2, "periodic, dirichlet or neumann"),
        (["derive", "u_t = K*u", "--dt", "1", "--map", "K=none.npy"], 3, "none.npy cannot be read"),
        (["simulate", "none.npde", "out.png"], 2, "none.npde"),
    ],
)
def test_every_wrong_call_has_its_sentence(npde_here, tmp_path, monkeypatch, words, code, sentence):
    monkeypatch.chdir(tmp_path)
    ended = npde_here(*words)
    assert ended.code == code
    assert sentence in ended.complaint()


def test_a_start_of_another_shape_and_a_model_that_is_no_evolution_are_refused(npde_here, tmp_path):
    np.save(tmp_path / "start.npy", np.zeros((3, 3)))
    npde_here("derive", "heat", "-o", tmp_path / "heat.npde", "--json")
    assert (
        "has shape (3, 3), not (64, 64, 1)"
        in npde_here(
            "simulate", tmp_path / "heat.npde", tmp_path / "a.png", "--initial", tmp_path / "start.npy"
        ).complaint()
    )
