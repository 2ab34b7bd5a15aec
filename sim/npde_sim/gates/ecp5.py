"""An ECP5's routed netlist as Verilog, for the cell models beside this module."""

from __future__ import annotations

from collections.abc import Callable

from npde.errors import BuildError
from npde_hdl.board import Board
from npde_sim.gates.netlist import Cell, Netlist, assign, instance, signal, text_of, wires

KNOWN: dict[str, dict[str, tuple[str, ...]]] = {
    "TRELLIS_COMB": {
        "MODE": ("LOGIC", "CCU2", "DPRAM"), "CCU2_INJECT1": (), "WREMUX": (), "WCKMUX": (), "INITVAL": (), "IS_Z1": (),
    },
    "TRELLIS_FF": {
        "GSR": ("DISABLED",), "CEMUX": (), "CLKMUX": (), "LSRMUX": (), "SRMODE": ("LSR_OVER_CE", "ASYNC"),
        "REGSET": (), "SD": (),
    },
    "TRELLIS_RAMW": {},
    "MULT18X18D": {
        "REG_INPUTA_CLK": ("NONE", "CLK0"), "REG_INPUTB_CLK": ("NONE", "CLK0"), "REG_OUTPUT_CLK": ("NONE", "CLK0"),
        "REG_PIPELINE_CLK": ("NONE", "CLK0"),
    },
    "DP16KD": {
        "DATA_WIDTH_A": (), "DATA_WIDTH_B": (), "REGMODE_A": ("NOREG",), "REGMODE_B": ("NOREG",),
        "WRITEMODE_A": ("NORMAL", "READBEFOREWRITE"), "WRITEMODE_B": ("NORMAL", "READBEFOREWRITE"),
    },
}  # fmt: skip
"""Parameters each model has, and which values of them it knows (any, where none is listed)."""
BUSES = {
    "MULT18X18D": {"A": 18, "B": 18, "P": 36},
    "DP16KD": {"DIA": 18, "DIB": 18, "ADA": 14, "ADB": 14, "CSA": 3, "CSB": 3, "DOA": 18, "DOB": 18},
}
PINS = {
    "MULT18X18D": ("SIGNEDA", "SIGNEDB", "CLK0", "CE0", "RST0"),
    "DP16KD": ("CEA", "OCEA", "CLKA", "WEA", "CEB", "OCEB", "CLKB", "WEB"),
}
"""Ports of one bit that the models have."""
STILL = ("RSTA", "RSTB", "CSA0", "CSA1", "CSA2", "CSB0", "CSB1", "CSB2")
"""Ports of a block RAM that must rest at 0."""
IGNORED = ("TRELLIS_COMB", "RAMW_BLOCK")


def verilog_of(netlist: Netlist, board: Board) -> tuple[str, float]:
    """The module ``top``, and the clock in hertz that the PLL makes of the board's oscillator.

    Raises :class:`BuildError` for cells, or uses of them, that a design of this project does not have.
    """
    lines = ["module top (input wire clk, input wire rst, input wire rx, output wire tx);", "wire unused;", *wires(netlist)]
    ratio = 1.0
    for number, cell in enumerate(netlist.cells.values()):
        if cell.type in BUSES:
            lines.append(_block(number, cell))
        elif cell.type == IGNORED[0] and text_of(cell.parameters.get("MODE", "LOGIC")) == IGNORED[1]:
            continue
        elif cell.type in KNOWN:
            lines.append(instance(number, cell, parameters=_parameters(cell), unjoined=_unjoined(cell), ports=_ports(cell)))
        elif cell.type == "EHXPLLL":
            ratio = cell.number("CLKFB_DIV") / cell.number("CLKI_DIV")
            lines += [assign(cell, "CLKOP", "clk"), assign(cell, "LOCK", "1'b1")]
        elif cell.type == "DCCA":
            lines.append(assign(cell, "CLKO", signal(cell.connections["CLKI"][0])))
        elif cell.type == "TRELLIS_IO":
            lines.append(_pad(netlist, cell))
        elif cell.type == "VCC_DRV":
            lines.append(assign(cell, "VCC", "1'b1"))
        else:
            raise BuildError(f"the netlist has a cell {cell.type}, which is not simulated here")
    return "\n".join([*lines, "endmodule", ""]), board.oscillator * ratio


