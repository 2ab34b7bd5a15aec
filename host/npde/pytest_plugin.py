"""Fixtures for tests on a board: ``pytest --npde-board=virtual:icebreaker`` or ``--npde-board=/dev/ttyUSB1``.

``board`` is an open :class:`npde.link.board.Board`, ``model`` the model its bitstream was built for or whose program it
was given, ``npde_port`` its device path, ``npde_options`` the four options below by name. ``--npde-record FILE`` writes every exchange down, ``--npde-replay FILE``
answers from such a file where there is no board: the same tests in the same order.
"""

from __future__ import annotations

import pytest

OPTIONS = ("board", "model", "baud", "count")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("npde", "hardware in the loop")
    group.addoption("--npde-board", default="virtual:icebreaker", help="virtual:BOARD, or a serial port such as /dev/ttyUSB1")
    group.addoption("--npde-model", default="digits", help="the model its bitstream was built for")
    group.addoption("--npde-baud", default=3_000_000, type=int, help="its bit rate")
    group.addoption("--npde-count", default=30, type=int, help="test samples to infer")
    group.addoption("--npde-record", default=None, metavar="FILE", help="write every exchange with the board to this file")
    group.addoption("--npde-replay", default=None, metavar="FILE", help="answer from this recording, without a board")


@pytest.fixture(scope="session")
def npde_options(request):
    return {name: request.config.getoption(f"--npde-{name}") for name in OPTIONS}


@pytest.fixture(scope="session")
def model(npde_options):
    from npde.models import load_model

    return load_model(npde_options["model"])


@pytest.fixture(scope="session")
def npde_port(request, npde_options):
    from npde.link.port import of_model, resolve

    replay = request.config.getoption("--npde-replay")
    name = f"replay:{replay}" if replay else npde_options["board"]
    path, release = resolve(of_model(name, npde_options["model"]))
    yield path
    release()


@pytest.fixture(scope="session")
def npde_recorder(request):
    from npde.link.record import Recorder

    path = request.config.getoption("--npde-record")
    recorder = Recorder(path) if path else None
    yield recorder
    if recorder is not None:
        recorder.close()


@pytest.fixture(scope="session")
def npde_pipe(npde_port):
    """The recording, where there is one: all boards of the tests follow each other in it."""
    from npde.link.record import Replay

    return Replay(npde_port.removeprefix("replay:")) if npde_port.startswith("replay:") else None


@pytest.fixture
def board(npde_port, model, npde_options, npde_recorder, npde_pipe):
    from npde.link.board import Board

    with Board.open(npde_port, model.program, baud=npde_options["baud"], record=npde_recorder, pipe=npde_pipe) as opened:
        yield opened
