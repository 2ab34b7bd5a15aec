"""Error of every ready equation by field width: ``python benchmarks/widths.py [FOLDER] [EQUATION …]`` prints the table, draws the plot.

Takes two minutes. The default widths in npde.equation.catalogue and docs/equations.md come from it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from npde.equation.catalogue import CATALOGUE
from npde.report.widths import draw_widths, markdown, width_study


def main(folder: str = "build/widths", *names: str) -> None:
    studies = {name: width_study(name) for name in (names or CATALOGUE)}
    table = markdown(studies)
    print(table)
    target = Path(folder)
    draw_widths(studies, target / "widths.png")
    (target / "widths.md").write_text(table + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
