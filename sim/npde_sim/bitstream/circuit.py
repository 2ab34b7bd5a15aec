"""From configuration bits to the circuit they make: which wires are one net, and what each cell does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from npde.errors import BuildError
from npde_sim.bitstream.bitmap import Bitmap
from npde_sim.bitstream.chipdb import IO_TILE, LOGIC_TILE, RAMB_TILE, RAMT_TILE, Bel, ChipDatabase

TABLE_BITS = (4, 14, 15, 5, 6, 16, 17, 7, 3, 13, 12, 2, 1, 11, 10, 0)
"""Which of a logic cell's twenty bits holds each entry of its table (IceStorm, ``icebox.get_lutff_lut_bits``)."""
CARRY, REGISTERED, SETS, ASYNCHRONOUS = 8, 9, 18, 19
"""Its other bits: the carry is made, the output is a register, which is set (or cleared), at once (or at the clock)."""
SIMPLE_FEEDBACK = 1
MULTIPLIER_PARAMETERS = {
    "A_REG": 1, "B_REG": 1, "C_REG": 1, "D_REG": 1, "TOP_8x8_MULT_REG": 1, "BOT_8x8_MULT_REG": 1, "PIPELINE_16x16_MULT_REG1": 1,
    "PIPELINE_16x16_MULT_REG2": 1, "TOPOUTPUT_SELECT": 2, "TOPADDSUB_LOWERINPUT": 2, "TOPADDSUB_UPPERINPUT": 1,
    "TOPADDSUB_CARRYSELECT": 2, "BOTOUTPUT_SELECT": 2, "BOTADDSUB_LOWERINPUT": 2, "BOTADDSUB_UPPERINPUT": 1,
    "BOTADDSUB_CARRYSELECT": 2, "MODE_8x8": 1, "A_SIGNED": 1, "B_SIGNED": 1,
}  # fmt: skip


@dataclass(frozen=True)
class LogicCell:
    """``table`` bit ``i`` is the value for inputs ``i`` (the first the lowest bit); ``carry_in`` 0 or 1 where it is a constant."""

    bel: Bel
    table: int
    inputs: tuple[int, ...]
    makes_carry: bool
    carry_in: int | None
    registered: bool
    sets: bool
    asynchronous: bool
    falling: bool

    def passes(self, circuit: Circuit) -> int | None:
        """The net of the one input that this cell's output equals, as where a route leads through it, or None."""
        nets = [circuit.nets[wire] for wire in self.inputs]
        driven = [place for place, net in enumerate(nets) if circuit.driver(net) is not None]
        passes = not self.registered and len(driven) == 1 and self.table & 1 == 0 and self.table >> (1 << driven[0]) & 1 == 1
        return nets[driven[0]] if passes else None


@dataclass(frozen=True)
class Memory:
    """A block RAM; ``modes`` (write, read) as in SB_RAM40_4K, ``falling`` the clocks' edges (write, read)."""

    bel: Bel
    modes: tuple[int, int]
    falling: tuple[bool, bool]
    init: int


@dataclass(frozen=True)
class Pad:
    """``kind``: the six PIN_TYPE bits of SB_IO."""

    bel: Bel
    kind: int
    falling: bool

    @property
    def drives(self) -> bool:
        """Whether it is an output."""
        return self.kind >> 2 != 0


@dataclass(frozen=True)
class Pll:
    """``pad``: its reference is the pad it sits on, not a wire."""

    bel: Bel
    pad: bool
    divr: int
    divf: int
    divq: int

    def ratio(self) -> float:
        """Of the clock made to the reference (Lattice FPGA-TN-02052, simple feedback)."""
        return (self.divf + 1) / (2**self.divq * (self.divr + 1))


@dataclass(frozen=True)
class Block:
    """A multiplier block or single-port RAM with its parameters."""

    bel: Bel
    parameters: dict[str, int]


Cell = LogicCell | Memory | Pad | Pll | Block


