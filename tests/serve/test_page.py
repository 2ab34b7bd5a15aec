"""The page in a browser: a stroke becomes an answer and golden's fields. ``apt-get install chromium`` has it run."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from npde import golden
from npde.models import load_model

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_spec = importlib.util.spec_from_file_location("browser", Path(__file__).parent / "browser.py")
assert _spec is not None
assert _spec.loader is not None
browser = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(browser)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="no chromium on this machine")]


@pytest.fixture
def page(tmp_path):
    opened = browser.Browser(PROGRAM, str(tmp_path))
    yield opened
    opened.close()


def visit(page, running) -> list[float]:
    """Open the page; the canvas's left, top, width and height in it."""
    page.ask("Page.navigate", url=running.server.url)
    page.wait("document.readyState === 'complete' && document.getElementById('name').textContent !== 'npde'")
    return page.value(
        "(() => { const box = drawing.getBoundingClientRect(); return [box.left, box.top, box.width, box.height] })()"
    )


def line(box, start, end, pieces: int = 6):
    left, top, width, height = box
    places = np.linspace(start, end, pieces)
    return [(left + x * width, top + y * height) for x, y in places]


def answered(page) -> None:
    """Wait for the answer to all that was drawn."""
    page.wait("!asking && shown === drawn")


def test_a_stroke_becomes_golden_s_label_and_its_fields(page, service):
    model = load_model("digits")
    running = service(model)
    box = visit(page, running)
    page.stroke(line(box, (0.5, 0.15), (0.5, 0.85)))
    answered(page)
    sample = np.array(page.value("sample()"))
    assert (sample.shape, sample.min()) == ((8, 8), 0)
    assert sample[:, 3:5].sum() == sample.sum() > 8 * 16, "fitted, the stroke fills the two columns of the middle"
    wanted = golden.run(model, model.quantise_input(sample[None]))
    assert page.value("at('label').textContent") == str(wanted.label[0]) == "1"
    bars = page.value("[...document.querySelectorAll('.row')].map((row) => row.textContent)")
    reals = model.program.output.q.real(wanted.output.ravel())
    assert bars == [f"{k}{value:.3f}" for k, value in enumerate(reals)]
    assert page.value("at('golden').textContent") == "golden's answer equals the board's"
    steps = len(golden.trace(model, model.quantise_input(sample[None])))
    assert page.value("document.querySelectorAll('figure canvas').length") == steps - 1
    assert page.value("document.querySelector('figure canvas').width") == 8

    running.standins[0].wrong = True
    page.stroke(line(box, (0.2, 0.5), (0.8, 0.5)))
    answered(page)
    assert "the board is wrong" in page.value("at('golden').textContent")
    page.value("at('clear').click()")
    assert page.value("document.querySelectorAll('figure, .row').length") == 0

    asked = {
        event["params"]["request"]["url"] for event in page.events if event["method"] == "Network.requestWillBeSent"
    }
    assert {url for url in asked if not url.startswith("data:")} == {
        running.server.url + path for path in ("", "model", "steps")
    }
    assert [event for event in page.events if event["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")] == []


def test_unfitted_ink_lies_in_the_cells_it_was_drawn_in(page, service):
    box = visit(page, service(load_model("fashion")))
    page.value("at('fit').click()")
    page.stroke(line(box, (0.25, 0.1), (0.25, 0.9)))
    answered(page)
    sample = np.array(page.value("sample()"))
    assert (sample.shape, sample.max()) == ((28, 28), 256)
    rows, columns = np.nonzero(sample)
    assert set(columns) <= set(range(5, 9)), "a nib of a tenth around a quarter of 28 cells"
    assert (rows.min(), rows.max()) == (1, 26)


def test_a_lost_board_is_told_on_the_page(page, service):
    running = service(load_model("digits"))
    box = visit(page, running)
    running.standins[0].plugged = False
    page.stroke(line(box, (0.5, 0.15), (0.5, 0.85)))
    assert "no board answers" in page.wait("at('trouble').textContent")


def test_fields_that_cannot_be_drawn_say_so(page, service, coloured):
    visit(page, service(coloured))
    assert "3 channels, which cannot be drawn here" in page.wait("at('trouble').textContent")
