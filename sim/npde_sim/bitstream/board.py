"""A board whose simulation is made of nothing but its bitstream."""

from __future__ import annotations

import os
from pathlib import Path

from npde.errors import BuildError
from npde_hdl import board as boards
from npde_hdl.board import Board
from npde_hdl.build.bitstream import platform_of
from npde_sim.bitstream.bitmap import Bitmap, parse, unpack
from npde_sim.bitstream.chipdb import ChipDatabase, load
from npde_sim.bitstream.circuit import Circuit, LogicCell, Pad, Pll, circuit_of
from npde_sim.bitstream.verilog import Module, verilog_of
from npde_sim.vendor import models
from npde_sim.virtual.simulated import LARGE, NETLIST, SimulatedBoard, simulator

DEVICES = {"iCE40HX8K": "8k", "iCE40LP8K": "8k", "iCE40UP5K": "5k", "iCE40HX1K": "1k", "iCE40LP1K": "1k"}
"""IceStorm's name of the die in each device."""


class BitstreamBoard(SimulatedBoard):
    """What the bits of ``bitstream`` do on ``board``, which gives the pins and the oscillator; all else is in the bits.

    ``clock`` is the PLL's, in hertz, by the bits that set it. Raises :class:`BuildError` for a file that is no bitstream, is of
    another device or does what the decompiler does not know, and where a tool is missing.
    """

    def __init__(self, bitstream: str | os.PathLike[str], board: str):
        row = boards.get(board)
        decompilable(row)
        platform = platform_of(row)
        database = load(DEVICES[platform.device])
        bits = parse(unpack(bitstream))
        if bits.device != database.device:
            raise BuildError(f"{Path(bitstream)} is for the iCE40 device {bits.device}; {board} has {database.device}")
        text, self.clock = top_of(bits, database, row, platform)
        sources = {"top.v": text, "cells_sim.v": models("ice40", "cells_sim.v")}
        super().__init__(simulator(sources, compiled=LARGE, more=NETLIST), self.clock)


def decompilable(board: Board) -> None:
    """Raises :class:`BuildError` for a board whose bitstreams are not understood here."""
    if board.family != "ice40":
        raise BuildError(f"bitstreams are decompiled for iCE40 boards alone; {board.name} has an {board.family.upper()}: gates:{board.name} runs its netlist")


def top_of(bits: Bitmap, database: ChipDatabase, board: Board, platform) -> tuple[str, float]:
    """Verilog of the circuit with the module ``top`` about it that a simulator needs, and the clock in hertz."""
    circuit = circuit_of(bits, database)
    chip = verilog_of(circuit)
    pins = _pins(board, platform, database)
    port, clock = _clock(circuit, chip, board, pins["clock"])
    joined = {port: "clk"}
    for name, place in chip.inputs.items():
        if place != pins["rx"] and name != port:
            raise BuildError(f"the bitstream reads the pad at {place[0]}, {place[1]}, which is neither {board.name}'s clock nor its serial line")
        joined.setdefault(name, "rx")
    serial = [name for name, place in chip.outputs.items() if place == pins["tx"]]
    if not serial or "rx" not in joined.values():
        raise BuildError(f"the bitstream has no serial line on {board.name}'s pins; is it for another board?")
    joined |= {name: "tx" if name in serial else "" for name in chip.outputs}
    ports = ", ".join(f".{name}({signal})" for name, signal in joined.items())
    top = f"module top (input wire clk, input wire rst, input wire rx, output wire tx);\nchip chip ({ports});\nendmodule\n"
    return chip.text + top, clock


def _pins(board: Board, platform, database: ChipDatabase) -> dict[str, tuple[int, int, int]]:
    """The cells behind the board's oscillator and serial pins."""
    package = database.package(platform.package.lower())
    serial = {part.name: part.ios[0] for part in platform.lookup("uart").ios if part.name in ("rx", "tx")}
    places = {}
    for what, pins in (("clock", platform.lookup(platform.default_clk).ios[0]), *serial.items()):
        bel = database.bels[package[pins.names[0]]]
        places[what] = (bel.x, bel.y, bel.z)
    return places


def _clock(circuit: Circuit, chip: Module, board: Board, pin: tuple[int, int, int]) -> tuple[str, float]:
    """The module's port that the clock drives, and its frequency."""
    if len(chip.clocks) > 1:
        raise BuildError(f"the bitstream runs on {len(chip.clocks)} clocks of PLLs; known is one")
    if not chip.clocks:
        port = next((name for name, place in chip.inputs.items() if place == pin), None)
        if port is None:
            raise BuildError(f"the bitstream takes no clock from {board.name}'s oscillator; is it for another board?")
        return port, float(board.oscillator)
    port, pll = next(iter(chip.clocks.items()))
    fed = pll.bel.wire("PLLOUT_A") == _pad_at(circuit, pin).bel.wire("D_IN_0") if pll.pad else _reference(circuit, pll) == pin
    if not fed:
        raise BuildError(f"the bitstream's PLL is not fed by {board.name}'s oscillator; is it for another board?")
    return port, board.oscillator * pll.ratio()


def _pad_at(circuit: Circuit, pin: tuple[int, int, int]) -> Pad:
    return next(pad for pad in circuit.pads() if (pad.bel.x, pad.bel.y, pad.bel.z) == pin)


def _reference(circuit: Circuit, pll: Pll) -> tuple[int, int, int] | None:
    """The pad whose signal the PLL multiplies, through logic cells that do no more than pass it on; None for anything else."""
    net = circuit.net(pll, "REFERENCECLK")
    while net is not None:
        source = circuit.driver(net)
        if source is None:
            return None
        cell, _ = source
        if isinstance(cell, Pad):
            return cell.bel.x, cell.bel.y, cell.bel.z
        net = cell.passes(circuit) if isinstance(cell, LogicCell) else None
    return None
