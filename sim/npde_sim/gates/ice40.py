"""An iCE40's routed netlist as Verilog, for Yosys' models of Lattice's cells."""

from __future__ import annotations

from collections.abc import Callable

from npde.errors import BuildError
from npde_hdl.board import Board
from npde_sim.gates.netlist import Cell, Netlist, assign, instance, signal, wires

ENABLES = {"ICESTORM_LC": ("CEN",), "ICESTORM_RAM": ("RCLKE", "WCLKE"), "ICESTORM_DSP": ("CE",)}
"""Inputs that read 1 where nothing is joined to them; all others read 0 (Project IceStorm, nextpnr's ``pack_constants``)."""
BUSES = {
    "ICESTORM_DSP": ("SB_MAC16", ("A", "B", "C", "D", "O")),
    "ICESTORM_SPRAM": ("SB_SPRAM256KA", ("ADDRESS", "DATAIN", "DATAOUT", "MASKWREN")),
}
"""nextpnr's cells whose model has another name and buses."""
PLAIN = ("ICESTORM_LC", "ICESTORM_RAM")
SIMPLE_INPUT, SIMPLE_OUTPUT, ENABLED_OUTPUT = 0b01, 0b0110, 0b1010


def verilog_of(netlist: Netlist, board: Board) -> tuple[str, float]:
    """The module ``top``, and the clock in hertz that the PLL makes of the board's oscillator.

    Raises :class:`BuildError` for cells that a design of this project does not have.
    """
    lines = ["module top (input wire clk, input wire rst, input wire rx, output wire tx);", "wire unused;", *wires(netlist)]
    for number, cell in enumerate(netlist.cells.values()):
        if cell.type in PLAIN:
            lines.append(instance(number, cell, unjoined=_unjoined(cell)))
        elif cell.type in BUSES:
            kind, buses = BUSES[cell.type]
            lines.append(instance(number, cell, kind=kind, buses=buses, unjoined=_unjoined(cell)))
        elif cell.type == "SB_GB":
            # Without a signal of its own it stands on a pad, or on the PLL: there comes the clock.
            source = cell.net("USER_SIGNAL_TO_GLOBAL_BUFFER")
            lines.append(assign(cell, "GLOBAL_BUFFER_OUTPUT", "clk" if source is None else signal(source)))
        elif cell.type == "ICESTORM_PLL":
            lines += [assign(cell, "PLLOUT_A", "clk"), assign(cell, "PLLOUT_A_GLOBAL", "clk"), assign(cell, "LOCK", "1'b1")]
        elif cell.type == "SB_IO":
            lines += _pad(netlist, cell)
        else:
            raise BuildError(f"the netlist has a cell {cell.type}, which is not simulated here")
    return "\n".join([*lines, "endmodule", ""]), board.oscillator * _ratio(netlist)


def _unjoined(cell: Cell) -> Callable[[str], str]:
    return lambda port: "1'b1" if port in ENABLES.get(cell.type, ()) else "1'b0"


def _pad(netlist: Netlist, cell: Cell) -> list[str]:
    """A pad of the serial line, by the name of its port; the oscillator's is driven through its buffer."""
    kind = cell.number("PIN_TYPE")
    name = netlist.port_of(cell)
    lines = []
    if cell.net("D_IN_0") is not None:
        if kind & 3 != SIMPLE_INPUT:
            raise BuildError(f"the pad of {name} is an input of kind {kind:06b}; simulated is the simple one, xxxx01")
        lines.append(assign(cell, "D_IN_0", "rx" if "__rx__" in name else "clk"))
    if "__tx__" in name:
        enable = cell.net("OUTPUT_ENABLE")
        if kind >> 2 == ENABLED_OUTPUT and enable is not None:
            lines.append(f"assign tx = {signal(enable)} ? {signal(cell.connections['D_OUT_0'][0])} : 1'b1;")
        elif kind >> 2 == SIMPLE_OUTPUT:
            lines.append(f"assign tx = {signal(cell.connections['D_OUT_0'][0])};")
        else:
            raise BuildError(f"the pad of {name} is an output of kind {kind:06b}; simulated are 0110xx and 1010xx")
    return lines


def _ratio(netlist: Netlist) -> float:
    plls = netlist.of_type("ICESTORM_PLL")
    if not plls:
        return 1.0
    divr, divf, divq = (plls[0].number(name) for name in ("DIVR", "DIVF", "DIVQ"))
    return (divf + 1) / (2**divq * (divr + 1))
