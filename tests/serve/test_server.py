"""HTTP itself: bodies, lengths, hosts, connections that stay, an end that answers what is under way."""

from __future__ import annotations

import json
import socket
import threading

import numpy as np
import pytest

from npde import golden
from npde.serve import server as module
from npde.serve.server import AddressError, Server

ONE = {"samples": [[0] * 16]}


def raw(running, text: bytes, *, end: bool = False) -> tuple[int, bytes]:
    """The status of what answers these bytes, and everything that came."""
    with socket.create_connection(("127.0.0.1", running.server.server_port), timeout=20) as connection:
        connection.sendall(text)
        if end:
            connection.shutdown(socket.SHUT_WR)
        got = b""
        while piece := connection.recv(1 << 16):
            got += piece
    return int(got.split()[1]), got


def head(running, *lines: str, method: str = "POST /infer") -> bytes:
    return "\r\n".join([f"{method} HTTP/1.1", f"Host: localhost:{running.server.server_port}", *lines, "", ""]).encode()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_kind_is_415(service, model, kind):
    assert "send application/json" in service(model).ask("POST", "/infer", ONE, Content_Type=kind).error(415)


def test_a_charset_does_no_harm(service, model):
    assert service(model).ask("POST", "/infer", ONE, Content_Type="application/json; charset=utf-8").status == 200


def test_a_body_over_the_limit_is_413_and_its_sender_hears_so_while_it_sends(service, model):
    running = service(model, body_bytes=200)
    assert running.ask("POST", "/infer", json.dumps(ONE).encode().ljust(200)).status == 200
    for size in (201, 3_000_000):
        told = running.ask("POST", "/infer", b" " * size)
        assert f"{size} bytes; 200 is the most" in told.error(413)
        assert told.headers["Connection"] == "close"


@pytest.mark.parametrize(("lines", "status", "says"), [
    ([], 411, "send Content-Length"),
    (["Transfer-Encoding: chunked"], 411, "no Transfer-Encoding"),
    (["Content-Length: -1"], 400, "not one number"),
    (["Content-Length: 1_0"], 400, "not one number"),
    (["Content-Length: 1", "Content-Length: 2"], 400, "not one number"),
    (["Content-Length: " + "9" * 5000], 413, "is the most"),
    (["Content-Length: 50"], 400, "ended after 0 of 50 bytes"),
])  # fmt: skip
def test_lengths_that_are_none(service, model, monkeypatch, lines, status, says):
    monkeypatch.setattr(module, "LINGER", 0.2)
    running = service(model)
    code, got = raw(running, head(running, "Content-Type: application/json", *lines), end=True)
    assert code == status
    assert says in json.loads(got.partition(b"\r\n\r\n")[2])["error"]


def test_a_body_that_does_not_come_is_408(service, model, monkeypatch):
    monkeypatch.setattr(module.Handler, "timeout", 0.1)
    monkeypatch.setattr(module, "LINGER", 0.2)
    running = service(model)
    code, got = raw(running, head(running, "Content-Type: application/json", "Content-Length: 50") + b"{")
    assert code == 408
    assert b"did not come within" in got


