"""The picture of an evolution: which fields it shows, what of each, and that the colours are in the file."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from PIL import Image

from npde import golden
from npde.data import load_data
from npde.equation.catalogue import ready, start
from npde.models import load_model
from npde.report.evolution import draw_evolution
from npde.report.panel import MOST, chosen, panels


def samples_of(model):
    return load_data(model.notes["data"]).test_x[:3]


def traced(name):
    model = load_model(name)
    return model, golden.trace(model, model.quantise_input(samples_of(model)))


@pytest.mark.parametrize(
    ("lengths", "kept"),
    [
        ([1, 1, 1], [[0], [0], [0]]),
        ([1, 1, 48, 0, 1], [[0], [0], [0, 12, 24, 35, 47], [], [0]]),
        ([1, 64], [[0], [0, 10, 21, 32, 42, 52, 63]]),
        ([1, 3, 2], [[0], [0, 1, 2], [0, 1]]),
        ([1, 41, 9], [[0], [0, 10, 20, 30, 40], [0, 8]]),
        ([1] * 15, [[0], [], [0], [], [0], [], [0], [], [0], [], [0], [], [0], [], [0]]),
        ([1, 1, 1, *[50] * 5], [[0], [], [0], *[[0, 49]] * 5]),
    ],
)
def test_the_ends_of_every_run_are_shown_and_evenly_more_where_gaps_are_widest(lengths, kept):
    assert chosen(lengths) == kept


def test_a_wave_is_shown_as_its_density_at_chosen_steps_and_pooled():
    model, frames = traced("helmholtz")
    shown = panels(model, frames)
    assert [panel.title.split("\n")[0] for panel in shown] == [
        "input", "K∗u", *(f"evolve, step {step} of 48" for step in (1, 13, 25, 36, 48)), "pool",
    ]  # fmt: skip
    assert len(shown) == MOST
    for panel, frame in zip(shown[1:7], (1, 2, 14, 26, 37, 49), strict=True):
        for values, field in zip(panel.values, frames[frame], strict=True):
            amplitude = np.abs(field[..., 0] + 1j * field[..., 1])
            assert np.allclose(values, (amplitude / amplitude.max()) ** 2)
    assert np.allclose(shown[7].values[0], frames[51][0, :, :, 0] / frames[51][0, :, :, 0].max())
    assert [panel.density for panel in shown] == [False] + [True] * 7
    # What the pool sums is indeed what the wave's last column shows, but for rounding: so its step has no column.
    assert np.abs(frames[50][..., 0] / 2**12 - ((frames[49] / 2**12) ** 2).sum(axis=3)).max() < 2**-11


def test_a_recurrent_step_is_one_image_of_its_states_row_by_row():
    model, frames = traced("rnn")
    _, states = panels(model, frames)
    assert (states.sequence, states.title) == (True, "recurrent: 48 states\nafter each of 8 rows")
    assert states.values.shape == (3, 8, 48)
    greatest = max(np.abs(frame).max() for frame in frames[1:9])
    for row in range(8):
        assert np.array_equal(states.values[:, row] * greatest, frames[1 + row].reshape(3, 48))


def test_a_sequence_of_several_values_a_row_is_shown_as_the_recurrent_step_sees_it():
    model, frames = traced("rnn-oscillations")
    image, states = panels(model, frames)
    assert image.values.shape == (3, 12, 12)
    assert np.allclose(image.values * np.abs(frames[0]).max(), frames[0].reshape(3, 12, 12))
    assert states.values.shape == (3, 12, 32)


def test_hidden_vectors_are_folded_and_the_outputs_are_no_column():
    model, frames = traced("mlp")
    image, wide, narrow = panels(model, frames)
    assert (image.values.shape, wide.values.shape, narrow.values.shape) == ((3, 8, 8), (3, 6, 8), (3, 4, 8))
    assert np.allclose(wide.values.reshape(3, 48) * frames[1].max(), frames[1].reshape(3, 48))


def test_an_evolution_alone_has_no_outputs_but_its_last_field():
    equation = ready("gray-scott", (8, 8), times=40)
    frames = golden.trace(equation.model, equation.quantise(start(equation)))
    shown = panels(equation.model, frames, channel=1)
    assert [panel.title.split("\n")[0] for panel in shown[1:]] == [f"evolve, step {k} of 40" for k in (1, 7, 14, 21, 27, 33, 40)]
    assert np.allclose(shown[-1].values * np.abs(frames[-1][..., 1]).max(), frames[-1][..., 1])
    assert not any(panel.density for panel in shown)


@pytest.mark.parametrize("name", ["digits", "mlp", "rnn", "helmholtz"])
def test_the_written_picture_has_the_colours_of_what_it_shows(name, tmp_path):
    model, frames = traced(name)
    draw_evolution(model, samples_of(model), tmp_path / "deep" / "evolution.png", labels=np.zeros(3, int))
    with Image.open(tmp_path / "deep" / "evolution.png") as picture:
        width, height = picture.size
        there = {tuple(pixel) for pixel in np.asarray(picture.convert("RGB")).reshape(-1, 3)}
    assert 500 < height < width < 2000
    for panel in panels(model, frames):
        colours = matplotlib.colormaps["magma"](np.sqrt(panel.values)) if panel.density else matplotlib.colormaps["RdBu_r"]((panel.values + 1) / 2)
        wanted = {tuple(pixel) for pixel in np.round(colours[..., :3] * 255).astype(int).reshape(-1, 3)}
        assert len(wanted) > 3
        assert len(wanted & there) > 0.8 * len(wanted), panel.title  # colour indices may round apart by one
