"""An upper bound of the stack a built firmware needs, from gcc's ``-fstack-usage`` and the calls in its disassembly."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from npde.errors import BuildError

FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
CALL = re.compile(r"\t(?:bl|blx|b|b\.w|b\.n|b[a-z]{2}(?:\.[nw])?)\t[0-9a-f]+ <([^+>]+)>")
INDIRECT = re.compile(r"\t(?:blx|bx)\t(?:r\d+|ip)")
WIDTHS = ("8_16", "16_16", "8_32", "16_32")
POINTERS = {
    "npde_dot": tuple(f"dot_{widths}_{sums}" for widths in WIDTHS for sums in ("narrow", "wide")),
    "npde_stream_put": ("cycles",),
    "npde_stream_work": ("cycles",),
    "npde_link_receive": ("put", "npde_load"),
}
"""What the runtime's functions call through pointers, where it is linked in."""
EXCEPTION_FRAME = 32
"""Bytes a Cortex-M puts on the stack when an interrupt comes."""


def stack_bound(folder: Path, elf: Path, *, objdump: str = "arm-none-eabi-objdump", indirect: Mapping[str, tuple[str, ...]] = POINTERS) -> int:
    """Bytes on the deepest path from ``main``, an interrupt on top of it.

    ``folder`` has the ``.su`` files. ``indirect`` names what a function calls through pointers. Raises
    :class:`BuildError` for recursion, for a stack frame without a bound, or for pointers that are called and not named.
    """
    frames: dict[str, int] = {}
    for file in folder.glob("*.su"):
        for line in file.read_text().splitlines():
            place, size, kind = line.split("\t")
            if kind not in ("static", "dynamic,bounded"):
                raise BuildError(f"{place} takes stack without a bound")
            name = place.rpartition(":")[2]
            frames[name] = max(int(size), frames.get(name, 0))
    calls, pointers, there = _calls(elf, objdump)
    unnamed = {name for name in pointers if name.partition(".")[0] not in indirect and name.partition(".")[0] in frames}
    if unnamed:
        raise BuildError(f"functions are called through pointers in {', '.join(sorted(unnamed))}, and which is not said")

    @cache
    def deepest(name: str, path: tuple[str, ...] = ()) -> int:
        if name in path:
            raise BuildError(f"{name} calls itself: {' → '.join((*path, name))}")
        plain = name.partition(".")[0]
        below = (*sorted(calls.get(name, set()) - {name}), *(callee for callee in indirect.get(plain, ()) if callee in there))
        return frames.get(plain, 0) + max((deepest(callee, (*path, name)) for callee in below), default=0)

    return deepest("main") + deepest("line_interrupt") + EXCEPTION_FRAME


def _calls(elf: Path, objdump: str) -> tuple[dict[str, set[str]], set[str], set[str]]:
    """Who calls whom, who calls through a pointer, and every function there is."""
    text = subprocess.run([objdump, "-d", str(elf)], capture_output=True, text=True, check=True).stdout
    calls: dict[str, set[str]] = {}
    pointers, there, here = set(), set(), ""
    for line in text.splitlines():
        if match := FUNCTION.match(line):
            here = match[1]
            there.add(here)
        elif match := CALL.search(line):
            calls.setdefault(here, set()).add(match[1])
        elif INDIRECT.search(line):
            pointers.add(here)
    return calls, pointers, there
