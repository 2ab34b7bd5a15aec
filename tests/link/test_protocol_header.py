"""The firmware's constants are the protocol's tables, today's."""

from __future__ import annotations

from pathlib import Path

from npde.link.protocol import Kind, Status
from npde.link.protocol_header import header

COMMITTED = Path(__file__).parents[2] / "firmware" / "include" / "npde_protocol.h"


def test_the_committed_header_is_the_generated_one():
    assert COMMITTED.read_text() == header(), "make it anew: python -m npde.link.protocol_header > firmware/include/npde_protocol.h"


def test_the_header_has_every_command_and_status():
    for name in (*(f"NPDE_{kind.name} = {kind.value}," for kind in Kind), *(f"NPDE_STATUS_{status.name} = {status.value}," for status in Status)):
        assert name in header()
