"""A circuit as Verilog: one expression a table, one ``always`` for the registers that share a clock, an enable and a reset.

Only what reaches an output pad is written. Vendors' cells stand for block RAMs, multiplier blocks and single-port RAMs.
"""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from npde.errors import BuildError
from npde_sim.bitstream.circuit import Block, Cell, Circuit, LogicCell, Memory, Pad, Pll

NOTHING = "1'b0"
"""What an input reads that nothing drives (IceStorm's icebox_vlog takes it for the same)."""
CELLS = {"mac16": "SB_MAC16", "spram": "SB_SPRAM256KA"}
BUSES: dict[str, dict[str, tuple[int, bool]]] = {
    "ram": {"RDATA": (16, True), "RADDR": (11, False), "WADDR": (11, False), "MASK": (16, False), "WDATA": (16, False)},
    "mac16": {"O": (32, True), "A": (16, False), "B": (16, False), "C": (16, False), "D": (16, False)},
    "spram": {"DATAOUT": (16, True), "DATAIN": (16, False), "ADDRESS": (14, False), "MASKWREN": (4, False)},
}
"""Ports of several bits: how many, and whether they are outputs."""
SINGLE: dict[str, dict[str, str]] = {
    "ram": {"WCLK": NOTHING, "WCLKE": "1'b1", "WE": NOTHING, "RCLK": NOTHING, "RCLKE": "1'b1", "RE": NOTHING},
    "mac16": {
        "CLK": NOTHING, "CE": "1'b1",
        **dict.fromkeys(
            ("AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT", "ADDSUBTOP",
             "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN"), NOTHING),
    },
    "spram": dict.fromkeys(("WREN", "CHIPSELECT", "CLOCK", "STANDBY", "SLEEP", "POWEROFF"), NOTHING),
}  # fmt: skip
"""Inputs of one bit, and what they read where no wire is joined to them."""
SIMPLE_INPUT, SIMPLE_OUTPUT, ENABLED_OUTPUT = 0b01, 0b0110, 0b1010


@dataclass(frozen=True)
class Module:
    """``text`` has one port for each pad in ``inputs`` and ``outputs`` (x, y and z of the pad's cell by the port's name), and one for
    each output of the PLLs in ``clocks``: those are driven from outside."""

    text: str
    inputs: dict[str, tuple[int, int, int]]
    outputs: dict[str, tuple[int, int, int]]
    clocks: dict[str, Pll]


def expression(table: int, names: Sequence[str]) -> str:
    """Verilog of a table: bit ``i`` is the value where the inputs are ``i``, the first the lowest bit."""
    entries, left = tuple(table >> index & 1 for index in range(1 << len(names))), list(names)
    for constant in ("1'b0", "1'b1"):
        while constant in left:
            place = left.index(constant)
            entries = tuple(bit for index, bit in enumerate(entries) if index >> place & 1 == int(constant[-1]))
            del left[place]
    return _template(entries).format(*left)


@functools.cache
def _template(entries: tuple[int, ...]) -> str:
    """The shortest nest of multiplexers found over every order of the inputs, which are ``{0}``, ``{1}``, …"""
    count = len(entries).bit_length() - 1
    nests = []
    for order in itertools.permutations(range(count)):
        rows = [sum((index >> place & 1) << order[place] for place in range(count)) for index in range(1 << count)]
        nests.append(_nest(tuple(entries[row] for row in rows), tuple(f"{{{place}}}" for place in order)))
    return min(nests, key=len)


def _nest(entries: tuple[int, ...], names: tuple[str, ...]) -> str:
    """Split at the last input, which is the highest bit of the index."""
    if not names:
        return f"1'b{entries[0]}"
    half = len(entries) // 2
    name, low, high = names[-1], entries[:half], entries[half:]
    if low == high:
        return _nest(low, names[:-1])
    low_text, high_text = _nest(low, names[:-1]), _nest(high, names[:-1])
    zeros, ones = (0,) * half, (1,) * half
    if (low, high) == (zeros, ones):
        return name
    if (low, high) == (ones, zeros):
        return f"~{name}"
    if high == tuple(1 - bit for bit in low):
        return f"({name} ^ {low_text})"
    if low == zeros:
        return f"({name} & {high_text})"
    if high == zeros:
        return f"(~{name} & {low_text})"
    if high == ones:
        return f"({name} | {low_text})"
    if low == ones:
        return f"(~{name} | {high_text})"
    return f"({name} ? {high_text} : {low_text})"


