"""The netlist that nextpnr writes with ``--write``: Yosys' JSON, with nextpnr's cells after packing, placing and routing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import msgspec

from npde.errors import BuildError

BINARY = re.compile(r"[01xz]+")


class Cell(msgspec.Struct):
    """``parameters``: digits are a binary number; text that could be taken for one ends in a space (Yosys' ``write_json``)."""

    type: str
    parameters: dict[str, str] = {}
    attributes: dict[str, str] = {}
    port_directions: dict[str, str] = {}
    connections: dict[str, list[int | str]] = {}

    def net(self, port: str) -> int | None:
        """The net at a port of one bit, or None where nothing is joined to it."""
        bits = self.connections.get(port) or [None]
        return bits[0] if isinstance(bits[0], int) else None

    def number(self, parameter: str) -> int:
        """A parameter that is a number, 0 where it is not given, as are digits that may be either."""
        return int(self.parameters.get(parameter, "0").replace("x", "0"), 2)


class Port(msgspec.Struct):
    """A port of the design: its nets."""

    bits: list[int | str]


class Netlist(msgspec.Struct):
    """The one module of a routed design; ``settings`` are nextpnr's, ``arch.name`` and ``arch.type`` among them."""

    cells: dict[str, Cell]
    ports: dict[str, Port] = {}
    settings: dict[str, str] = {}

    def port_of(self, cell: Cell) -> str:
        """The name of the design's port that one of a cell's pins is, or nothing."""
        joined = {bit for bits in cell.connections.values() for bit in bits}
        return next((name for name, port in self.ports.items() if joined.intersection(port.bits)), "")

    def of_type(self, *types: str) -> list[Cell]:
        """Every cell of these types."""
        return [cell for cell in self.cells.values() if cell.type in types]


class _File(msgspec.Struct):
    modules: dict[str, Netlist]


def read(path: str | os.PathLike[str]) -> Netlist:
    """The netlist in a file; raises :class:`BuildError` where it is none, or was written before it was placed."""
    try:
        found = msgspec.json.decode(Path(path).read_bytes(), type=_File)
    except OSError as error:
        raise BuildError(f"no netlist at {path}: {error.strerror}; npde build leaves one as routed.json") from None
    except (ValueError, msgspec.DecodeError) as error:
        raise BuildError(f"{path} is no netlist as nextpnr writes it: {error}") from None
    netlist = next(iter(found.modules.values()), None)
    if netlist is None or "arch.name" not in netlist.settings or not netlist.cells:
        raise BuildError(f"{path} is no netlist as nextpnr writes it: it names no device, or has no cells")
    if not all("NEXTPNR_BEL" in cell.attributes for cell in netlist.cells.values()):
        raise BuildError(f"{path} is a netlist that was not placed and routed")
    return netlist


def instance(
    number: int, cell: Cell, *, unjoined: Callable[[str], str], kind: str | None = None, buses: Iterable[str] = (),
    parameters: Mapping[str, str] | None = None, ports: Collection[str] | None = None,
) -> str:  # fmt: skip
    """Verilog of one cell: nets are ``n7``, an input that nothing is joined to reads ``unjoined``.

    ``kind``: the module, if not the cell's type. Ports ``A_0``, ``A_1``, … are bits of ``A`` where ``buses`` has it.
    ``parameters`` and ``ports``: those that the module has, if not all of the cell's.
    """
    wide: dict[str, list[tuple[int, str]]] = {name: [] for name in buses}
    joined = []
    for port, direction in cell.port_directions.items():
        if ports is not None and port not in ports:
            continue
        bits = cell.connections.get(port) or []
        text = ", ".join(signal(bit) for bit in reversed(bits)) if bits else unjoined(port) if direction == "input" else ""
        name, _, place = port.rpartition("_")
        if name in wide and place.isdigit():
            wide[name].append((int(place), text or "unused"))
        else:
            joined.append(f".{port}({text if len(bits) < 2 else '{' + text + '}'})")
    for name, bits_of in wide.items():
        joined.append(f".{name}({{{', '.join(text for _, text in sorted(bits_of, reverse=True))}}})")
    given = cell.parameters if parameters is None else parameters
    settings = f" #({', '.join(f'.{name}({_literal(value)})' for name, value in given.items())})" if given else ""
    return f"{kind or cell.type}{settings} u{number} ({', '.join(joined)});"


def assign(cell: Cell, port: str, source: str) -> str:
    """Verilog that drives the net at an output of a cell, or nothing where no net is."""
    net = cell.net(port)
    return "" if net is None else f"assign {signal(net)} = {source};"


def text_of(value: str) -> str:
    """A parameter that is text."""
    return value.rstrip()


def signal(bit: int | str) -> str:
    """A net's name, or a constant."""
    return f"n{bit}" if isinstance(bit, int) else f"1'b{bit}"


def wires(netlist: Netlist) -> list[str]:
    """Declarations of every net that a cell touches."""
    joined = (bit for cell in netlist.cells.values() for bits in cell.connections.values() for bit in bits)
    nets = {bit for bit in joined if isinstance(bit, int)}
    return [f"wire n{net};" for net in sorted(nets)]


def _literal(value: str) -> str:
    if BINARY.fullmatch(value):
        return f"{len(value)}'b{value}"
    return f'"{text_of(value)}"'
