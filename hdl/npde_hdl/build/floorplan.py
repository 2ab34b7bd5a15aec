"""Where the multipliers of a cascade lie: pinned stage by stage along the rows of blocks, the logic then follows them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

CELL = "MULT18X18D"
STAGE = re.compile(r"step(\d+)\..*\bstage(\d+)\.")
BLOCK = ((0, 0), (1, 1), (4, 4), (5, 5))
"""The four multipliers of an ECP5 DSP block: how far from its left column, and nextpnr's number."""


class Blocks(NamedTuple):
    """Of a device: the ``rows`` in which DSP blocks lie, and in each row the ``columns`` where they begin."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]


BLOCKS = {
    28: Blocks((13,), (4, 13, 22, 33, 42, 51, 60)),
    72: Blocks((22, 46), (4, 13, 22, 31, 42, 51, 60, 69, 78)),
    156: Blocks((10, 34, 58), (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)),
}
"""LFE5U-12F and -25F, -45F, -85F, by the number of their multipliers."""


def pin_cascade(netlist: Path, multipliers: int) -> int:
    """Give every multiplier of an evolution's stages a place on a device of so many; how many were pinned.

    nextpnr's analytic placer packs logic as densely as it may and spreads what must lie elsewhere: the logic of a
    long cascade ends in one half of the device, its multipliers all over it, and the wires between do not route.
    Pinned in the order in which the field passes the stages (row by row, there and back), each stage's logic has
    its multipliers beside it and the next stage's behind them.

    ``netlist`` is Yosys' JSON and is written anew. Multipliers of other steps are left to the placer.
    """
    design = json.loads(netlist.read_text())
    cells = next(module["cells"] for module in design["modules"].values() if "top" in module["attributes"])
    stages: dict[tuple[int, int], list[str]] = {}
    for name, cell in cells.items():
        found = STAGE.search(name)
        if cell["type"] == CELL and found:
            stages.setdefault((int(found[1]), int(found[2])), []).append(name)
    if not stages:
        return 0
    for name, place in places([sorted(stages[stage]) for stage in sorted(stages)], BLOCKS[multipliers]).items():
        cells[name]["attributes"]["BEL"] = place
    netlist.write_text(json.dumps(design))
    return sum(map(len, stages.values()))


def places(stages: list[list[str]], blocks: Blocks) -> dict[str, str]:
    """nextpnr's name of a place for each multiplier of each stage, which begins a block of its own where there are enough.

    Raises :class:`ValueError` for more multipliers than the device has.
    """
    path = [(x, y) for turn, y in enumerate(blocks.rows) for x in blocks.columns[:: -1 if turn % 2 else 1]]
    spare = len(path) - sum(-(-len(stage) // len(BLOCK)) for stage in stages)
    sites = [f"X{x + right}/Y{y}/MULT18_{number}" for x, y in path for right, number in BLOCK]
    if sum(map(len, stages)) > len(sites):
        raise ValueError(f"{sum(map(len, stages))} multipliers on a device of {len(sites)}")
    pinned, at = {}, 0
    for passed, stage in enumerate(stages):
        pinned.update(zip(stage, sites[at:], strict=False))
        at += len(stage)
        if spare >= 0:
            gap = (passed + 1) * spare // len(stages) - passed * spare // len(stages)
            at = len(BLOCK) * (-(-at // len(BLOCK)) + gap)
    return pinned
