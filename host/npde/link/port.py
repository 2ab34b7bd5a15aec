"""Port names: a device path as it is, ``virtual:BOARD[:MODEL]``, a simulated board behind a pseudo-terminal, or
``firmware:BOARD[:MODEL]``, a microcontroller's firmware run here; with ``none`` for MODEL it takes programs at run time."""

from __future__ import annotations

from collections.abc import Callable

from npde.errors import LinkError

VIRTUAL, FIRMWARE = "virtual", "firmware"
REPLAY = "replay:"
"""In front of the file of a recorded session, which needs no device."""
FIRST_BOARD = {VIRTUAL: "icebreaker", FIRMWARE: "posix"}
FIRST_MODEL = "digits"


def of_model(name: str, model: str) -> str:
    """``name`` with ``model`` in it, where a board is made for the port and none is named: it has the model it is to be given."""
    kind, _, rest = name.partition(":")
    return f"{name}:{model}" if kind in FIRST_BOARD and rest and ":" not in rest else name


def resolve(name: str) -> tuple[str, Callable[[], object]]:
    """The device path for ``name``, and what gives it back when it is no longer needed.

    A virtual board's bitstream is made for MODEL, a shipped model's name or a file (``digits`` by
    default), as a real one's was by ``npde build``; firmware has MODEL in it. Raises :class:`LinkError` where no simulator
    is installed, :class:`npde.errors.BuildError` where a compiler or emulator is missing,
    :class:`npde.errors.FitError` for an unknown board.
    """
    kind, _, rest = name.partition(":")
    if kind not in FIRST_BOARD:
        return name, lambda: None
    from npde.models import load_model

    board, _, source = rest.partition(":")
    board = board or FIRST_BOARD[kind]
    if kind == FIRMWARE:
        from npde.firmware.empty import NONE
        from npde.firmware.launch import RunningFirmware

        firmware = RunningFirmware(None if source == NONE else load_model(source or FIRST_MODEL), board)
        return firmware.port, firmware.stop
    model = load_model(source or FIRST_MODEL)
    try:
        from npde_sim.virtual import VirtualBoard

        running = VirtualBoard(model.program, board)
    except ModuleNotFoundError as error:
        raise LinkError(f"{name} needs the simulator, and {error.name} is missing; pip install 'npde[sim]'") from error
    return running.port, running.stop
