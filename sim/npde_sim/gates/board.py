"""A board whose simulation is its routed netlist, cell by cell."""

from __future__ import annotations

import os
import re
from importlib import resources

from npde.errors import BuildError
from npde_hdl import board as boards
from npde_sim.gates import ecp5, ice40
from npde_sim.gates.netlist import Netlist, read
from npde_sim.vendor import models
from npde_sim.virtual.simulated import LARGE, NETLIST, SimulatedBoard, simulator


class GateBoard(SimulatedBoard):
    """What the cells in the file ``netlist`` do, as nextpnr wrote it for ``board``, which gives the oscillator.

    ``clock`` is the PLL's, in hertz, by its parameters; the PLL itself is a wire. Raises :class:`BuildError` for a file that is no
    routed netlist or is of another family, and where a tool is missing.
    """

    def __init__(self, netlist: str | os.PathLike[str], board: str):
        found, row = read(netlist), boards.get(board)
        family = found.settings["arch.name"].strip()
        if family != row.family:
            raise BuildError(f"the netlist {netlist} is for {family}; {board} is {row.family}")
        sources, self.clock = sources_of(found, board)
        super().__init__(simulator(sources, compiled=LARGE, more=NETLIST), self.clock)


def sources_of(netlist: Netlist, board: str) -> tuple[dict[str, str], float]:
    """Verilog files by name, with a module ``top`` among them, and the clock in hertz."""
    row = boards.get(board)
    cells = "".join(resources.files("npde_sim.gates").joinpath(name).read_text() for name in (f"{row.family}.v", "lut4.v"))
    if row.family == "ecp5":
        text, clock = ecp5.verilog_of(netlist, row)
        return {"top.v": text, "cells.v": cells}, clock
    text, clock = ice40.verilog_of(netlist, row)
    return {"top.v": text, "cells.v": cells, "cells_sim.v": without_logic_cell(models("ice40", "cells_sim.v"))}, clock


def without_logic_cell(cells: str) -> str:
    """Yosys' models of the iCE40 without ``ICESTORM_LC``, for which ours stands: it compares inputs with ``z``."""
    return re.sub(r"^module ICESTORM_LC\b.*?^endmodule", "", cells, flags=re.MULTILINE | re.DOTALL)