@dataclass
class Circuit:
    """Nets are numbered; ``driver`` gives the cell and its port that drive one.

    ``buffered``: the net or pad behind each global net. ``carries_in``: what the net at the foot of a tile's carries reads where
    no carry comes from below.
    """

    database: ChipDatabase
    nets: list[int]
    cells: dict[int, Cell]
    drivers: dict[int, list[tuple[Bel, str]]]
    buffered: dict[int, int | Bel] = field(default_factory=dict)
    carries_in: dict[int, int] = field(default_factory=dict)
    def net(self, cell: Cell, port: str) -> int | None:
        """The net at a cell's port, or None where the cell has no such port."""
        wire = cell.bel.wire(port)
        return None if wire < 0 else self.nets[wire]

    def driver(self, net: int) -> tuple[Cell, str] | None:
        """What drives a net, through global buffers; None for nothing. Raises :class:`BuildError` for more than one driver."""
        while isinstance(self.buffered.get(net), int):
            net = self.buffered[net]  # type: ignore[assignment]
        source = self.buffered.get(net)
        if isinstance(source, Bel):
            return self._clock_or_pad(source)
        found = [(self.cells[bel.index], port) for bel, port in self.drivers.get(net, []) if bel.index in self.cells]
        if any(isinstance(cell, Pll) for cell, _ in found):
            # A PLL's output takes the place of the pad's input whose wire it uses.
            found = [(cell, port) for cell, port in found if isinstance(cell, Pll)]
        if len(found) > 1:
            raise BuildError("the bitstream joins outputs: " + " and ".join(f"{cell.bel.kind} at {cell.bel.x}, {cell.bel.y}" for cell, _ in found))
        return found[0] if found else None

    def _clock_or_pad(self, bel: Bel) -> tuple[Cell, str]:
        wire = bel.wire("D_IN_0")
        for cell in self.cells.values():
            if isinstance(cell, Pll) and wire in (cell.bel.wire("PLLOUT_A"), cell.bel.wire("PLLOUT_B")):
                return cell, "PLLOUT_A" if wire == cell.bel.wire("PLLOUT_A") else "PLLOUT_B"
        return self.cells[bel.index], "D_IN_0"

    def constants(self) -> dict[int, int]:
        """The value of each logic cell's table, by the cell's index, that is the same whatever the circuit does.

        Inputs that nothing drives are 0 (but for the foot of a carry chain); nextpnr makes a 1 of the inverse of such a one.
        """
        found: dict[int, int] = {}
        tables = {}
        for cell in self.cells.values():
            if isinstance(cell, LogicCell):
                sources = [self.driver(net) or self.carries_in.get(net, 0) for net in (self.nets[wire] for wire in cell.inputs)]
                tables[cell.bel.index] = cell.table, sources
        grows = True
        while grows:
            grows = False
            for index, (table, sources) in list(tables.items()):
                rows = list(range(16))
                for place, source in enumerate(sources):
                    value = source if isinstance(source, int) else self._constant(source, found)
                    if value is not None:
                        rows = [row for row in rows if row >> place & 1 == value]
                values = {table >> row & 1 for row in rows}
                if len(values) == 1:
                    found[index], grows = values.pop(), True
                    del tables[index]
        return found

    @staticmethod
    def _constant(source: tuple[Cell, str], found: dict[int, int]) -> int | None:
        cell, port = source
        of_table = isinstance(cell, LogicCell) and (port == "LO" or (port == "O" and not cell.registered))
        return found.get(cell.bel.index) if of_table else None

    def pads(self) -> Iterator[Pad]:
        """Every configured pad."""
        return (cell for cell in self.cells.values() if isinstance(cell, Pad))


