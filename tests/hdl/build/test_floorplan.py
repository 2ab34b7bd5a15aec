"""The floor plan of a cascade: every multiplier on a site of its own, stages in the order of the rows, the rest untouched."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from npde_hdl.build.floorplan import BLOCKS, pin_cascade, places
from npde_hdl.build.tool import find_tool

FAMILY_OPTION = {28: "25k", 72: "45k", 156: "85k"}


def at(place):
    x, y, number = re.fullmatch(r"X(\d+)/Y(\d+)/MULT18_([0145])", place).groups()
    return int(x), int(y), int(number)


@pytest.mark.parametrize("device", BLOCKS)
@pytest.mark.parametrize(("stages", "each"), [(3, 8), (1, 28), (5, 5), (7, 4), (2, 1)])
def test_every_multiplier_has_a_site_of_its_own_and_stages_follow_each_other(device, stages, each):
    names = [[f"{stage}.{number}" for number in range(each)] for stage in range(stages)]
    placed = places(names, BLOCKS[device])
    assert len(set(placed.values())) == stages * each == len(placed)
    order = [at(placed[name]) for stage in names for name in stage]
    assert all(y in BLOCKS[device].rows and x - number in BLOCKS[device].columns for x, y, number in order)
    assert [y for _, y, _ in order] == sorted(y for _, y, _ in order)
    for turn, row in enumerate(BLOCKS[device].rows):
        blocks = [x - number for x, y, number in order if y == row]
        assert blocks == sorted(blocks, reverse=bool(turn % 2))
    if stages * -(-each // 4) <= len(BLOCKS[device].rows) * len(BLOCKS[device].columns):
        begins = {at(placed[stage[0]])[2] for stage in names}
        assert begins == {0}


def test_a_short_cascade_is_spread_over_the_device():
    placed = places([[str(stage)] for stage in range(3)], BLOCKS[156])
    assert [at(place)[1] for place in placed.values()] == [10, 34, 58]


def test_more_multipliers_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="30 multipliers on a device of 28"):
        places([[str(n) for n in range(30)]], BLOCKS[28])


def test_only_a_cascades_multipliers_are_pinned(tmp_path):
    def cell(kind):
        return {"type": kind, "attributes": {}}

    cells = {
        "soc.pipeline.step1.field.cascade.stage10.arithmetic.term0.mult0": cell("MULT18X18D"),
        "soc.pipeline.step1.field.cascade.stage9.arithmetic.term0.mult0": cell("MULT18X18D"),
        "soc.pipeline.step1.field.cascade.stage9.arithmetic.sum": cell("LUT4"),
        "soc.pipeline.step0.lanes.products.mult3": cell("MULT18X18D"),
    }
    netlist = tmp_path / "npde.json"
    netlist.write_text(json.dumps({"modules": {"part": {"attributes": {}}, "top": {"attributes": {"top": "1"}, "cells": cells}}}))
    assert pin_cascade(netlist, 28) == 2
    pinned = {name: c["attributes"].get("BEL") for name, c in json.loads(netlist.read_text())["modules"]["top"]["cells"].items()}
    assert list(pinned.values()) == [pinned["soc.pipeline.step1.field.cascade.stage10.arithmetic.term0.mult0"], "X4/Y13/MULT18_0", None, None]
    assert at(next(iter(pinned.values())))[0] > 4


@pytest.mark.slow
@pytest.mark.parametrize("device", BLOCKS)
def test_nextpnr_knows_exactly_these_sites(device, tmp_path):
    """A design of as many multipliers as there are takes every one."""
    registers = ", ".join(f'.REG_{which}_CLK("CLK0")' for which in ("INPUTA", "INPUTB", "OUTPUT"))
    instances = "\n".join(
        f"MULT18X18D #({registers}) m{n} (.CLK0(clk), .CE0(1'b1), .A0(a), .B0(a), .P{n % 8}(p[{n}]));" for n in range(device)
    )
    (tmp_path / "top.v").write_text(f"module top(input clk, input a, output y);\nwire [{device - 1}:0] p;\nassign y = ^p;\n{instances}\nendmodule\n")
    for command in (
        ["yosys", "-q", "-p", "read_verilog top.v; synth_ecp5 -top top -json top.json"],
        ["nextpnr-ecp5", "-q", f"--{FAMILY_OPTION[device]}", "--package", "CABGA381", "--json", "top.json", "--write", "placed.json",
         "--lpf-allow-unconstrained"],
    ):  # fmt: skip
        subprocess.run([find_tool(command[0]), *command[1:]], cwd=tmp_path, check=True)
    placed = json.loads((tmp_path / "placed.json").read_text())["modules"]["top"]["cells"].values()
    taken = {cell["attributes"]["NEXTPNR_BEL"] for cell in placed if cell["type"] == "MULT18X18D"}
    assert taken == set(places([[str(n) for n in range(device)]], BLOCKS[device]).values())
