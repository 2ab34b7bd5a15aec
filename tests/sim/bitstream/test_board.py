"""What is said of files that are not the bitstream of the board they are given for."""

from __future__ import annotations

import numpy as np
import pytest

from npde.errors import BuildError, FitError
from npde_hdl import board as boards
from npde_hdl.build.bitstream import platform_of
from npde_sim.bitstream import chipdb
from npde_sim.bitstream.bitmap import parse, unpack
from npde_sim.bitstream.board import BitstreamBoard, top_of


def test_what_is_no_bitstream(tmp_path):
    file = tmp_path / "npde.bin"
    with pytest.raises(BuildError, match=r"no bitstream at .*npde\.bin; npde build makes one"):
        unpack(file)
    file.write_bytes(bytes(np.random.default_rng(0).integers(0, 256, 5000, np.uint8)))
    with pytest.raises(BuildError, match=r"npde\.bin is no iCE40 bitstream: iceunpack cannot read it"):
        unpack(file)


@pytest.mark.parametrize("text", ["", ".device 8k\n", ".logic_tile 1 1\n0101\n", ".device 8k\n.logic_tile 99 1\n01\n"])
def test_what_is_no_text_of_a_bitstream(text):
    with pytest.raises(BuildError, match="names no device, or has no tiles"):
        parse(text)


def test_a_tile_with_rows_too_long():
    with pytest.raises(BuildError, match="tile at 1, 2 of a bitstream has 1 rows"):
        parse(".device 8k\n.logic_tile 1 2\n" + "0" * 55 + "\n")


def test_memory_and_extra_bits_are_read():
    bits = parse(".device 8k\n.io_tile 0 1\n01\n10\n\n.ram_data 0 1\n" + "0f\n" + "00\n" * 14 + "80\n\n.extra_bit 1 330 142\n")
    assert bits.tiles[1, 0, :2, :2].tolist() == [[0, 1], [1, 0]]
    assert bits.memory == {(0, 1): 0x0F | 0x80 << 256 * 15}
    assert bits.extra == {(1, 330, 142)}


def test_a_bitstream_of_another_device_family_or_board(tiny):
    file = tiny.folder / "npde.bin"
    with pytest.raises(BuildError, match="is for the iCE40 device 8k; icebreaker has 5k"):
        BitstreamBoard(file, "icebreaker")
    with pytest.raises(BuildError, match="decompiled for iCE40 boards alone; ulx3s-25f has an ECP5: gates:ulx3s-25f runs its netlist"):
        BitstreamBoard(file, "ulx3s-25f")
    with pytest.raises(FitError, match="unknown board 'hx9k'"):
        BitstreamBoard(file, "hx9k")
    other = boards.get("tinyfpga-bx")
    with pytest.raises(BuildError, match="takes no clock from tinyfpga-bx's oscillator; is it for another board"):
        top_of(parse((tiny.folder / "npde.asc").read_text()), chipdb.load("8k"), other, platform_of(other))


def test_outputs_that_are_joined_are_refused(tiny):
    """One more switch closed, between a net that is driven and another cell's output."""
    database, bits = chipdb.load("8k"), parse((tiny.folder / "npde.asc").read_text())
    from npde_sim.bitstream.circuit import LogicCell, circuit_of

    circuit = circuit_of(bits, database)
    cell = next(c for c in circuit.cells.values() if isinstance(c, LogicCell) and c.registered)
    out, another = (bel.wire("O") for bel in (cell.bel, next(b for b in database.bels if b.kind == "lc" and b.index != cell.bel.index)))
    circuit.drivers[circuit.nets[out]].append(next((bel, "O") for bel in database.bels if bel.kind == "lc" and bel.wire("O") == another))
    with pytest.raises(BuildError, match="the bitstream joins outputs: lc at"):
        circuit.driver(circuit.nets[out])


def test_a_chip_database_that_is_missing_or_laid_out_otherwise(tmp_path, monkeypatch):
    with pytest.raises(BuildError, match="no chip database for the iCE40 device '9k'"):
        chipdb.ChipDatabase("9k")
    monkeypatch.setattr(chipdb, "_folder", lambda: tmp_path)
    (tmp_path / "chipdb-8k.bin").write_bytes(bytes(range(256)) * 64)
    with pytest.raises(BuildError, match=r"chipdb-8k\.bin is not laid out as nextpnr 0\.11 does"):
        chipdb.ChipDatabase("8k")


@pytest.mark.parametrize("device", ["8k", "5k"])
def test_ports_have_the_names_of_their_wires(device):
    """Port numbers are repeated here from nextpnr's list; its wires carry IceStorm's names."""
    database = chipdb.load(device)
    ram = next(bel for bel in database.bels if bel.kind == "ram")
    for port in [f"RADDR_{bit}" for bit in range(11)] + [f"WDATA_{bit}" for bit in range(16)] + ["WCLKE", "WE", "RCLK"]:
        assert database.wire_name(ram.wire(port)) == f"ram:{port}"
    pad = next(bel for bel in database.bels if bel.kind == "io")
    for port, name in (("D_IN_0", "D_IN_0"), ("D_OUT_0", "D_OUT_0"), ("OUTPUT_ENABLE", "OUT_ENB")):
        assert database.wire_name(pad.wire(port)) == f"io_{pad.z}:{name}"
    for block in (bel for bel in database.bels if bel.kind == "mac16"):
        assert all(database.wire_name(block.wire(f"O_{bit}")) == f"mult:O_{bit}" for bit in range(32))
