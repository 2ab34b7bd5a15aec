"""Our models of the vendors' cells beside Yosys' of the same cells, or beside plain Verilog where Yosys has none."""

from __future__ import annotations

import random
import re
from importlib import resources

from npde_sim.vendor import models

PINS = 64
"""Bits of the shift register whose stages are every cell's pins."""


def ours(*names: str) -> str:
    return "".join(resources.files("npde_sim.gates").joinpath(name).read_text() for name in names)


def module(name: str, cells: list[str], outputs: int) -> str:
    """Cells on a register that random bits run through, a hash of all their outputs on ``tx``: one that differs shows within 31 cycles."""
    return "\n".join([
        f"module {name} (input wire clk, input wire rst, input wire rx, output wire tx);",
        f"reg [{PINS - 1}:0] r = 0; always @(posedge clk) r <= {{r[{PINS - 2}:0], rx}};", f"wire [{outputs - 1}:0] o;",
        "reg [30:0] hash = 0; always @(posedge clk) hash <= {hash[29:0], hash[30] ^ hash[27]} ^ (^o ? 31'h5a5a5a5a : 31'h1) ^ {31{o[hash[4:0] % "
        f"{outputs}]}}}};", "assign tx = hash[0];", *cells, "endmodule", "",
    ])  # fmt: skip


def pin(dice: random.Random) -> str:
    return f"r[{dice.randrange(PINS)}]"


def test_the_logic_cell_of_an_ice40(levels):
    dice = random.Random(3)
    parameters, pins = [], []
    for _ in range(40):
        parameters.append({
            "LUT_INIT": f"16'd{dice.choice([dice.randrange(65536), 0, 0xFFFF, 0xAAAA])}",
            **{name: f"1'b{dice.getrandbits(1)}" for name in ("NEG_CLK", "CARRY_ENABLE", "DFF_ENABLE", "SET_NORESET", "ASYNC_SR", "CIN_CONST", "CIN_SET")},
        })  # fmt: skip
        # A reset at once must come from a register, or both edges would race.
        pins.append({name: pin(dice) for name in ("I0", "I1", "I2", "I3", "CIN", "CEN", "SR")})
    sides = {}
    for name, kind in (("ours", "ICESTORM_LC"), ("yosys", "yosys_lc")):
        cells = []
        for number, (given, joined) in enumerate(zip(parameters, pins, strict=True)):
            settings = ", ".join(f".{key}({value})" for key, value in given.items())
            ports = ", ".join(f".{key}({value})" for key, value in joined.items())
            cells.append(f"wire c{number}; {kind} #({settings}) u{number} ({ports}, .CLK(clk), .LO(o[{3 * number}]), .O(o[{3 * number + 1}]), .COUT(c{number}));")
            # Without a carry Yosys' cell gives x.
            cells.append(f"assign o[{3 * number + 2}] = {'c' + str(number) if given['CARRY_ENABLE'][-1] == '1' else 0};")
        sides[name] = module(name, cells, 3 * len(pins))
    theirs = re.search(r"^module ICESTORM_LC\b.*?^endmodule", models("ice40", "cells_sim.v"), re.MULTILINE | re.DOTALL)
    assert theirs is not None
    # Each pin is joined, so that what it gives for z, which this simulator has not, says nothing.
    driven = re.sub(r"\((\w+) === 1'bz\) \? 1'b[01] : \1\b", r"\1", theirs[0].replace("ICESTORM_LC", "yosys_lc"))
    high, differing = levels(sides, ours("ice40.v", "lut4.v"), driven, cycles=3000)
    assert 1000 < high < 5000
    assert differing == [0]


