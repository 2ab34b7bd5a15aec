"""What is said of files that are no routed netlist, and of cells that are not simulated."""

from __future__ import annotations

import json

import pytest

from npde.errors import BuildError
from npde_sim.gates import GateBoard
from npde_sim.gates.board import sources_of
from npde_sim.gates.netlist import read


def test_what_is_no_netlist(tmp_path, tiny):
    file = tmp_path / "routed.json"
    with pytest.raises(BuildError, match=r"no netlist at .*routed\.json: No such file"):
        read(file)
    for text, said in (("{", "is no netlist as nextpnr writes it"), ('{"modules": {"top": {"cells": {}}}}', "names no device, or has no cells")):
        file.write_text(text)
        with pytest.raises(BuildError, match=said):
            read(file)
    with pytest.raises(BuildError, match="names no device, or has no cells"):
        read(tiny.folder / "npde.json")  # as synthesised: no settings of nextpnr's


def changed(tiny, tmp_path, change):
    whole = json.loads((tiny.folder / "routed.json").read_text())
    change(next(iter(whole["modules"].values())))
    (tmp_path / "changed.json").write_text(json.dumps(whole))
    return tmp_path / "changed.json"


def test_a_netlist_that_was_not_placed_or_is_of_another_family(tiny, tmp_path):
    with pytest.raises(BuildError, match="was not placed and routed"):
        read(changed(tiny, tmp_path, lambda top: next(iter(top["cells"].values()))["attributes"].pop("NEXTPNR_BEL")))
    with pytest.raises(BuildError, match="is for ice40; ulx3s-25f is ecp5"):
        GateBoard(tiny.folder / "routed.json", "ulx3s-25f")


def test_cells_and_pads_that_are_not_simulated(tiny, tmp_path):
    def another(top):
        next(iter(top["cells"].values()))["type"] = "SB_WARMBOOT"

    with pytest.raises(BuildError, match="has a cell SB_WARMBOOT, which is not simulated here"):
        sources_of(read(changed(tiny, tmp_path, another)), "hx8k")

    def registered(top):
        next(cell for name, cell in top["cells"].items() if cell["type"] == "SB_IO" and "rx" in name)["parameters"]["PIN_TYPE"] = "000000"

    with pytest.raises(BuildError, match="pad of uart_0__rx__io is an input of kind 000000"):
        sources_of(read(changed(tiny, tmp_path, registered)), "hx8k")
