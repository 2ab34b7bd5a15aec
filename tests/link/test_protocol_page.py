"""The page in docs is the protocol's tables, today's."""

from __future__ import annotations

from pathlib import Path

from npde.link.protocol import COMMANDS, INFO_FIELDS, REGION_FIELDS, STATUSES, Status
from npde.link.protocol_page import page

COMMITTED = Path(__file__).parents[2] / "docs" / "protocol.md"


def test_the_committed_page_is_the_generated_one():
    assert COMMITTED.read_text() == page(), "make it anew: python -m npde.link.protocol_page > docs/protocol.md"


def test_the_page_has_every_command_status_and_field():
    text = page()
    assert set(STATUSES) == set(Status)
    for name in (*(c.name for c in COMMANDS), *(s.name for s in Status), *(f[0] for f in (*INFO_FIELDS, *REGION_FIELDS))):
        assert f"`{name}`" in text
    assert ":attr:" not in text
    assert "``" not in text