def test_the_slices_of_an_ecp5(levels):
    dice = random.Random(5)
    mine, yosys, outputs = [], [], 0
    for number in range(24):
        table, joined = dice.randrange(65536), [pin(dice) for _ in range(6)]
        a, b, c, d, enable, reset = joined
        mine.append(f'TRELLIS_COMB #(.MODE("LOGIC"), .INITVAL({table})) l{number} (.A({a}), .B({b}), .C({c}), .D({d}), .F(o[{outputs}]));')
        yosys.append(f"LUT4 #(.INIT({table})) l{number} (.A({a}), .B({b}), .C({c}), .D({d}), .Z(o[{outputs}]));")
        given = ", ".join(
            f'.{key}("{dice.choice(values)}")' for key, values in
            {"CEMUX": ("1", "0", "CE", "INV"), "LSRMUX": ("LSR", "INV"), "CLKMUX": ("CLK", "INV"), "REGSET": ("SET", "RESET"), "SRMODE": ("LSR_OVER_CE", "ASYNC")}.items()
        )  # fmt: skip
        ports = f".CLK(clk), .CE({enable}), .LSR({reset}), .DI({a}), .M({b}), .Q(o[{outputs + 1}])"
        mine.append(f'TRELLIS_FF #(.SD("1"), {given}) f{number} ({ports});')
        yosys.append(f"yosys_ff #({given}) f{number} ({ports});")
        outputs += 2
    for number in range(12):
        tables, inject = [dice.randrange(65536) for _ in range(2)], [dice.choice(["YES", "NO"]) for _ in range(2)]
        pins = [[pin(dice) for _ in range(4)] for _ in range(2)]
        carry = pin(dice)
        mine.append(f"wire k{number};")
        for half, (into, out) in enumerate(((carry, f"k{number}"), (f"k{number}", f"o[{outputs + 2}]"))):
            joined = ", ".join(f".{name}({net})" for name, net in zip("ABCD", pins[half], strict=True))
            mine.append(
                f'TRELLIS_COMB #(.MODE("CCU2"), .INITVAL({tables[half]}), .CCU2_INJECT1("{inject[half]}")) c{number}_{half} '
                f"({joined}, .FCI({into}), .FCO({out}), .F(o[{outputs + half}]));"
            )
        joined = ", ".join(f".{name}{half}({net})" for half in range(2) for name, net in zip("ABCD", pins[half], strict=True))
        yosys.append(
            f'CCU2C #(.INIT0({tables[0]}), .INIT1({tables[1]}), .INJECT1_0("{inject[0]}"), .INJECT1_1("{inject[1]}")) c{number} '
            f"(.CIN({carry}), {joined}, .S0(o[{outputs}]), .S1(o[{outputs + 1}]), .COUT(o[{outputs + 2}]));"
        )
        outputs += 3
    # A distributed memory: four tables, and the write port's way into them (nextpnr's pack_dram).
    read, write, data, enable = ([pin(dice) for _ in range(4)] for _ in range(4))
    mine.append(
        "wire [3:0] wad, wdo; TRELLIS_RAMW w (" + ", ".join(f".{port}({net})" for port, net in zip(("D0", "B0", "C0", "A0"), write, strict=True)) + ", "
        + ", ".join(f".{port}({net})" for port, net in zip(("C1", "A1", "D1", "B1"), data, strict=True)) + ", "
        + ", ".join(f".WADO{bit}(wad[{bit}]), .WDO{bit}(wdo[{bit}])" for bit in range(4)) + ");"
    )  # fmt: skip
    for bit in range(4):
        joined = ", ".join(f".{port}({net})" for port, net in zip("DBCA", read, strict=True))
        mine.append(
            f'TRELLIS_COMB #(.MODE("DPRAM")) m{bit} ({joined}, .WD(wdo[{bit}]), .WAD0(wad[0]), .WAD1(wad[1]), .WAD2(wad[2]), '
            f".WAD3(wad[3]), .WRE({enable[0]}), .WCK(clk), .F(o[{outputs + bit}]));"
        )
    yosys.append(
        f"TRELLIS_DPR16X4 m (.DI({{{', '.join(reversed(data))}}}), .WAD({{{', '.join(reversed(write))}}}), .WRE({enable[0]}), .WCK(clk), "
        f".RAD({{{', '.join(reversed(read))}}}), .DO(o[{outputs + 3}:{outputs}]));"
    )
    outputs += 4
    theirs = models("lattice", "common_sim.vh") + models("lattice", "ccu2c_sim.vh")
    theirs = re.sub(r"^module (TRELLIS_COMB|TRELLIS_IO)\b.*?^endmodule", "", theirs, flags=re.MULTILINE | re.DOTALL)
    theirs = re.sub(r"^`include.*$", "", theirs, flags=re.MULTILINE)
    theirs = re.sub(r"^\s*specify.*?endspecify", "", theirs, flags=re.MULTILINE | re.DOTALL).replace("module TRELLIS_FF", "module yosys_ff")
    high, differing = levels(
        {"ours": module("ours", mine, outputs), "yosys": module("yosys", yosys, outputs)}, ours("ecp5.v", "lut4.v"), theirs, cycles=3000
    )
    assert 1000 < high < 5000
    assert differing == [0]