@pytest.mark.parametrize(
    "text", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_refused_in_json(service, model, monkeypatch, text):
    monkeypatch.setattr(module, "LINGER", 0.2)
    _, got = raw(service(model), text)
    assert list(json.loads(got[got.index(b'{"error') :])) == ["error"]


@pytest.mark.parametrize(("hosts", "status"), [
    (["localhost:PORT"], 200), (["127.0.0.1:PORT"], 200), (["LocalHost:PORT"], 200),
    (["localhost"], 421), (["localhost:1"], 421), (["evil.example"], 421), (["evil.example:PORT"], 421),
    (["localhost:PORT.evil.example"], 421),
    ([""], 421), ([], 400), (["localhost:PORT", "evil.example"], 400),
])  # fmt: skip
def test_only_the_host_that_is_served_is_answered(service, model, hosts, status):
    running = service(model)
    lines = [f"Host: {host}".replace("PORT", str(running.server.server_port)) for host in hosts]
    text = "\r\n".join(["GET /model HTTP/1.1", *lines, "Connection: close", "", ""]).encode()
    assert raw(running, text)[0] == status
    assert raw(running, text.replace(b"HTTP/1.1", b"HTTP/1.0"))[0] == {400: 421}.get(status, status)


def test_any_host_is_taken_where_that_was_asked_for(service, model):
    assert service(model, any_host=True).ask("GET", "/model", Host="board.example").status == 200


def test_a_connection_takes_request_after_request(service, model, read):
    running = service(model)
    connection = running.connect()
    for _ in range(3):
        connection.request("POST", "/infer", json.dumps(ONE), {"Content-Type": "application/json"})
        assert read(connection).status == 200
        connection.request("GET", "/nothing")
        assert read(connection).status == 404
    connection.close()


def test_a_body_nobody_reads_is_not_the_next_request(service, model, monkeypatch):
    monkeypatch.setattr(module, "LINGER", 0.2)
    running = service(model)
    inner = head(running, method="GET /model")
    code, got = raw(running, head(running, f"Content-Length: {len(inner)}", method="GET /health") + inner, end=True)
    assert code == 200
    assert got.count(b"HTTP/1.1 ") == 1


def test_a_fault_of_the_program_is_500_without_its_particulars(service, model, monkeypatch, capsys):
    running = service(model)
    monkeypatch.setattr(running.boards, "infer", lambda raw: {}["secret"])
    assert running.ask("POST", "/infer", ONE).error(500) == "a fault of this program, told on its standard error"
    assert "secret" in capsys.readouterr().err
    assert running.ask("GET", "/model").status == 200


def test_a_client_that_leaves_harms_nobody(service, model, capsys):
    running = service(model)
    (board,) = running.standins
    board.go.clear()
    connection = running.connect()
    connection.request("POST", "/infer", json.dumps(ONE), {"Content-Type": "application/json"})
    assert board.asked.wait(20)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, not an end
    connection.close()
    board.go.set()
    assert running.ask("POST", "/infer", ONE).status == 200
    assert "Traceback" not in capsys.readouterr().err


def test_draining_answers_what_is_under_way_and_nothing_more(service, model, read):
    running = service(model)
    (board,) = running.standins
    idle = running.connect()
    idle.request("GET", "/model")
    assert read(idle).status == 200
    board.go.clear()
    samples = np.random.default_rng(3).integers(0, 17, (5, 16))
    busy = running.connect()
    busy.request("POST", "/infer", json.dumps({"samples": samples.tolist()}), {"Content-Type": "application/json"})
    assert board.asked.wait(20)
    draining = threading.Thread(target=running.server.drain)
    draining.start()
    running.thread.join(20)
    draining.join(0.3)
    assert draining.is_alive(), "the request under way must be waited for"
    board.go.set()
    told = read(busy)
    wanted = golden.run(model, model.quantise_input(samples.reshape(5, 4, 4)))
    assert told.json["labels"] == wanted.label.tolist()
    assert told.headers["Connection"] == "close"
    draining.join(20)
    assert not draining.is_alive()
    idle.sock.settimeout(module.PATIENCE / 2)
    assert idle.sock.recv(1) == b"", "a connection without a request ends"
    with pytest.raises(ConnectionRefusedError):
        running.ask("GET", "/model")


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_cannot_be_had_is_one_sentence(service, model, host):
    taken = service(model).server.server_port
    with pytest.raises(
        AddressError, match=f"nothing can be served at {host} port {taken}: .*; choose another"
    ) as caught:
        Server(host, taken)
    assert caught.value.exit_code == 2


def test_version_six_has_its_brackets():
    try:
        server = Server("::1", 0)
    except AddressError:
        pytest.skip("this machine has no IPv6")
    with server:
        assert server.url == f"http://[::1]:{server.server_port}/"
        assert server.serves(f"[::1]:{server.server_port}")
