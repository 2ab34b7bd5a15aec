"""``npde verify`` of a board that does not compute what golden says: the place, both integers, and a waveform."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from npde import golden
from npde.cli.main import app
from npde.model import Weights
from npde.program import MOORE, Grid, Program, Q, Stencil
from npde_sim import verify
from npde_sim.bench import draw

PROGRAM = Program(
    name="small", input=Grid(4, 4, 1, Q(8, 4)),
    steps=(Stencil(out_channels=2, taps=MOORE, weight=Q(4, 3), bias=Q(10, 6), out=Q(8, 3), boundary="dirichlet"),),
)  # fmt: skip


@pytest.fixture
def model(tmp_path):
    made = draw.model(PROGRAM, np.random.default_rng(3))
    made.save(tmp_path / "small.npde")
    return made


@pytest.fixture
def falsified(model, monkeypatch):
    """Golden of another model than the one on the board: one weight is another."""
    kernel = model.weights[0].kernel.copy()
    kernel[1, 0, 4] = -kernel[1, 0, 4] if kernel[1, 0, 4] else 1
    other = replace(model, weights={0: Weights(kernel, model.weights[0].bias)})
    monkeypatch.setattr(verify, "golden", SimpleNamespace(run=lambda _, fields: golden.run(other, fields), Answer=golden.Answer))
    return other


def run(tmp_path, *words):
    return CliRunner().invoke(app, ["verify", str(tmp_path / "small.npde"), "--count", "3", "--waveform", str(tmp_path / "w.vcd"), *words])


def test_a_board_that_agrees_leaves_no_waveform(model, tmp_path):
    told = run(tmp_path, "--json")
    assert told.exit_code == 0, told.output
    assert not (tmp_path / "w.vcd").exists()


def test_a_falsified_weight_is_named_by_cell_and_integers_and_leaves_a_waveform(model, falsified, tmp_path):
    told = run(tmp_path)
    assert told.exit_code == 1

    fields = model.quantise_input(verify.samples_for(model, None, 3, 0))
    on_the_board, wanted = golden.run(model, fields).output, golden.run(falsified, fields).output
    frame, y, x, channel = where = tuple(int(i) for i in np.argwhere(on_the_board != wanted)[0])
    assert channel == 1
    sentence = f"frame {frame}, cell ({y}, {x}), channel 1: golden gives {wanted[where]}, the board {on_the_board[where]}"
    said = " ".join(told.output.split())
    assert sentence in said
    assert re.search(r"w\.vcd has the waveform of that frame alone", said)

    waveform = (tmp_path / "w.vcd").read_text()
    assert waveform.startswith("$version")
    assert " rx " in waveform
    assert " tx " in waveform
    assert waveform.count("\n#") > 10_000, "fewer half cycles than the frame's bits on the wire take"
