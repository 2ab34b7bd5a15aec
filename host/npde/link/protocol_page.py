"""The protocol as a page, from its tables: ``python -m npde.link.protocol_page > docs/protocol.md``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

from npde.link import protocol
from npde.link.protocol import (
    COMMANDS,
    FRAME_BYTES,
    HASH_BYTES,
    INFO,
    INFO_FIELDS,
    OVERHEAD_BYTES,
    REFUSALS,
    REGION,
    REGION_FIELDS,
    REPLY,
    STATUSES,
    VERSION,
)

CODES = {"B": "u8", "H": "u16", "I": "u32"}


def page() -> str:
    """Markdown: what the module's text says, then every table of it."""
    title, _, text = _markdown(inspect.getdoc(protocol) or "").partition("\n\n")
    commands = (
        (f"`{command.kind.name}`", f"0x{command.kind:02x}", _layout(command.request), _layout(command.reply), command.meaning)
        for command in COMMANDS.values()
    )
    statuses = ((str(int(status)), f"`{status.name}`", meaning) for status, meaning in STATUSES.items())
    refusals = ((f"−{-refusal}", f"`{refusal.name}`", meaning) for refusal, meaning in REFUSALS.items())
    return "\n\n".join((
        f"# Board protocol, version {VERSION}",
        "Made from the tables in `host/npde/link/protocol.py` by `python -m npde.link.protocol_page`; do not edit it here.",
        title,
        text,
        "## Numbers",
        _table(("what", "value"), (
            ("longest frame before stuffing", f"{FRAME_BYTES} bytes"),
            ("of which kind, sequence and CRC", f"{OVERHEAD_BYTES} bytes"),
            ("hashes of programs and models", f"{HASH_BYTES} bytes"),
            ("kind of an answer", f"the request's + 0x{REPLY:02x}"),
            ("fewest clock cycles a bit", f"{protocol.LEAST_CYCLES}"),
            ("wait for a whole frame at a rate asked for", f"{protocol.RATE_HOLD_MS} ms"),
            ("header of a resident field's sample", f"{_layout(protocol.HEADER.format.lstrip('<'))}: flags, time steps"),
            ("its flags", f"load {protocol.FIELD_LOAD}, emit {protocol.FIELD_EMIT}, report {protocol.FIELD_REPORT}"),
        )),
        "## Commands",
        "Numbers are little-endian; `bytes` may be any number of them.",
        _table(("command", "kind", "request", "reply", "meaning"), commands),
        "## Statuses",
        _table(("status", "name", "meaning"), statuses),
        "Why an image was refused:",
        _table(("refusal", "name", "meaning; what the number says"), refusals),
        f"## INFO block, {INFO.size} bytes and {REGION.size} for each weight memory",
        _table(("field", "type", "meaning"), _fields(INFO_FIELDS)),
        "Each weight memory:",
        _table(("field", "type", "meaning"), _fields(REGION_FIELDS)),
    )) + "\n"  # fmt: skip


def _markdown(text: str) -> str:
    """The docstring's references and literals as Markdown code."""
    return re.sub(r":\w+:`([^`]+)`", r"`\1`", text).replace("``", "`")


def _fields(fields: Iterable[tuple[str, str, str]]) -> Iterable[tuple[str, str, str]]:
    return ((f"`{name}`", _layout(code), meaning) for name, code, meaning in fields)


def _layout(text: str) -> str:
    """A struct format in words."""
    parts = [f"{size} bytes" if code == "s" else CODES[code] for size, code in re.findall(r"(\d*)([BHIs])", text)]
    return ", ".join(parts + ["bytes"] * text.endswith("+")) or "–"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))


if __name__ == "__main__":
    print(page(), end="")
