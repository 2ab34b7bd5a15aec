"""A bitstream's bits by tile, from the text that IceStorm's iceunpack makes of it."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npde.errors import BuildError
from npde_hdl.build.tool import run_tool

ROWS, COLUMNS = 16, 54
"""Of the largest tile."""
RAM_BITS = 4096
LARGEST = 1 << 24
"""Bytes a bitstream has at most; the largest iCE40's is 135 kB."""


@dataclass
class Bitmap:
    """What a bitstream configures.

    ``device``: IceStorm's name. ``tiles``: (height, width, 16, 54) of 0 and 1, zero where a tile is smaller. ``memory``: the
    4096 initial bits of a block RAM, as an integer, by x and y of its lower tile. ``extra``: single bits (bank, x, y).
    """

    device: str
    tiles: NDArray[np.uint8]
    memory: dict[tuple[int, int], int] = field(default_factory=dict)
    extra: set[tuple[int, int, int]] = field(default_factory=set)


def unpack(bitstream: str | os.PathLike[str]) -> str:
    """The text of a ``.bin`` file; raises :class:`BuildError` where it is none, or iceunpack is missing."""
    path = Path(bitstream)
    if not path.is_file():
        raise BuildError(f"no bitstream at {path}; npde build makes one")
    if path.stat().st_size > LARGEST:
        raise BuildError(f"{path} is no iCE40 bitstream: it has {path.stat().st_size:,} bytes")
    with tempfile.TemporaryDirectory() as folder:
        # The WebAssembly tools see no other folder than the one they run in.
        shutil.copyfile(path, Path(folder) / "in.bin")
        try:
            run_tool(["iceunpack", "in.bin", "out.asc"], Path(folder), "iceunpack's own words")
        except BuildError as error:
            if "is installed" in str(error):
                raise
            raise BuildError(f"{path} is no iCE40 bitstream: iceunpack cannot read it") from None
        return (Path(folder) / "out.asc").read_text("ascii")


def parse(text: str) -> Bitmap:
    """The bits that IceStorm's text states; raises :class:`BuildError` where it is no such text.

    https://prjicestorm.readthedocs.io/en/latest/format.html describes it; symbols and comments say nothing of the circuit.
    """
    device = re.search(r"^\.device (\S+)$", text, re.MULTILINE)
    sizes = [(int(x), int(y)) for x, y in re.findall(r"^\.\w+_tile (\d+) (\d+)$", text, re.MULTILINE)]
    if device is None or not sizes or max(max(size) for size in sizes) >= 64:
        raise BuildError("not IceStorm's text of a bitstream: it names no device, or has no tiles")
    bits = Bitmap(device[1], np.zeros((max(y for _, y in sizes) + 1, max(x for x, _ in sizes) + 1, ROWS, COLUMNS), np.uint8))
    for block in re.split(r"^\.", text, flags=re.MULTILINE)[1:]:
        head, *lines = block.split("\n")
        name, *numbers = head.split()
        lines = [line for line in lines if line]
        if name.endswith("_tile"):
            x, y = (int(number) for number in numbers)
            tile = np.array([[bit == "1" for bit in line] for line in lines], np.uint8)
            if tile.ndim != 2 or tile.shape[0] > ROWS or tile.shape[1] > COLUMNS:
                raise BuildError(f"the tile at {x}, {y} of a bitstream has {len(lines)} rows of unequal or too great length")
            bits.tiles[y, x, : tile.shape[0], : tile.shape[1]] = tile
        elif name == "ram_data":
            x, y = (int(number) for number in numbers)
            # Sixteen lines of 256 bits, the first the lowest.
            bits.memory[x, y] = sum(int(line, 16) << (256 * row) for row, line in enumerate(lines))
        elif name == "extra_bit":
            bank, x, y = (int(number) for number in numbers)
            bits.extra.add((bank, x, y))
    return bits