PLAIN = """
wire [35:0] p;
reg signed [17:0] a = 0, b = 0; reg [35:0] product = 0;
always @(posedge clk) if (r[40]) begin a <= r[17:0]; b <= r[35:18]; product <= a * b; end
assign p = product;
reg [8:0] narrow [0:2047]; reg [8:0] narrow_read = 0;
reg [17:0] middle [0:1023]; reg [17:0] middle_read = 0;
reg [35:0] wide [0:511]; reg [35:0] wide_read = 0;
integer i; initial begin for (i = 0; i < 2048; i = i + 1) narrow[i] = 0; for (i = 0; i < 1024; i = i + 1) middle[i] = 0; for (i = 0; i < 512; i = i + 1) wide[i] = 0; end
reg [17:0] mixed_read = 0;
always @(posedge clk) begin
    if (r[50]) begin if (r[51]) narrow[{r[3:0]}] <= r[30:22]; end
    if (r[52]) narrow_read <= narrow[{r[7:4]}];
    if (r[52]) mixed_read <= {narrow[{r[10:8], 1'b1}], narrow[{r[10:8], 1'b0}]};
    if (r[50] & r[53]) begin if (r[54]) middle[r[3:0]][8:0] <= r[30:22]; if (r[55]) middle[r[3:0]][17:9] <= r[39:31]; end
    if (r[52]) middle_read <= middle[r[7:4]];
    for (i = 0; i < 4; i = i + 1) if (r[50] & r[54 + i]) wide[r[3:0]][9 * i +: 9] <= r[18 + 9 * i +: 9];
    if (r[52]) wide_read <= wide[r[7:4]];
end
assign o = {p, narrow_read, mixed_read, middle_read, wide_read};
"""
CELLS = """
wire [35:0] p; wire [17:0] narrow_read, mixed_read, middle_read, lower, upper;
MULT18X18D #(.REG_INPUTA_CLK("CLK0"), .REG_INPUTB_CLK("CLK0"), .REG_OUTPUT_CLK("CLK0")) mult (
    .A(r[17:0]), .B(r[35:18]), .SIGNEDA(1'b1), .SIGNEDB(1'b1), .CLK0(clk), .CE0(r[40]), .RST0(1'b0), .P(p));
DP16KD #(.DATA_WIDTH_A(9), .DATA_WIDTH_B(9)) n (.CLKA(clk), .CEA(r[50]), .WEA(r[51]), .DIA({9'b0, r[30:22]}), .ADA({7'b0, r[3:0], 3'b0}),
    .CLKB(clk), .CEB(r[52]), .WEB(1'b0), .ADB({7'b0, r[7:4], 3'b0}), .DOB(narrow_read));
DP16KD #(.DATA_WIDTH_A(9), .DATA_WIDTH_B(18)) x (.CLKA(clk), .CEA(r[50]), .WEA(r[51]), .DIA({9'b0, r[30:22]}), .ADA({7'b0, r[3:0], 3'b0}),
    .CLKB(clk), .CEB(r[52]), .WEB(1'b0), .ADB({7'b0, r[10:8], 4'b0}), .DOB(mixed_read));
DP16KD #(.DATA_WIDTH_A(18), .DATA_WIDTH_B(18)) m (.CLKA(clk), .CEA(r[50]), .WEA(r[53]), .DIA(r[39:22]), .ADA({6'b0, r[3:0], 2'b0, r[55:54]}),
    .CLKB(clk), .CEB(r[52]), .WEB(1'b0), .ADB({6'b0, r[7:4], 4'b0}), .DOB(middle_read));
DP16KD #(.DATA_WIDTH_A(36), .DATA_WIDTH_B(36)) w (.CLKA(clk), .CEA(r[50]), .WEA(1'b1), .DIA(r[35:18]), .DIB(r[53:36]), .ADA({5'b0, r[3:0], 1'b0, r[57:54]}),
    .CLKB(clk), .CEB(r[52]), .WEB(1'b0), .ADB({5'b0, r[7:4], 5'b0}), .DOA(lower), .DOB(upper));
assign o = {p, narrow_read[8:0], mixed_read, middle_read, upper, lower};
"""


def test_the_blocks_of_an_ecp5(levels):
    high, differing = levels(
        {"plain": module("plain", [PLAIN], 117), "cells": module("cells", [CELLS], 117)}, ours("ecp5.v", "lut4.v"), cycles=6000
    )
    assert 2000 < high < 10_000
    assert differing == [0]
