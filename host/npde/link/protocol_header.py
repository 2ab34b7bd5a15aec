"""The protocol's constants for C, from its tables: ``python -m npde.link.protocol_header > firmware/include/npde_protocol.h``."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from npde.link import protocol
from npde.link.protocol import COMMANDS, INFO, LOADING, REGION, Kind, Status


def header() -> str:
    """The header: numbers, commands with the bytes their requests need, statuses."""
    numbers = {
        "PROTOCOL_VERSION": protocol.VERSION,
        "DELIMITER": protocol.DELIMITER,
        "REPLY": protocol.REPLY,
        "FRAME_BYTES": protocol.FRAME_BYTES,
        "CRC_BYTES": protocol.CRC_BYTES,
        "OVERHEAD_BYTES": protocol.OVERHEAD_BYTES,
        "HASH_BYTES": protocol.HASH_BYTES,
        "NAME_BYTES": protocol.NAME_BYTES,
        "FLAG_COMMITTED": protocol.FLAG_COMMITTED,
        "FLAG_RATE": protocol.FLAG_RATE,
        "FLAG_PROGRAMS": protocol.FLAG_PROGRAMS,
        "FIELD_LOAD": protocol.FIELD_LOAD,
        "FIELD_EMIT": protocol.FIELD_EMIT,
        "FIELD_REPORT": protocol.FIELD_REPORT,
        "HEADER_BYTES": protocol.HEADER.size,
        "MOST_REGIONS": (protocol.FRAME_BYTES - protocol.OVERHEAD_BYTES - 2 - protocol.HASH_BYTES - INFO.size) // REGION.size,
        "MOST_WORD_BYTES": protocol.FRAME_BYTES - protocol.OVERHEAD_BYTES - struct.calcsize(COMMANDS[Kind.WRITE].request.rstrip("+")),
    }
    return "\n".join((
        "/* The constants of docs/protocol.md, made from the tables in host/npde/link/protocol.py by",
        " * `python -m npde.link.protocol_header`; do not edit them here. */",
        "#ifndef NPDE_PROTOCOL_H",
        "#define NPDE_PROTOCOL_H",
        "",
        f'#define NPDE_MAGIC "{protocol.MAGIC.decode()}"',
        *(f"#define NPDE_{name} {value}" for name, value in numbers.items()),
        "",
        "/* Kinds of requests. */",
        *_enumeration((f"NPDE_{kind.name}", kind.value) for kind in Kind),
        "",
        "/* How a request ended. */",
        *_enumeration((f"NPDE_STATUS_{status.name}", status.value) for status in Status),
        "",
        "/* {kind, least bytes of a request's payload, whether more may follow, whether programs must be loadable} */",
        "#define NPDE_COMMANDS { \\",
        *(f"    {{NPDE_{command.kind.name}, {_least(command.request)}, {int(command.request.endswith('+'))}, {int(command.kind in LOADING)}}}, \\" for command in COMMANDS.values()),
        "}",
        "",
        "#endif",
    )) + "\n"  # fmt: skip


def _least(request: str) -> int:
    return struct.calcsize(request.rstrip("+"))


def _enumeration(entries: Iterable[tuple[str, int]]) -> list[str]:
    return ["enum {", *(f"    {name} = {value}," for name, value in entries), "};"]


if __name__ == "__main__":
    print(header(), end="")
