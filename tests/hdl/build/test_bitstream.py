"""What npde makes of the tools' words: stand-ins for Yosys and nextpnr that say what a test wants."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import replace

import pytest

from npde.errors import BuildError
from npde.models import load_model
from npde_hdl import board
from npde_hdl.board.family import Cost
from npde_hdl.build import build
from npde_hdl.build.bitstream import ROUTER1_CELLS, _prepare, unindexed
from npde_hdl.plan import plan_for

ROUTER = """
import json, sys
seed = int(sys.argv[sys.argv.index("--seed") + 1])
said = {said!r}
open("npde.tim", "w").write(said)
if said:
    print("ERROR: Unable to place cell", file=sys.stderr)
    sys.exit(1)
cells = {{"ICESTORM_LC": [4700, 5280], "ICESTORM_DSP": [8, 8], "ICESTORM_RAM": [29, 30], "ICESTORM_SPRAM": [4, 4]}}
json.dump({{
    "fmax": {{"clk": {{"achieved": {fmax}[seed - 1], "constraint": 24.0}}, "pin": {{"achieved": 400.0, "constraint": 12.0}}}},
    "utilization": {{k: {{"used": u, "available": a}} for k, (u, a) in cells.items()}},
}}, open("timing.json", "w"))
open("npde.asc", "w").write("seed %d" % seed)
"""


@pytest.fixture
def plan():
    return plan_for(load_model("digits").program, board.get("icebreaker"))


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Installs a stand-in under a tool's name, in front of every other."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def install(name: str, body: str):
        path = folder / name
        path.write_text(f"#!{sys.executable}\n{body}")
        path.chmod(path.stat().st_mode | stat.S_IEXEC)

    install("yosys", "open('npde.json', 'w').write('{}')")
    install("icepack", "open('npde.bin', 'w').write(open('npde.asc').read())")
    return install


def test_seeds_are_tried_until_the_clock_is_met_and_the_report_says_so(tools, plan, tmp_path):
    tools("nextpnr-ice40", ROUTER.format(said="", fmax=[23.5, 23.9, 24.5, 99.0]))
    stages = []
    report = build(plan, tmp_path / "out", progress=stages.append)
    assert (report.seed, report.fmax, report.meets_timing) == (3, 24.5e6, True)
    assert (report.resources["logic cells"].used, report.resources["logic cells"].available) == (4700, 5280)
    assert (tmp_path / "out" / "npde.bin").read_text() == "seed 3"
    assert json.loads((tmp_path / "out" / "report.json").read_text())["seed"] == 3
    assert stages == ["generating", "synthesis", *(f"place and route, seed {n}" for n in (1, 2, 3)), "packing"]


def test_of_seeds_tried_at_once_the_best_is_kept_and_nothing_of_the_others(tools, plan, tmp_path):
    tools("nextpnr-ice40", ROUTER.format(said="", fmax=[20.0, 23.9, 24.5, 27.5, 26.0, 99.0]))
    stages = []
    report = build(plan, tmp_path / "out", jobs=5, progress=stages.append)
    assert (report.seed, report.fmax) == (4, 27.5e6)
    assert (tmp_path / "out" / "npde.bin").read_text() == "seed 4"
    assert stages == ["generating", "synthesis", "place and route, seeds 1, 2, 3, 4, 5", "packing"]
    assert not list((tmp_path / "out").glob("seed*"))


def test_a_clock_not_met_is_an_error_that_names_the_best_seed_and_leaves_no_bitstream(tools, plan, tmp_path):
    tools("nextpnr-ice40", ROUTER.format(said="", fmax=[21.0, 23.5, 22.0]))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "npde.bin").write_text("of an earlier build")
    with pytest.raises(BuildError, match=r"timing is not met on icebreaker: 23\.50 MHz .* after 3 seed\(s\), the clock is 24 MHz"):
        build(plan, tmp_path / "out", seeds=3)
    assert not (tmp_path / "out" / "npde.bin").exists()
    assert json.loads((tmp_path / "out" / "report.json").read_text())["fmax"] == 23.5e6


def test_a_device_too_small_is_told_by_resource_and_amount(tools, plan, tmp_path):
    tools("nextpnr-ice40", ROUTER.format(said="ICESTORM_LC:    5495/   5280   104%\nICESTORM_DSP: 8/ 8 100%", fmax=[]))
    with pytest.raises(BuildError, match="program 'digits' needs 5,495 logic cells where icebreaker has 5,280"):
        build(plan, tmp_path / "out")


def test_a_tool_that_fails_is_named_with_what_it_said(tools, plan, tmp_path):
    tools("yosys", "import sys; print('ERROR: Found logic loop', file=sys.stderr); sys.exit(1)")
    with pytest.raises(BuildError, match="yosys failed: ERROR: Found logic loop"):
        build(plan, tmp_path / "out")
    assert not (tmp_path / "out" / "report.json").exists()


def test_a_router_without_a_report_is_an_error(tools, plan, tmp_path):
    tools("nextpnr-ice40", "open('timing.json', 'w').write('{}')")
    with pytest.raises(BuildError, match="nextpnr left no readable report"):
        build(plan, tmp_path / "out")


@pytest.mark.parametrize(("cells", "router"), [(ROUTER1_CELLS, False), (ROUTER1_CELLS + 1, True)])
def test_large_ecp5_designs_are_left_to_router2(cells, router, tmp_path):
    plan = plan_for(load_model("mlp").program, board.get("ulx3s-25f"))
    _, route, _ = _prepare(replace(plan, cost=Cost(luts=cells)), board.get("ulx3s-25f"), tmp_path)
    assert ("router2" in route) == router


def test_names_that_look_like_bits_of_a_bus_are_spelt_otherwise_and_bits_are_not():
    text = "  wire width 17 \\sums[0]\n  wire \\a[1].b[2]\n  connect \\Y \\sums[0] [3]\n  connect \\A \\word [7:0]\n"
    assert unindexed(text) == text.replace("sums[0]", "sums<0>").replace("a[1].b[2]", "a<1>.b<2>")
