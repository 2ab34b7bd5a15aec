"""The one family of errors a user may see; the CLI prints their sentence and sets the exit code."""


def one_line(error: BaseException, most: int = 300) -> str:
    """What another library's error says, for the end of a sentence: without line breaks, controls and more than ``most`` letters."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in str(error)).split())
    return (text if len(text) <= most else text[: most - 1] + "…") or type(error).__name__


class NpdeError(Exception):
    """Something the user can mend: the message says what was wrong, where, and what would be right."""

    exit_code = 1


class ProgramError(NpdeError, ValueError):
    """A stencil-update program, model or model file that cannot be what it claims to be."""

    exit_code = 2


class DataError(NpdeError, ValueError):
    """A data set that is missing, truncated or of the wrong shape."""

    exit_code = 3


class FitError(NpdeError, ValueError):
    """A model that does not fit the board it was planned for."""

    exit_code = 4


class BuildError(NpdeError, RuntimeError):
    """Synthesis, place-and-route or flashing that failed, or timing that was not met."""

    exit_code = 5


class LinkError(NpdeError, OSError):
    """A board that cannot be reached, stopped answering, or refused a request."""

    exit_code = 6


class FileError(NpdeError, OSError):
    """A result that cannot be written where it was asked for."""

    exit_code = 9


class Interrupted(NpdeError):
    """A user's interrupt, where there is more to say than that."""

    exit_code = 130
