"""Every path over a real socket: what it answers, and what it refuses with which status."""

from __future__ import annotations

import re

import numpy as np
import pytest

from npde import golden
from npde.program import Program

RAW = np.random.default_rng(2).integers(0, 17, (7, 4, 4))


def wanted(model):
    return golden.run(model, model.quantise_input(RAW))


def test_infer_gives_the_board_s_integers(service, model):
    told = service(model).ask("POST", "/infer", {"samples": RAW.tolist()})
    assert told.status == 200
    assert told.json == {"labels": wanted(model).label.tolist(), "outputs": wanted(model).output.reshape(7, 3).tolist()}


def test_without_an_argmax_there_are_no_labels_and_fields_stay_fields(service, model):
    program = Program(name="field", input=model.program.input, steps=model.program.steps[:2])
    field = type(model)(program, {index: model.weights[index] for index in (0, 1)}, model.preprocess, force=True)
    running = service(field)
    assert running.ask("POST", "/infer", {"samples": RAW.tolist()}).json == {
        "labels": None,
        "outputs": wanted(field).output.tolist(),
    }
    assert running.ask("GET", "/model").json["labels"] is None
    told = running.ask("POST", "/steps", {"samples": RAW[:1].tolist()}).json
    assert (told["equal"], len(told["fields"])) == (True, 14)


def test_model_says_what_it_takes_and_where_it_runs(service, model):
    told = service(model, boards=2).ask("GET", "/model").json
    assert (told["shape"], told["range"], told["labels"]) == ([4, 4, 1], [0, 16], [0, 1, 2])
    assert told["hash"] == model.content_hash.hex()
    assert told["output"] == {"shape": [1, 1, 3], "width": 12, "frac": 4}
    assert told["board"] == [{"name": "stand-in", "build": "0102", "clock": 1, "baud": 2}] * 2


def test_steps_are_golden_s_fields_and_say_whether_the_board_agrees(service, model):
    running = service(model)
    told = running.ask("POST", "/steps", {"samples": RAW[:1].tolist()}).json
    frames = golden.trace(model, model.quantise_input(RAW[:1]))
    # The input, the first stencil, the time steps of the second; the outputs are left to their bars.
    assert [field["title"].partition("\n")[0] for field in told["fields"]] == [
        "input",
        "K∗u",
        *(f"u+K∗u, step {k} of 12" for k in range(1, 13)),
    ]
    assert len(told["fields"]) == len(frames) - 1
    for field, frame in zip(told["fields"], frames, strict=False):
        channel = int((re.search(r"channel (\d+)", field["title"]) or [0, 0])[1])
        image = frame[0, ..., channel]
        assert np.allclose(field["values"], image / max(1, np.abs(image).max()), atol=1e-3)
    assert told["equal"] is True
    assert told["golden"] == {key: told[key] for key in ("labels", "outputs")}
    running.standins[0].wrong = True
    told = running.ask("POST", "/steps", {"samples": RAW[:1].tolist()}).json
    assert told["equal"] is False
    assert told["golden"]["outputs"] != told["outputs"]
    assert "one sample, not 7" in running.ask("POST", "/steps", {"samples": RAW.tolist()}).error(400)


def test_the_page_holds_all_it_needs(service, model):
    told = service(model).ask("GET", "/")
    assert (told.status, told.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    text = told.body.decode()
    assert "<canvas" in text
    assert (
        re.findall(
            r"""(?:https?:)?//[a-z]|@import|url\(|\bsrc=|<link(?! rel="icon" href="data:,")""",
            re.sub(r"^\s*//.*|; *//.*", "", text, flags=re.M),
        )
        == []
    )
    policy = dict(part.split(maxsplit=1) for part in told.headers["Content-Security-Policy"].split("; "))
    assert (policy["default-src"], policy["connect-src"]) == ("'none'", "'self'")


def test_head_is_get_without_the_body(service, model):
    running = service(model)
    for path in ("/", "/model"):
        head, get = running.ask("HEAD", path), running.ask("GET", path)
        assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(get.body)))


@pytest.mark.parametrize(("method", "path", "status", "says"), [
    ("GET", "/nothing", 404, "there is no '/nothing' here; there are /, /model, /health, /infer, /steps"),
    ("POST", "/../etc/passwd", 404, "there is no"),
    ("GET", "/infer", 405, "/infer takes POST, not GET"),
    ("POST", "/model", 405, "/model takes GET, HEAD, not POST"),
    ("DELETE", "/", 405, "/ takes GET, HEAD, not DELETE"),
    ("OPTIONS", "/infer", 405, "/infer takes POST, not OPTIONS"),
    ("BREW", "/", 501, "Unsupported method"),
])  # fmt: skip
def test_paths_and_methods_there_are_not(service, model, method, path, status, says):
    told = service(model).ask(method, path)
    assert says in told.error(status)
    assert ("Allow" in told.headers) == (status == 405)


def test_a_query_is_no_part_of_the_path(service, model):
    assert service(model).ask("GET", "/model?x=1").status == 200


def test_health_asks_the_board_and_a_lost_one_is_503_until_it_is_back(service, model):
    running = service(model)
    assert running.ask("GET", "/health").json == {"status": "ok"}
    running.standins[0].plugged = False
    assert "no board answers: " in running.ask("GET", "/health").error(503)
    told = running.ask("POST", "/infer", {"samples": RAW.tolist()})
    assert "no board answers: serial port x does not exist" in told.error(503)
    assert told.headers["Retry-After"] == "1"
    running.standins[0].plugged = True
    assert running.ask("POST", "/infer", {"samples": RAW.tolist()}).json["labels"] == wanted(model).label.tolist()
    assert running.ask("GET", "/health").status == 200
