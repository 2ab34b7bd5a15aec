"""One design at three levels: as written, as placed and routed, and as decompiled from its bits."""

from __future__ import annotations

import re

import pytest

from npde.data import load_data
from npde.link.board import BAUD
from npde.models import load_model
from npde_sim.bitstream.bitmap import parse, unpack
from npde_sim.bitstream.board import top_of
from npde_sim.bitstream.chipdb import LOGIC_TILE, load
from npde_sim.bitstream.circuit import LogicCell, circuit_of
from npde_sim.gates.board import sources_of
from npde_sim.gates.netlist import read
from npde_sim.verify import compare

HIGH = (4_000, 36_000)
"""Of 40,000 half cycles: an output that rests would hide every fault."""


def renamed(verilog: str, name: str) -> str:
    """Modules ``top`` and ``chip`` under names of their own."""
    verilog = re.sub(r"\bmodule top\b", f"module {name}", verilog)
    return re.sub(r"\bchip\b", f"{name}_chip", verilog)


def as_written(source: str) -> str:
    return renamed(source, "written_chip") + (
        "module written (input wire clk, input wire rst, input wire rx, output wire tx);\n"
        "written_chip here (.clk12_0__io(clk), .uart_0__rx__io(rx), .uart_0__tx__io(tx));\nendmodule\n"
    )


def one_bit_flipped(bits, database):
    """The bits with one more, of the table of a logic cell whose register's input depends on all four of its wires."""
    circuit = circuit_of(bits, database)
    cells = [cell for cell in circuit.cells.values() if isinstance(cell, LogicCell) and cell.registered and not cell.makes_carry]
    cell = next(c for c in cells if all(circuit.driver(circuit.nets[wire]) is not None for wire in c.inputs))
    row, column = database.entries(LOGIC_TILE)[f"LC_{cell.bel.z}"][4]
    bits.tiles[cell.bel.y, cell.bel.x, row, column] ^= 1
    return bits


def test_netlist_and_bitstream_do_what_was_written_and_one_bit_flipped_does_not(tiny, levels):
    database, text = load("8k"), unpack(tiny.folder / "npde.bin")
    of_bits, clock = top_of(parse(text), database, tiny.board, tiny.platform)
    flipped, _ = top_of(one_bit_flipped(parse(text), database), database, tiny.board, tiny.platform)
    gates, gates_clock = sources_of(read(tiny.folder / "routed.json"), "hx8k")
    assert clock == gates_clock == tiny.board.oscillator

    source = (tiny.folder / "tiny.v").read_text()
    high, differing = levels(
        {"written": as_written(source), "routed": renamed(gates.pop("top.v"), "routed"), "bits": renamed(of_bits, "bits"),
         "flipped": renamed(flipped, "flipped")}, *gates.values(),
    )  # fmt: skip
    assert HIGH[0] < high < HIGH[1]
    assert differing[:2] == [0, 0]
    assert differing[2] > 100


@pytest.mark.slow
@pytest.mark.parametrize("port", ["gates:icebreaker", "bits:icebreaker", "gates:hx8k", "bits:hx8k"])
def test_a_board_made_of_what_was_built_answers_as_golden_does(port):
    """Block RAMs, multiplier blocks, single-port RAMs and the PLL's dividers among it; built first, if need be."""
    outcome = compare(port, BAUD, load_model("digits"), load_data("digits").test_x[:20])
    assert outcome.values == 200
    assert outcome.mismatches == 0, outcome.first
