"""A component with byte ports, compiled once for each content, and records of bytes put through it."""

import struct
import subprocess
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from amaranth.back import verilog
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npde.errors import BuildError
from npde_sim import verilator

FLAGS = (
    "--cc", "--exe", "--build", "-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint", "--top-module", "top",
    "-CFLAGS", f"{verilator.STANDARD} -O1 -DVL_TIME_CONTEXT", "-MAKEFLAGS", verilator.MAKEFLAGS,
)  # fmt: skip
UNTIL_HUNG = 200_000
"""Cycles that an answer may take: far more than the longest frame's."""


class Hung(Exception):
    """An answer did not come; ``record`` is the number of what had been sent."""

    def __init__(self, record: int):
        self.record = record
        super().__init__(f"no answer to record {record}")


class Outcome(NamedTuple):
    """``wire``: every byte that came back. ``stray``: whether the component's signal of that name was ever high."""

    wire: bytes
    cycles: int
    stray: bool


class Flat(wiring.Component):
    """``core`` with ports whose names C++ can say; it has ``byte``, ``valid``, the stream ``bytes`` and ``stray``."""

    in_byte: In(8)
    in_valid: In(1)
    out_byte: Out(8)
    out_valid: Out(1)
    out_ready: In(1)
    stray: Out(1)

    def __init__(self, core: wiring.Component):
        self.core = core
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = self.core
        m.d.comb += [
            core.byte.eq(self.in_byte), core.valid.eq(self.in_valid), core.bytes.ready.eq(self.out_ready),
            self.out_byte.eq(core.bytes.payload), self.out_valid.eq(core.bytes.valid), self.stray.eq(core.stray),
        ]  # fmt: skip
        return m


class ByteLine:
    """``component``, Verilated; raises :class:`BuildError` when the tools refuse it."""

    def __init__(self, component: wiring.Component):
        flat = Flat(component)
        ports = [flat.in_byte, flat.in_valid, flat.out_byte, flat.out_valid, flat.out_ready, flat.stray]
        self.binary = _build(verilog.convert(flat, name="top", ports=ports, emit_src=False, strip_internal_attrs=True))

    def run(self, records: Iterable[tuple[bytes, int]]) -> Outcome:
        """Each record's bytes, and how many frames are to come back before the next; raises :class:`Hung`."""
        sent = b"".join(struct.pack("<II", len(wire), answers) + wire for wire, answers in records)
        done = subprocess.run([self.binary, str(UNTIL_HUNG)], input=sent, capture_output=True, check=False)
        said = done.stderr.split()
        if done.returncode == 3:
            raise Hung(int(said[0]))
        if done.returncode not in (0, 4):
            raise BuildError(f"the simulator ended with {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}")
        return Outcome(done.stdout, int(said[-1]), done.returncode == 4)


def _build(text: str) -> Path:
    harness = resources.files("npde_sim.fuzz").joinpath("harness.cpp").read_text()
    return verilator.executable("fuzz", {"top.v": text, "harness.cpp": harness}, FLAGS, "the byte line")
