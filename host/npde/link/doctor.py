"""What is wrong with a board's connection and what to do about it, found by trying."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from serial.tools import list_ports

from npde.errors import LinkError
from npde.link.board import BAUD, Board
from npde.link.protocol import Kind
from npde.models import NAMES, load_model

BRIDGES = {
    (0x0403, 0x6010): "FTDI FT2232H, as on iCEBreaker and the HX8K breakout: the UART is its second port",
    (0x0403, 0x6015): "FTDI FT231X, as on ULX3S",
}
OTHER_BAUDS = (1_000_000, 115_200, 230_400, 2_000_000, 12_000_000)
ROUNDS = 200
"""Requests of the link test."""


class Finding(NamedTuple):
    """``ok`` False where something is wrong; ``advice`` says what to do then."""

    what: str
    ok: bool
    found: str
    advice: str = ""


def ports() -> list[Finding]:
    """Every serial port with USB ids, and what its bridge is known for."""
    found = []
    for port in sorted(list_ports.comports(), key=lambda port: port.device):
        if port.vid is not None:
            known = BRIDGES.get((port.vid, port.pid or 0), port.description or "unknown bridge")
            found.append(Finding(port.device, True, f"{port.vid:04x}:{port.pid or 0:04x} {known}"))
    if found:
        return found
    return [Finding("ports", False, "no USB serial port is there", "plug a board in; in a container or virtual machine pass its port through")]


def examine(port: str, baud: int = BAUD, *, opened: Callable[..., Board] = Board.open) -> list[Finding]:
    """The checks of one port in order, up to the first that fails; never raises :class:`LinkError`."""
    try:
        board = opened(port, baud=baud)
    except LinkError as error:
        return [_unopened(port, baud, str(error), opened)]
    with board:
        try:
            return _checks(board, baud)
        except LinkError as error:
            return [Finding("link", False, str(error), "check the cable and the hub, and whether another program uses the port")]


def _unopened(port: str, baud: int, sentence: str, opened: Callable[..., Board]) -> Finding:
    if "does not exist" in sentence:
        return Finding("port", False, sentence, "plug the board in, and see npde doctor without --port for the ports there are")
    if "in use" in sentence:
        return Finding("port", False, sentence, "close the other program")
    if os.path.exists(port) and not os.access(port, os.R_OK | os.W_OK):
        return Finding("port", False, sentence, f"you may not use it: add yourself to the group that owns {port} (often dialout), and log in again")
    if "nothing answers" in sentence:
        for other in OTHER_BAUDS:
            try:
                opened(port, baud=other).close()
            except LinkError:
                continue
            return Finding("bit rate", False, f"a board answers at {other:,} baud, not at {baud:,}", f"use --baud {other}")
        return Finding("board", False, sentence, "flash a bitstream with npde flash, choose the bridge's other port, or press the board's reset")
    return Finding("board", False, sentence, "reset the board and try again")


def _checks(board: Board, baud: int) -> list[Finding]:
    info, session = board.info, board.session
    names = [name for name in NAMES if load_model(name).program.shape_hash == info.shape]
    held = board.held
    holds = next((name for name in NAMES if load_model(name).content_hash == held), held.hex() if held else "none")
    findings = [
        Finding("board", True, f"{info.board} at {info.clock / 1e6:g} MHz, bitstream {info.build.hex()}"),
        Finding("program", True, f"made for {', '.join(names) or 'no shipped model: program ' + info.shape.hex()}"),
        Finding("model", True, f"{holds}"),
    ]
    if info.baud != baud:
        findings.append(Finding("bit rate", False, f"the board is made for {info.baud:,} baud, asked at {baud:,}", f"use --baud {info.baud}"))
    for length in range(ROUNDS // 10):
        nonce = os.urandom(4)
        if session.ask(Kind.SYNC, nonce)[:4] != nonce:
            return [*findings, Finding("loop-back", False, f"nonce {length} came back changed", "the port is used by another host as well")]
    findings.append(Finding("loop-back", True, f"{ROUNDS // 10} nonces came back as they were sent"))
    dropped, losses = board.status().dropped, session.losses
    for _ in range(ROUNDS):
        session.ask(Kind.STATUS)
    dropped, losses = (board.status().dropped - dropped) % 65536, session.losses - losses
    found = f"{ROUNDS} requests answered, {losses} sent again, {dropped} frames dropped by the board"
    findings.append(Finding("link", not dropped and not losses, found, "" if not (dropped or losses) else "use a shorter cable, no hub, or a lower --baud"))
    return findings
