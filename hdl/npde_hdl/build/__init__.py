"""From a plan to a bitstream, and onto a board."""

from npde_hdl.build.bitstream import build
from npde_hdl.build.flash import flash
from npde_hdl.build.report import Report

__all__ = ["Report", "build", "flash"]