def _ports(cell: Cell) -> tuple[str, ...] | None:
    return {
        "TRELLIS_COMB": (
            "A", "B", "C", "D", "M", "FCI", "F1", "FXA", "FXB", "WD", "WAD0", "WAD1", "WAD2", "WAD3", "WRE", "WCK",
            "F", "FCO", "OFX",
        ),
        "TRELLIS_FF": ("CLK", "LSR", "CE", "DI", "M", "Q"),
    }.get(cell.type)  # fmt: skip


def _parameters(cell: Cell) -> dict[str, str]:
    """Those the model has; raises for a value it does not know."""
    given = {}
    for name, values in KNOWN[cell.type].items():
        if name in cell.parameters:
            value = text_of(cell.parameters[name])
            if values and value not in values:
                raise BuildError(f"the netlist has a {cell.type} with {name}={value}; simulated are {', '.join(values)}")
            given[name] = cell.parameters[name]
    return given


def _unjoined(cell: Cell) -> Callable[[str], str]:
    """What an input reads that nothing is joined to: its multiplexer's value, else the default of nextpnr's bitstream writer."""

    def reads(port: str) -> str:
        mux = text_of(cell.parameters.get(f"{port}MUX", ""))
        if port == "LSR":
            # Nothing is joined where the reset never comes.
            return "1'b1" if mux == "INV" else "1'b0"
        if mux:
            return "1'b0" if mux in ("0", "INV") else "1'b1"
        # Of a slice the tables' inputs rest at 1, of blocks the enables.
        return "1'b1" if cell.type == "TRELLIS_COMB" or port.startswith(("CE", "OCE")) else "1'b0"

    return reads


def _block(number: int, cell: Cell) -> str:
    """A block whose single bits are collected into buses."""
    parameters, reads, numbers = _parameters(cell), _unjoined(cell), {}
    if cell.type == "DP16KD":
        moving = [port for port in STILL if cell.net(port) is not None or reads(port) != "1'b0"]
        if moving:
            raise BuildError(f"the netlist has a DP16KD whose {moving[0]} does not rest at 0, which is not simulated here")
        widths = tuple(int(parameters.pop(f"DATA_WIDTH_{port}", "10010"), 2) for port in "AB")
        if 36 in widths and widths != (36, 36):
            had = f"{widths[0]} and {widths[1]} bits"
            raise BuildError(f"the netlist has a DP16KD of {had}; simulated are 36 and 36, or at most 18")
        numbers = {"DATA_WIDTH_A": str(widths[0]), "DATA_WIDTH_B": str(widths[1])}
        content = sum(
            (cell.number(f"INITVAL_{place // 16:02X}") >> 20 * (place % 16) & 0x3FFFF) << 18 * place for place in range(1024)
        )
        if content:
            numbers["CONTENT"] = f"18432'h{content:x}"
    ports = []
    for bus, size in BUSES[cell.type].items():
        bits = [cell.net(f"{bus}{bit}") for bit in range(size)]
        output = bus in ("P", "DOA", "DOB")
        texts = [("unused" if output else reads(f"{bus}{bit}")) if net is None else signal(net) for bit, net in enumerate(bits)]
        ports.append(f".{bus}({{{', '.join(reversed(texts))}}})")
    for port in PINS[cell.type]:
        net = cell.net(port)
        inverted = text_of(cell.parameters.get(f"{port}MUX", "")) == "INV"
        ports.append(f".{port}({reads(port) if net is None else '~' * inverted + signal(net)})")
    texts_of = {name: f'"{text_of(text)}"' for name, text in parameters.items()}
    given = ", ".join(f".{name}({value})" for name, value in {**texts_of, **numbers}.items())
    return f"{cell.type} #({given}) u{number} ({', '.join(ports)});"


def _pad(netlist: Netlist, cell: Cell) -> str:
    name, direction = netlist.port_of(cell), text_of(cell.parameters.get("DIR", "INPUT"))
    if direction == "INPUT":
        return assign(cell, "O", "rx" if "__rx__" in name else "clk")
    if direction != "OUTPUT":
        raise BuildError(f"the pad of {name} goes both ways, which is not simulated here")
    return f"assign tx = {signal(cell.connections['I'][0])};" if "__tx__" in name else ""
