"""``npde serve`` as a process: it says where it is, answers, and ends cleanly when it is told to."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from npde import golden
from npde.data import load_data
from npde.models import load_model

SESSION = Path(__file__).parents[1] / "link/digits.jsonl"


@contextmanager
def serving(*words: str):
    """The process, once it said where it is, and its address."""
    command = [sys.executable, "-m", "npde", "serve", "--http-port", "0", "--json", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield process, json.loads(line)["url"]
        finally:
            process.kill()


def ask(url: str, body=None, **headers: str):
    """Status and JSON of a reply."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"} | headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def ended(process: subprocess.Popen, how: signal.Signals) -> str:
    """Tell it to end; what it said on standard error. Nothing more may be on standard output."""
    process.send_signal(how)
    rest, complaints = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, "")
    assert "Traceback" not in complaints
    return complaints


def test_a_virtual_board_behind_http_answers_as_golden_does_and_ends_with_the_service():
    model, samples = load_model("digits"), load_data("digits").test_x[:12]
    with serving("--port", "virtual:icebreaker") as (process, url):
        simulators = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert [board["name"] for board in ask(url + "model")[1]["board"]] == ["icebreaker"]
        status, answer = ask(url + "infer", {"samples": samples.tolist()})
        wanted = golden.run(model, model.quantise_input(samples))
        assert (status, answer["labels"]) == (200, wanted.label.tolist())
        assert answer["outputs"] == wanted.output.reshape(12, 10).tolist()
        assert ask(url + "steps", {"samples": samples[:1].tolist()})[1]["equal"] is True
        assert ended(process, signal.SIGTERM) == ""
        assert len(simulators) == 1
        assert not [each for each in simulators if Path(f"/proc/{each}").exists()], (
            "the simulator must not outlive the service"
        )


def test_a_host_is_served_with_a_warning_and_under_any_name_and_a_lost_board_is_503():
    """The board is a recorded session, which ends at the first sample that is not its own."""
    with serving("--port", f"replay:{SESSION}", "--host", "127.0.0.1", "--reconnect", "0") as (process, url):
        assert ask(url + "model", Host="board.example")[0] == 200
        status, told = ask(url + "infer", {"samples": [[0] * 64]})
        assert (status, list(told)) == (503, ["error"])
        assert re.match("no board answers: .*recording|no board answers: .*exchange", told["error"])
        complaints = ended(process, signal.SIGINT)
    assert (
        complaints.strip()
        == "npde: with --host 127.0.0.1 whoever reaches that address can use the board, "
        "under any name and without a password"
    )


def test_by_default_only_its_own_name_is_served():
    with serving("--port", f"replay:{SESSION}") as (process, url):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
        assert ask(url + "model", Host="board.example")[0] == 421
        assert ended(process, signal.SIGINT) == ""


def test_an_address_that_is_taken_is_told_before_a_board_is_opened(npde):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = npde("serve", "--http-port", port, "--port", "/dev/no-such-port")
    assert (done.code, done.complaint()) == (
        2,
        f"npde: nothing can be served at 127.0.0.1 port {port}: Address already in use; choose another",
    )


@pytest.mark.parametrize(("words", "code", "says"), [
    (["--port", "/dev/no-such-port"], 6, "serial port /dev/no-such-port does not exist"),
    (["--port", f"replay:{SESSION}", "--model", "cnn"], 6, "does not fit the bitstream"),
    (["--model", "nowhere"], 2, "no model file at nowhere"),
    (["--http-port", "70000"], 2, "'--http-port'"),
    (["--reconnect", "-1"], 2, "'--reconnect'"),
])  # fmt: skip
def test_what_cannot_be_served_is_one_sentence(npde, words, code, says):
    done = npde("serve", *([] if "--http-port" in words else ["--http-port", "0"]), *words)
    assert says in done.complaint()
    assert done.code == code