def circuit_of(bits: Bitmap, database: ChipDatabase) -> Circuit:
    """The circuit of a bitstream. Raises :class:`BuildError` for one that is not of the database's device or joins outputs."""
    if bits.tiles.shape[:2] != (database.height, database.width):
        raise BuildError(f"a bitstream of {bits.tiles.shape[1]}×{bits.tiles.shape[0]} tiles is none of the iCE40 device {database.device}")
    nets = _nets(bits, database)
    reader = _Reader(bits, database)
    cells: dict[int, Cell] = {}
    drivers: dict[int, list[tuple[Bel, str]]] = {}
    inputs = _table_inputs(database)
    carries_in = {}
    for bel in database.bels:
        cell = reader.cell(bel, inputs)
        if cell is None:
            continue
        if isinstance(cell, LogicCell) and cell.carry_in is not None:
            carries_in[nets[bel.wire("CIN")]] = cell.carry_in
        cells[bel.index] = cell
        for port in _outputs(bel):
            if bel.wire(port) >= 0:
                drivers.setdefault(nets[bel.wire(port)], []).append((bel, port))
    circuit = Circuit(database, nets, cells, drivers, carries_in=carries_in)
    for record in database.globals:
        buffer = next(b for b in database.bels if b.kind == "gb" and (b.x, b.y) == (record["x"], record["y"]))
        out = nets[buffer.wire("GLOBAL_BUFFER_OUTPUT")]
        circuit.drivers.pop(out, None)
        if (int(record["bank"]), int(record["bit_x"]), int(record["bit_y"])) in bits.extra:
            place = (int(record["pad_x"]), int(record["pad_y"]), int(record["pad_z"]))
            circuit.buffered[out] = next(b for b in database.bels if b.kind == "io" and (b.x, b.y, b.z) == place)
        else:
            circuit.buffered[out] = nets[buffer.wire("USER_SIGNAL_TO_GLOBAL_BUFFER")]
    return circuit


def _nets(bits: Bitmap, database: ChipDatabase) -> list[int]:
    """A net's number for every wire: those that closed switches join have the same."""
    switches, pips = database.switches, database.pips
    value = np.zeros(len(switches), np.int64)
    for place in range(5):
        row, column = switches["row_col"][:, place, 0], switches["row_col"][:, place, 1]
        bit = bits.tiles[switches["y"], switches["x"], row, column]
        value = np.where(place < switches["bits"], 2 * value + bit, value)
    # Switches of a logic cell stand for routes through its table, whose own bits say the same.
    closed = pips[(value[pips["switch"]] == pips["mask"]) & (switches["bel"][pips["switch"]] < 0)]
    count = database.wire_count
    joined = coo_array((np.ones(len(closed), np.int8), (closed["src"], closed["dst"])), shape=(count, count))
    return connected_components(joined, directed=False)[1].tolist()


def _table_inputs(database: ChipDatabase) -> dict[int, tuple[int, ...]]:
    """The four wires into each logic cell's table, in its own order, by the cell's index.

    A cell's ports are wires behind switches that stand for any other order; the place of the switch in its group is the table's
    own input.
    """
    pips = database.pips
    owner = database.switches["bel"][pips["switch"]]
    into: dict[int, list[tuple[int, int]]] = {}
    last = {bel.wire("I3"): bel.index for bel in database.bels if bel.kind == "lc"}
    for number in np.flatnonzero(owner >= 0):
        cell = last.get(int(pips["dst"][number]))
        if cell is not None:
            into.setdefault(cell, []).append((int(pips["switch"][number]), int(pips["src"][number])))
    return {cell: tuple(wire for _, wire in sorted(found)) for cell, found in into.items()}


def _outputs(bel: Bel) -> tuple[str, ...]:
    return {
        "lc": ("O", "LO", "COUT"),
        "ram": tuple(f"RDATA_{bit}" for bit in range(16)),
        "io": ("D_IN_0", "D_IN_1"),
        "pll": ("PLLOUT_A", "PLLOUT_B", "LOCK"),
        "mac16": (*(f"O_{bit}" for bit in range(32)), "CO", "ACCUMCO", "SIGNEXTOUT"),
        "spram": tuple(f"DATAOUT_{bit}" for bit in range(16)),
    }.get(bel.kind, ())


