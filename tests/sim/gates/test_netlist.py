"""What is said of files that are no routed netlist, and of cells that are not simulated."""

from __future__ import annotations

import json

import pytest

from npde.errors import BuildError
from npde_hdl import board as boards
from npde_sim.gates import GateBoard, ecp5
from npde_sim.gates.board import sources_of
from npde_sim.gates.netlist import Cell, Netlist, read


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


def memory(**parameters) -> Netlist:
    """One block RAM of an ECP5 whose resets and selects rest at 0."""
    still = {f"{port}MUX": "INV" for port in ecp5.STILL}
    cell = Cell("DP16KD", {"DATA_WIDTH_A": "1001", "DATA_WIDTH_B": "1001", **still, **parameters}, {"NEXTPNR_BEL": "here"})
    return Netlist({"memory": cell}, settings={"arch.name": "ecp5"})


def test_a_block_ram_of_an_ecp5_with_its_content():
    text, clock = ecp5.verilog_of(memory(INITVAL_01="1" + "0" * 20), boards.get("ulx3s-25f"))
    assert clock == 25_000_000
    assert f"18432'h{1 << 18 * 17:x}" in text
    assert ".CEA(1'b1)" in text
    assert ".WEA(1'b0)" in text


@pytest.mark.parametrize(("parameters", "said"), [
    ({"DATA_WIDTH_A": "100100"}, "DP16KD of 36 and 9 bits"),
    ({"RSTAMUX": "RSTA"}, "DP16KD whose RSTA does not rest at 0"),
    ({"REGMODE_B": "OUTREG"}, "DP16KD with REGMODE_B=OUTREG; simulated are NOREG"),
    ({"WRITEMODE_A": "WRITETHROUGH"}, "simulated are NORMAL, READBEFOREWRITE"),
])  # fmt: skip
def test_a_block_ram_of_an_ecp5_in_a_mode_that_is_not_simulated(parameters, said):
    with pytest.raises(BuildError, match=said):
        ecp5.verilog_of(memory(**parameters), boards.get("ulx3s-25f"))


def test_a_register_that_is_never_reset_has_no_reset_joined():
    """nextpnr leaves the pin alone where the reset rests, whichever way it is read."""
    for mux, rests in (("LSR", "1'b0"), ("INV", "1'b1")):
        cell = Cell("TRELLIS_FF", {"LSRMUX": mux, "GSR": "DISABLED"}, {}, {"LSR": "input", "Q": "output"}, {"LSR": [], "Q": [4]})
        assert f".LSR({rests})" in ecp5.verilog_of(Netlist({"register": cell}), boards.get("ulx3s-25f"))[0]
