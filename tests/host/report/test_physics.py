"""The ready equations' default widths keep their stated bounds; pictures are of what they say."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from npde.equation.catalogue import CATALOGUE, find, ready, start
from npde.errors import FileError, ProgramError
from npde.report.field import draw_animation, draw_strip, panels, snapshots
from npde.report.widths import Error, draw_widths, markdown, width_study

BOUND = {"gray-scott": 0.02, "fisher-kpp": 0.1}
"""The largest error relative to the field's span after the entry's steps; 1 % where none is named. See docs/equations.md."""


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_ready_equation_is_stable_and_its_step_leaves_room(name):
    equation = ready(name)
    assert equation.dt <= equation.limit.dt
    begin = start(equation)
    assert begin.shape[1:] == equation.model.program.input.shape
    assert np.abs(equation.reference.run(begin, 20)).max() < 3


@pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if entry.steps <= 400])
def test_the_default_width_keeps_the_stated_bound(name):
    study = width_study(name, [find(name).width])
    assert study[find(name).width].largest < BOUND.get(name, 0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE)
def test_the_default_width_keeps_the_stated_bound_and_half_the_width_does_not(name):
    width = find(name).width
    study = width_study(name, [8, width])
    assert study[width].largest < BOUND.get(name, 0.01)
    assert study[8].largest > 10 * study[width].largest


def test_the_table_marks_the_default_width_and_the_plot_is_written(tmp_path):
    study = {"heat": {8: Error(0.1, 0.2), find("heat").width: Error(0.001, 0.002)}}
    assert "| heat | 200 | 10 / 20 | – | – | – | – | – | – | – | **0.1 / 0.2** | – | – |" in markdown(study)
    draw_widths(study, tmp_path / "widths.png")
    assert Image.open(tmp_path / "widths.png").size[0] > 500


def test_snapshots_are_goldens_fields_at_the_times_they_say(tmp_path):
    equation = ready("schroedinger", (16, 24))
    state = start(equation)[0]
    times, frames = snapshots(equation.model, state, 10, 3)
    assert times == [0, 5, 10]
    assert np.abs(frames - np.stack([equation.reference.run(state, t) for t in times])).max() < 5e-3
    assert [name for name, _ in panels(frames, equation.fields)] == ["re² + im²", "re"]
    draw_strip(times, frames, tmp_path / "strip.png", fields=equation.fields, potential=np.eye(16, 24))
    draw_animation(frames, tmp_path / "movie.gif", fields=equation.fields, scale=2)
    movie = Image.open(tmp_path / "movie.gif")
    assert (movie.size, movie.n_frames) == ((48, 32), 3)
    with pytest.raises(FileError, match="an animation is one of"):
        draw_animation(frames, tmp_path / "movie.bmp", fields=equation.fields)


def test_a_row_of_cells_is_drawn_as_curves_and_planes_are_counted_from_the_first(tmp_path):
    planes = np.arange(6.0).reshape(6, 1, 1) * np.ones((1, 1, 16)) * 0.01
    equation = ready("paraxial", (1, 16), index=planes, planes=True, times=6)
    times, frames = snapshots(equation.model, start(equation)[0], 6, 4)
    assert np.abs(frames[-1] - equation.reference.run(start(equation)[0], 6)).max() < 1e-3
    draw_strip(times, frames, tmp_path / "row.png", fields=equation.fields)


def test_a_name_or_parameter_that_is_not_there_is_refused():
    with pytest.raises(ProgramError, match="there is no ready equation 'waves'"):
        find("waves")
    with pytest.raises(ProgramError, match="heat has no parameter 'speed'"):
        ready("heat", speed=1)
