"""The ``npde`` command."""

from npde.cli.main import main

__all__ = ["main"]