class _Reader:
    """Reads each cell's own bits."""

    def __init__(self, bits: Bitmap, database: ChipDatabase):
        self.bits, self.database = bits, database

    def cell(self, bel: Bel, inputs: dict[int, tuple[int, ...]]) -> Cell | None:
        """The configured cell, or None for one that is not in use or of a kind unknown here."""
        if bel.kind == "lc":
            return self._logic(bel, inputs[bel.index])
        if bel.kind == "ram":
            return self._memory(bel)
        if bel.kind == "io":
            kind = sum(self._bit(IO_TILE, bel.x, bel.y, f"IOB_{bel.z}.PINTYPE_{bit}") << bit for bit in range(6))
            return Pad(bel, kind, bool(self._bit(IO_TILE, bel.x, bel.y, "NegClk")))
        if bel.kind == "pll":
            return self._pll(bel)
        if bel.kind == "mac16":
            return Block(bel, {name: self._number(bel, name, size, "IpConfig.") for name, size in MULTIPLIER_PARAMETERS.items()})
        if bel.kind == "spram":
            return Block(bel, {}) if self._number(bel, "SPRAM_EN", 1, "IpConfig.") else None
        return None

    def _logic(self, bel: Bel, wires: tuple[int, ...]) -> LogicCell:
        tile = self.bits.tiles[bel.y, bel.x]
        bits = [int(tile[at]) for at in self.database.entries(LOGIC_TILE)[f"LC_{bel.z}"]]
        table = sum(bits[place] << entry for entry, place in enumerate(TABLE_BITS))
        constant = self._bit(LOGIC_TILE, bel.x, bel.y, "CarryInSet") if bel.z == 0 else None
        return LogicCell(
            bel, table, wires, bool(bits[CARRY]), constant, bool(bits[REGISTERED]), bool(bits[SETS]),
            bool(bits[ASYNCHRONOUS]), bool(self._bit(LOGIC_TILE, bel.x, bel.y, "NegClk")),
        )  # fmt: skip

    def _memory(self, bel: Bel) -> Memory:
        mode = [self._bit(RAMT_TILE, bel.x, bel.y + 1, f"RamConfig.CBIT_{bit}") for bit in range(4)]
        below, above = self._bit(RAMB_TILE, bel.x, bel.y, "NegClk"), self._bit(RAMT_TILE, bel.x, bel.y + 1, "NegClk")
        # On the 1K the lower tile has the write port, elsewhere the read port.
        write, read = (below, above) if self.database.device in ("1k", "384") else (above, below)
        init = self.bits.memory.get((bel.x, bel.y), 0)
        return Memory(bel, (mode[0] + 2 * mode[1], mode[2] + 2 * mode[3]), (bool(write), bool(read)), init)

    def _pll(self, bel: Bel) -> Pll | None:
        kind = self._number(bel, "PLLTYPE", 3, "PLL.")
        if kind == 0:
            return None
        feedback, select = (self._number(bel, name, size, "PLL.") for name, size in (("FEEDBACK_PATH", 3), ("PLLOUT_SELECT_A", 2)))
        if feedback != SIMPLE_FEEDBACK or select != 0:
            raise BuildError(f"the PLL at {bel.x}, {bel.y} is fed back by path {feedback} with output {select}; known is the simple one")
        divr, divf, divq = (self._number(bel, name, size, "PLL.") for name, size in (("DIVR", 4), ("DIVF", 7), ("DIVQ", 3)))
        return Pll(bel, kind in (2, 4, 6), divr, divf, divq)

    def _number(self, bel: Bel, name: str, size: int, prefix: str) -> int:
        """A parameter of a cell whose bits lie in the tiles about it."""
        entries = self.database.cell_entries(bel)
        value = 0
        for bit in range(size):
            entry, x, y = entries[name if size == 1 else f"{name}_{bit}"]
            value |= self._bit(self.database.tile_kind(x, y), x, y, prefix + entry) << bit
        return value

    def _bit(self, kind: int, x: int, y: int, name: str) -> int:
        (row, column), *_ = self.database.entries(kind)[name]
        return int(self.bits.tiles[y, x, row, column])
