"""C's static tables as text: numbers, arrays, structures."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

BOUNDARIES = {"dirichlet": "NPDE_DIRICHLET", "neumann": "NPDE_NEUMANN", "periodic": "NPDE_PERIODIC"}


class CSource:
    """Declarations one after the other; each method gives the name that it declared, or ``NULL`` for nothing."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def array(self, kind: str, name: str, values: Iterable[object], *, storage: str = "static const") -> str:
        """An initialised array; an empty one is none."""
        items = [str(value) for value in values]
        if not items:
            return "NULL"
        body = textwrap.fill(", ".join(items), 116, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
        self._parts.append(f"{storage} {kind} {name}[{len(items)}] = {{\n{body}\n}};")
        return name

    def structures(self, kind: str, name: str, rows: Iterable[Mapping[str, object]]) -> str:
        """An array of structures, one a line."""
        lines = [f"    {fields(row)}," for row in rows]
        if not lines:
            return "NULL"
        self._parts.append("\n".join((f"static const {kind} {name}[{len(lines)}] = {{", *lines, "};")))
        return name

    def structure(self, kind: str, name: str, row: Mapping[str, object], *, static: bool = True) -> str:
        """One structure, a member a line."""
        lines = [f"    .{member} = {value}," for member, value in row.items()]
        self._parts.append("\n".join((f"{'static ' * static}const {kind} {name} = {{", *lines, "};")))
        return name

    def buffer(self, kind: str, name: str, count: int) -> str:
        """Room for ``count`` values, zero at first."""
        if not count:
            return "NULL"
        self._parts.append(f"static {kind} {name}[{count}];")
        return name

    def line(self, text: str) -> None:
        """Anything else."""
        self._parts.append(text)

    def __str__(self) -> str:
        return "\n".join(self._parts) + "\n"


def fields(row: Mapping[str, object]) -> str:
    """``{.a = 1, .b = 2}``."""
    return "{" + ", ".join(f".{member} = {value}" for member, value in row.items()) + "}"


def integer_type(bytes_of_one: int) -> str:
    """The C type of that many bytes, signed."""
    return f"int{8 * bytes_of_one}_t"


def octets(data: bytes) -> str:
    """Bytes as an initialiser."""
    return "{" + ", ".join(f"0x{byte:02x}" for byte in data) + "}"


def truth(value: bool) -> str:
    """``true`` or ``false``."""
    return str(bool(value)).lower()
