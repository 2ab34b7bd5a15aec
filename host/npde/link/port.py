"""Port names: a device path as it is, or ``virtual:BOARD[:MODEL]``, a simulated board behind a pseudo-terminal."""

from __future__ import annotations

from collections.abc import Callable

from npde.errors import LinkError

VIRTUAL = "virtual"
REPLAY = "replay:"
"""In front of the file of a recorded session, which needs no device."""
FIRST_BOARD = "icebreaker"
FIRST_MODEL = "digits"


def resolve(name: str) -> tuple[str, Callable[[], object]]:
    """The device path for ``name``, and what gives it back when it is no longer needed.

    A virtual board's bitstream is made for MODEL, a shipped model's name or a file (``digits`` by
    default), as a real one's was by ``npde build``. Raises :class:`LinkError` where no simulator is
    installed, :class:`npde.errors.FitError` for an unknown board.
    """
    if name != VIRTUAL and not name.startswith(VIRTUAL + ":"):
        return name, lambda: None
    from npde.models import load_model

    _, _, rest = name.partition(":")
    board, _, model = rest.partition(":")
    program = load_model(model or FIRST_MODEL).program
    try:
        from npde_sim.virtual import VirtualBoard

        running = VirtualBoard(program, board or FIRST_BOARD)
    except ModuleNotFoundError as error:
        raise LinkError(f"{name} needs the simulator, and {error.name} is missing; pip install 'npde[sim]'") from error
    return running.port, running.stop
