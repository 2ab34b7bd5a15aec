// nextpnr's cells of the ECP5 for a simulator of two states. Sources: Lattice FPGA-TN-02204 (memory usage), FPGA-TN-02205 (sysDSP),
// the ECP5 Family Data Sheet (slices), Yosys' lattice/common_sim.vh and Project Trellis. What a design of this project does not use is refused
// by the netlist's reader: it lists the parameters that these cells know.

// A table of four inputs; half of a carry chain's pair; or one bit of a distributed memory of 16 words.
module TRELLIS_COMB (
    input wire A, B, C, D, M, FCI, F1, FXA, FXB, WD, WAD0, WAD1, WAD2, WAD3, WRE, WCK,
    output wire F, FCO, OFX
);
    parameter MODE = "LOGIC", CCU2_INJECT1 = "NO", WREMUX = "WRE", WCKMUX = "WCK";
    parameter [15:0] INITVAL = 0;
    parameter [0:0] IS_Z1 = 0;

    wire four;
    lut4 #(INITVAL) lut (.I({D, C, B, A}), .O(four));

    generate
        if (MODE == "CCU2") begin
            // FPGA-TN-02204's CCU2C: the table's output passes the carry on, its lower quarter (A and B alone) makes one.
            wire two;
            lut4 #({12'b0, INITVAL[3:0]}) lower (.I({2'b00, B, A}), .O(two));
            assign F = four ^ (CCU2_INJECT1 == "YES" ? 1'b0 : FCI);
            assign FCO = four ? FCI : (CCU2_INJECT1 == "YES" ? 1'b0 : two);
        end else if (MODE == "DPRAM") begin
            // The read address lies on the table's inputs in the order D, B, C, A.
            reg [15:0] ram = INITVAL;
            wire enable = WREMUX == "1" ? 1'b1 : WREMUX == "0" ? 1'b0 : WREMUX == "INV" ? ~WRE : WRE;
            wire clock = WCKMUX == "INV" ? ~WCK : WCK;
            always @(posedge clock)
                if (enable) ram[{WAD0, WAD2, WAD1, WAD3}] <= WD;
            assign F = ram[{D, C, B, A}];
            assign FCO = 1'b0;
        end else begin
            assign F = four;
            assign FCO = 1'b0;
        end
        assign OFX = IS_Z1 ? (M ? FXB : FXA) : (M ? F1 : F);
    endgenerate
endmodule

// Where a distributed memory's write port enters the slices.
module TRELLIS_RAMW (
    input wire A0, B0, C0, D0, A1, B1, C1, D1,
    output wire WDO0, WDO1, WDO2, WDO3, WADO0, WADO1, WADO2, WADO3
);
    assign {WADO3, WADO2, WADO1, WADO0} = {A0, C0, B0, D0};
    assign {WDO3, WDO2, WDO1, WDO0} = {B1, D1, A1, C1};
endmodule

// A register; SD says whether it takes the slice's table (DI) or a wire of its own (M).
module TRELLIS_FF (input wire CLK, LSR, CE, DI, M, output wire Q);
    parameter GSR = "ENABLED", CEMUX = "1", CLKMUX = "CLK", LSRMUX = "LSR", SRMODE = "LSR_OVER_CE", REGSET = "RESET", SD = "0";

    wire data = SD == "1" ? DI : M;
    wire enable = CEMUX == "1" ? 1'b1 : CEMUX == "0" ? 1'b0 : CEMUX == "INV" ? ~CE : CE;
    wire reset = LSRMUX == "INV" ? ~LSR : LSR;
    wire clock = CLKMUX == "INV" ? ~CLK : CLK;
    reg q = REGSET == "SET";
    assign Q = q;
    generate
        if (SRMODE == "ASYNC") begin
            always @(posedge clock, posedge reset)
                if (reset) q <= REGSET == "SET";
                else if (enable) q <= data;
        end else begin
            always @(posedge clock)
                if (reset) q <= REGSET == "SET";
                else if (enable) q <= data;
        end
    endgenerate
endmodule

// Products of 18×18 bits, registered at operands and result (FPGA-TN-02205, MULT18X18D).
module MULT18X18D (
    input wire [17:0] A, B, input wire SIGNEDA, SIGNEDB, CLK0, CE0, RST0,
    output wire [35:0] P
);
    parameter REG_INPUTA_CLK = "NONE", REG_INPUTB_CLK = "NONE", REG_OUTPUT_CLK = "NONE", REG_PIPELINE_CLK = "NONE";

    reg [18:0] a_register = 0, b_register = 0;
    wire [18:0] a_in = {SIGNEDA & A[17], A}, b_in = {SIGNEDB & B[17], B};
    wire signed [18:0] a = REG_INPUTA_CLK == "NONE" ? a_in : a_register, b = REG_INPUTB_CLK == "NONE" ? b_in : b_register;
    wire signed [37:0] product = a * b;
    reg [35:0] middle_register = 0, p_register = 0;
    wire [35:0] middle = REG_PIPELINE_CLK == "NONE" ? product[35:0] : middle_register;
    assign P = REG_OUTPUT_CLK == "NONE" ? middle : p_register;
    always @(posedge CLK0)
        if (RST0) begin
            a_register <= 0; b_register <= 0; middle_register <= 0; p_register <= 0;
        end else if (CE0) begin
            a_register <= a_in; b_register <= b_in; middle_register <= product[35:0]; p_register <= middle;
        end
endmodule

// 1024 words of 18 bits with two ports, each of 1, 2, 4, 9, 18 or (both together one word) 36 bits (FPGA-TN-02204, DP16KD and PDPW16KD).
// With 36 bits port A writes and port B reads a pair of words: the lower half on A's pins, the upper on B's (so Yosys' lattice/brams_map_16kd.v).
module DP16KD (
    input wire [17:0] DIA, DIB, input wire [13:0] ADA, ADB, input wire [2:0] CSA, CSB,
    input wire CEA, OCEA, CLKA, WEA, RSTA, CEB, OCEB, CLKB, WEB, RSTB,
    output wire [17:0] DOA, DOB
);
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG", WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL";
    parameter [18431:0] CONTENT = 0;

    reg [17:0] memory [0:1023];
    integer i;
    initial for (i = 0; i < 1024; i = i + 1) memory[i] = CONTENT[18 * i +: 18];
    reg [17:0] a = 0, b = 0;
    assign DOA = a;
    assign DOB = b;

    generate
        if (DATA_WIDTH_A == 36) begin
            // The four lowest bits of the address enable bytes; nine bits of it name a pair.
            always @(posedge CLKA)
                if (CEA && WEA) begin
                    if (ADA[0]) memory[{ADA[13:5], 1'b0}][8:0] <= DIA[8:0];
                    if (ADA[1]) memory[{ADA[13:5], 1'b0}][17:9] <= DIA[17:9];
                    if (ADA[2]) memory[{ADA[13:5], 1'b1}][8:0] <= DIB[8:0];
                    if (ADA[3]) memory[{ADA[13:5], 1'b1}][17:9] <= DIB[17:9];
                end
            always @(posedge CLKB)
                if (CEB) begin
                    a <= memory[{ADB[13:5], 1'b0}];
                    b <= memory[{ADB[13:5], 1'b1}];
                end
        end else begin
            wire [17:0] a_old = memory[ADA[13:4]], b_old = memory[ADB[13:4]];
            wire [17:0] a_read, b_read, a_written, b_written;
            narrow #(DATA_WIDTH_A) narrow_a (.address(ADA[3:0]), .data(DIA), .old(a_old), .read(a_read), .written(a_written));
            narrow #(DATA_WIDTH_B) narrow_b (.address(ADB[3:0]), .data(DIB), .old(b_old), .read(b_read), .written(b_written));
            always @(posedge CLKA)
                if (CEA) begin
                    if (WEA) memory[ADA[13:4]] <= a_written;
                    if (!WEA || WRITEMODE_A == "READBEFOREWRITE") a <= a_read;
                end
            always @(posedge CLKB)
                if (CEB) begin
                    if (WEB) memory[ADB[13:4]] <= b_written;
                    if (!WEB || WRITEMODE_B == "READBEFOREWRITE") b <= b_read;
                end
        end
    endgenerate
endmodule

// A port's part of a word of 18 bits. At 18 bits the two lowest address bits enable bytes; at 9 the fourth chooses one.
// Narrower ports see the word without its ninth bits.
module narrow #(parameter WIDTH = 18) (
    input wire [3:0] address, input wire [17:0] data, old, output wire [17:0] read, written
);
    wire [15:0] packed_old = {old[16:9], old[7:0]};
    generate
        if (WIDTH == 18) begin
            assign read = old;
            assign written = {address[1] ? data[17:9] : old[17:9], address[0] ? data[8:0] : old[8:0]};
        end else if (WIDTH == 9) begin
            assign read = {9'b0, address[3] ? old[17:9] : old[8:0]};
            assign written = address[3] ? {data[8:0], old[8:0]} : {old[17:9], data[8:0]};
        end else begin
            // Of 4, 2 and 1 bits: address bits 3 to 2, 1, 0 choose.
            wire [3:0] place = WIDTH == 4 ? {address[3:2], 2'b00} : WIDTH == 2 ? {address[3:1], 1'b0} : address;
            wire [15:0] mask = ((16'b1 << WIDTH) - 16'b1) << place;
            wire [15:0] changed = (packed_old & ~mask) | ((data[15:0] << place) & mask);
            assign read = {2'b00, (packed_old >> place) & ((16'b1 << WIDTH) - 16'b1)};
            assign written = {old[17], changed[15:8], old[8], changed[7:0]};
        end
    endgenerate
endmodule