class _Writer:
    def __init__(self, circuit: Circuit):
        self.circuit, self.constants = circuit, circuit.constants()
        self.inputs: dict[str, tuple[int, int, int]] = {}
        self.outputs: dict[str, tuple[int, int, int]] = {}
        self.clocks: dict[str, Pll] = {}
        self.wires: list[str] = []
        self.cells: list[str] = []
        self.registers: dict[tuple[str, str, str, str], list[tuple[str, str, int]]] = {}
        self.waiting: deque[Cell] = deque()
        self.seen: set[tuple[int, str]] = set()
        self.instances: set[int] = set()
        self.names: dict[int, str] = {}

    def module(self, name: str) -> Module:
        for pad in self.circuit.pads():
            if pad.drives:
                self._output(pad)
        while self.waiting:
            self._cell(self.waiting.popleft())
        ports = [f"input wire {port}" for port in [*self.clocks, *self.inputs]] + [f"output wire {port}" for port in self.outputs]
        text = "\n".join([f"module {name} ({', '.join(ports)});", *self.wires, *self.cells, *self._always(), "endmodule", ""])
        return Module(text, self.inputs, self.outputs, self.clocks)

    def _output(self, pad: Pad) -> None:
        port = _named("pad", pad)
        always = pad.kind >> 2 == SIMPLE_OUTPUT or (pad.kind >> 2 == ENABLED_OUTPUT and self._at(pad, "OUTPUT_ENABLE") == "1'b1")
        if not always:
            raise BuildError(
                f"the pad at {pad.bel.x}, {pad.bel.y} is an output of kind {pad.kind:06b}; known are the simple one, 0110xx, and 1010xx "
                "always enabled"
            )
        self.outputs[port] = (pad.bel.x, pad.bel.y, pad.bel.z)
        self.cells.append(f"assign {port} = {self._at(pad, 'D_OUT_0')};")

    def _at(self, cell: Cell, port: str, nothing: str = NOTHING) -> str:
        """What an input of a cell reads."""
        net = self.circuit.net(cell, port)
        return nothing if net is None else self._signal(net, nothing)

    def _signal(self, net: int, nothing: str = NOTHING) -> str:
        if net not in self.names:
            driver = self.circuit.driver(net)
            self.names[net] = "" if driver is None else self._driven(*driver)
        if not self.names[net] and net in self.circuit.carries_in:
            return f"1'b{self.circuit.carries_in[net]}"
        return self.names[net] or nothing

    def _driven(self, cell: Cell, port: str) -> str:
        """The name of a cell's output, and the cell waits to be written."""
        if isinstance(cell, Pll):
            if port == "LOCK":
                return "1'b1"
            name = _named("pll", cell) + port[-2:].lower()
            self.clocks[name] = cell
            return name
        if isinstance(cell, Pad):
            return self._input(cell, port)
        if isinstance(cell, LogicCell):
            part = "t" if port == "LO" or (port == "O" and not cell.registered) else "q" if port == "O" else "c"
            if part == "t" and cell.bel.index in self.constants:
                return f"1'b{self.constants[cell.bel.index]}"
            if (cell.bel.index, part) not in self.seen:
                self.seen.add((cell.bel.index, part))
                self.waiting.append(cell)
            return _named(part, cell)
        if cell.bel.index not in self.instances:
            self.instances.add(cell.bel.index)
            self.waiting.append(cell)
        bus, _, bit = port.rpartition("_")
        return f"{_named(bus.lower(), cell)}[{bit}]" if bus in BUSES[cell.bel.kind] else _named(port.lower(), cell)

    def _input(self, pad: Pad, port: str) -> str:
        name = _named("pad", pad)
        if port != "D_IN_0" or pad.kind & 3 != SIMPLE_INPUT:
            raise BuildError(f"the pad at {pad.bel.x}, {pad.bel.y} is an input of kind {pad.kind:06b} ({port}); known is the simple one, xxxx01")
        if pad.drives:
            raise BuildError(f"the pad at {pad.bel.x}, {pad.bel.y} is an input and an output at once")
        self.inputs[name] = (pad.bel.x, pad.bel.y, pad.bel.z)
        return name

    def _cell(self, cell: Cell) -> None:
        if isinstance(cell, LogicCell):
            self._logic(cell)
        elif isinstance(cell, Memory):
            self._memory(cell)
        else:
            assert isinstance(cell, Block)
            parameters = {name: str(value) for name, value in cell.parameters.items()}
            self._instance(CELLS[cell.bel.kind], cell, parameters, {})

    def _logic(self, cell: LogicCell) -> None:
        """Whichever of table, register and carry were asked for and are not written yet."""
        inputs = [self._signal(self.circuit.nets[wire]) for wire in cell.inputs]
        key = cell.bel.index
        if (key, "q") in self.seen and (key, "q written") not in self.seen:
            self.seen |= {(key, "q written"), (key, "t")}
            edge = f"{'negedge' if cell.falling else 'posedge'} {self._at(cell, 'CLK')}"
            reset = self._at(cell, "SR")
            kind = "" if reset == NOTHING else "asynchronous" if cell.asynchronous else "synchronous"
            data = f"1'b{self.constants[key]}" if key in self.constants else _named("t", cell)
            self.wires.append(f"reg {_named('q', cell)} = 1'b0;")
            self.registers.setdefault((edge, self._at(cell, "CEN", "1'b1"), reset, kind), []).append((_named("q", cell), data, int(cell.sets)))
        if (key, "t") in self.seen and (key, "t written") not in self.seen:
            self.seen.add((key, "t written"))
            if key not in self.constants:
                self.wires.append(f"wire {_named('t', cell)};")
                self.cells.append(f"assign {_named('t', cell)} = {expression(cell.table, inputs)};")
        if (key, "c") in self.seen and (key, "c written") not in self.seen:
            self.seen.add((key, "c written"))
            if not cell.makes_carry:
                raise BuildError(f"a carry is taken from the logic cell at {cell.bel.x}, {cell.bel.y}, {cell.bel.z}, which makes none")
            carry = self._at(cell, "CIN")
            self.wires.append(f"wire {_named('c', cell)};")
            self.cells.append(f"assign {_named('c', cell)} = {expression(0xE8, (inputs[1], inputs[2], carry))};")

    def _memory(self, cell: Memory) -> None:
        write, read = cell.falling
        parameters = {"WRITE_MODE": str(cell.modes[0]), "READ_MODE": str(cell.modes[1])}
        for part in range(16):
            parameters[f"INIT_{part:X}"] = f"256'h{cell.init >> 256 * part & (1 << 256) - 1:064x}"
        # The suffixes of the vendor's names: falling clock of the read port, of the write port.
        names = {port: port + "N" for port, falls in (("RCLK", read), ("WCLK", write)) if falls}
        self._instance(f"SB_RAM40_4K{'NR' if read else ''}{'NW' if write else ''}", cell, parameters, names)

    def _instance(self, kind: str, cell: Cell, parameters: dict[str, str], names: dict[str, str]) -> None:
        ports = []
        for bus, (size, output) in BUSES[cell.bel.kind].items():
            if output:
                self.wires.append(f"wire [{size - 1}:0] {_named(bus.lower(), cell)};")
                ports.append(f".{bus}({_named(bus.lower(), cell)})")
            else:
                bits = ", ".join(self._at(cell, f"{bus}_{bit}") for bit in reversed(range(size)))
                ports.append(f".{bus}({{{bits}}})")
        ports += [f".{names.get(port, port)}({self._at(cell, port, nothing)})" for port, nothing in SINGLE[cell.bel.kind].items()]
        if cell.bel.kind == "mac16":
            for port in ("CO", "ACCUMCO", "SIGNEXTOUT"):
                self.wires.append(f"wire {_named(port.lower(), cell)};")
                ports.append(f".{port}({_named(port.lower(), cell)})")
        given = f" #({', '.join(f'.{name}({value})' for name, value in parameters.items())})" if parameters else ""
        self.cells.append(f"{kind}{given} {_named(cell.bel.kind, cell)} ({', '.join(ports)});")

    def _always(self) -> list[str]:
        lines = []
        for (edge, enable, reset, kind), registers in self.registers.items():
            takes = " ".join(f"{name} <= {data};" for name, data, _ in registers)
            clears = " ".join(f"{name} <= 1'b{value};" for name, _, value in registers)
            held = "" if enable == "1'b1" else f"if ({enable}) "
            if kind == "asynchronous":
                lines.append(f"always @({edge}, posedge {reset}) if ({reset}) begin {clears} end else {held}begin {takes} end")
            elif kind == "synchronous":
                # The enable holds against a reset as well (Lattice iCE40 LP/HX Family Data Sheet, SB_DFFESR).
                lines.append(f"always @({edge}) {held}begin if ({reset}) begin {clears} end else begin {takes} end end")
            else:
                lines.append(f"always @({edge}) {held}begin {takes} end")
        return lines


def _named(part: str, cell: Cell) -> str:
    return f"{part}_{cell.bel.x}_{cell.bel.y}_{cell.bel.z}"


def verilog_of(circuit: Circuit, name: str = "chip") -> Module:
    """The circuit as a module ``name``; raises :class:`BuildError` for a configuration this decompiler does not know."""
    return _Writer(circuit).module(name)
