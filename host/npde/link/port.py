"""Port names: a device path as it is, or a board that runs here behind a pseudo-terminal: ``virtual:BOARD[:MODEL]``, simulated
from its design, ``gates:BOARD[:MODEL]`` from its placed and routed cells, ``bits:BOARD[:MODEL]`` from nothing but its
bitstream, ``firmware:BOARD[:MODEL]``, a microcontroller's firmware; with ``none`` for MODEL that takes programs at run time."""

from __future__ import annotations

from collections.abc import Callable

from npde.errors import LinkError
from npde.program import Program

VIRTUAL, GATES, BITS, FIRMWARE = "virtual", "gates", "bits", "firmware"
REPLAY = "replay:"
"""In front of the file of a recorded session, which needs no device."""
FIRST_BOARD = {VIRTUAL: "icebreaker", GATES: "icebreaker", BITS: "hx8k", FIRMWARE: "posix"}
BUILT = {GATES: ".json", BITS: ".bin"}
"""How a file's name ends that may stand for MODEL, or for BOARD and MODEL, where the board is made of one."""
FIRST_MODEL = "digits"


def of_model(name: str, model: str) -> str:
    """``name`` with ``model`` in it, where a board is made for the port and none is named: it has the model it is to be given."""
    kind, _, rest = name.partition(":")
    file = kind in BUILT and rest.endswith(BUILT[kind])
    return f"{name}:{model}" if kind in FIRST_BOARD and rest and ":" not in rest and not file else name


def resolve(name: str) -> tuple[str, Callable[[], object]]:
    """The device path for ``name``, and what gives it back when it is no longer needed.

    A virtual board's bitstream is made for MODEL, a shipped model's name or a file (``digits`` by
    default), as a real one's was by ``npde build``; firmware has MODEL in it. ``gates`` and ``bits`` build it, minutes the first
    time, or take what was built: ``bits:hx8k:npde.bin``, ``gates:icebreaker:routed.json``, and without BOARD what a report
    beside the file says of it. Raises :class:`LinkError` where no simulator is installed,
    :class:`npde.errors.BuildError` where a tool is missing or a file is not what it should be,
    :class:`npde.errors.FitError` for an unknown board.
    """
    kind, _, rest = name.partition(":")
    if kind not in FIRST_BOARD:
        return name, lambda: None
    from npde.models import load_model

    board, _, source = rest.partition(":")
    if kind == FIRMWARE:
        from npde.firmware.empty import NONE
        from npde.firmware.launch import RunningFirmware

        firmware = RunningFirmware(None if source == NONE else load_model(source or FIRST_MODEL), board or FIRST_BOARD[kind])
        return firmware.port, firmware.stop
    try:
        if kind in BUILT:
            from npde_sim.routed import running_of

            running = running_of(kind, *_made_of(kind, rest))
        else:
            from npde_sim.virtual import VirtualBoard

            running = VirtualBoard(load_model(source or FIRST_MODEL).program, board or FIRST_BOARD[kind])
    except ModuleNotFoundError as error:
        raise LinkError(f"{name} needs the simulator, and {error.name} is missing; pip install 'npde[sim]'") from error
    return running.port, running.stop


def _made_of(kind: str, rest: str) -> tuple[str, str | Program]:
    """The board a built port names, none where a file stands alone, and that file or the program to build."""
    from npde.models import load_model

    board, _, source = rest.partition(":")
    if rest.endswith(BUILT[kind]):
        return (board, source) if source else ("", board)
    return board or FIRST_BOARD[kind], load_model(source or FIRST_MODEL).program
