"""A board of no wire that answers as golden does, can be held back and can be unplugged; a service in front of it."""

from __future__ import annotations

import http.client
import json
import threading
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from npde import golden
from npde.errors import LinkError
from npde.model import Model, Preprocess, Weights
from npde.program import Dense, Grid, Program, Q, Stencil
from npde.program.step import CROSS
from npde.serve.api import Api
from npde.serve.boards import Boards
from npde.serve.server import Server


class StandIn:
    """What :class:`npde.serve.boards.Boards` uses of a board."""

    def __init__(self, model: Model):
        self.model = model
        self.info = SimpleNamespace(
            board="stand-in", build=b"\x01\x02", clock=1, baud=2, shape=model.program.shape_hash
        )
        self.go, self.asked = threading.Event(), threading.Event()
        self.go.set()
        self.plugged, self.wrong = True, False
        self.opened = 0

    def open(self) -> StandIn:
        if not self.plugged:
            raise LinkError("serial port x does not exist")
        self.opened += 1
        return self

    def load(self, model: Model) -> None:
        assert model is self.model

    def infer(self, raw: np.ndarray) -> golden.Answer:
        self.asked.set()
        assert self.go.wait(20)
        if not self.plugged:
            raise LinkError("the board on x went away")
        answer = golden.run(self.model, self.model.quantise_input(raw))
        return golden.Answer(answer.output + self.wrong, answer.label)

    def close(self) -> None:
        pass


class Told(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.body)

    def error(self, status: int) -> str:
        """The sentence of a refusal, which holds nothing else."""
        assert self.status == status, self
        assert list(self.json) == ["error"]
        assert "\n" not in self.json["error"]
        return self.json["error"]


class Service:
    """A running service; :meth:`ask` sends one request on a connection of its own."""

    def __init__(self, model: Model, boards: list[StandIn], **how: Any):
        self.model, self.standins = model, boards
        self.boards = Boards([board.open for board in boards], model, reconnect=0.1)
        self.server = Server("127.0.0.1", 0, **how)
        self.server.api = Api(self.boards)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=20)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Told:
        connection = self.connect()
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection.request(
            method,
            path,
            body,
            {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()},
        )
        return read(connection)

    def close(self) -> None:
        for board in self.standins:
            board.go.set()
        if self.thread.is_alive():
            self.server.drain()
        self.thread.join(20)
        self.boards.close()


def read(connection: http.client.HTTPConnection) -> Told:
    reply = connection.getresponse()
    return Told(reply.status, dict(reply.getheaders()), reply.read())


def model_of(channels: int = 1) -> Model:
    """4×4 cells whose raw values span 0 to 16; twelve time steps, three outputs."""
    program = Program(name="small", input=Grid(4, 4, channels, Q(8, 7)), argmax=True, steps=(
        Stencil(out_channels=2, taps=CROSS, weight=Q(6, 5), bias=Q(12, 8), out=Q(8, 7)),
        Stencil(out_channels=2, taps=CROSS, weight=Q(6, 6), bias=Q(12, 8), out=Q(8, 7), skip=True, repeat=12),
        Dense(out_channels=3, weight=Q(5, 3), bias=Q(8, 4), out=Q(12, 4)),
    ))  # fmt: skip
    rng = np.random.default_rng(5)
    weights = {
        index: Weights(*(rng.integers(max(q.low, -9), min(q.high, 9), shape) for shape, q in parts.values()))
        for index, parts in program.tensors().items()
    }
    return Model(program, weights, Preprocess(0.125, -1.0), force=True)


@pytest.fixture
def model() -> Model:
    return model_of()


@pytest.fixture
def coloured() -> Model:
    """The same with three channels."""
    return model_of(3)


@pytest.fixture
def service():
    """``service(model, boards=1, …)``: a :class:`Service`; the keywords are the server's."""
    running: list[Service] = []

    def start(model: Model, boards: int = 1, **how: Any) -> Service:
        running.append(Service(model, [StandIn(model) for _ in range(boards)], **how))
        return running[-1]

    yield start
    for each in running:
        each.close()


@pytest.fixture(scope="session", name="read")
def read_reply():
    """The whole reply on a connection."""
    return read
