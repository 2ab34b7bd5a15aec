"""Pictures of a synergetic system: every column is drawn, and what a curve's legend says is the area under it."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from PIL import Image

from npde.report.synergy import anomalies, denoising, draw_images, draw_roc


def test_columns_say_what_is_wrong_with_what_comes_back():
    clean, noisy, generated = (np.full((2, 4, 4), value) for value in (-1.0, 0.0, 1.0))
    cleaned, strange = denoising(clean, noisy, generated), anomalies(noisy, generated)
    assert [column.title for column in cleaned] == ["image", "noisy", "A(B(noisy))", "less the image"]
    assert [column.signed for column in cleaned] == [False, False, False, True]
    assert np.all(cleaned[-1].images == 2)
    assert np.all(strange[-1].images == 1)


def test_the_picture_has_the_images_greys_and_the_differences_colours(tmp_path):
    images = np.linspace(-1, 1, 32).reshape(2, 4, 4)
    draw_images(denoising(images, images, -images), tmp_path / "new" / "images.png", title="t")
    colours = {tuple(pixel) for pixel in np.asarray(Image.open(tmp_path / "new" / "images.png").convert("RGB")).reshape(-1, 3)}
    for name, value in (("gray", 0.0), ("gray", 1.0), ("RdBu_r", 0.0), ("RdBu_r", 1.0)):
        assert tuple(round(255 * c) for c in matplotlib.colormaps[name](value)[:3]) in colours


def test_a_curves_legend_has_its_area(tmp_path, monkeypatch):
    from matplotlib import pyplot

    kept = []
    monkeypatch.setattr(pyplot, "close", kept.append)
    strange = np.array([False, False, False, True, True])
    draw_roc({"good": np.arange(5.0), "half": np.zeros(5), "one wrong": np.array([0, 1, 3, 2, 4.0])}, strange, tmp_path / "roc.png")
    (figure,) = kept
    told = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert told == ["good: 1.000", "half: 0.500", "one wrong: 0.833"]
    curve = figure.axes[0].get_lines()[2].get_xydata()
    assert np.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(5 / 6)
    assert (tmp_path / "roc.png").stat().st_size > 1000
