// nextpnr's logic cell of the iCE40, for a simulator of two states: what Yosys' ice40/cells_sim.v states of it, with no value for
// an input that nothing is joined to (the netlist joins each) and no logic but what the parameters leave.
// Its table, register, enable, reset and carry: Lattice iCE40 LP/HX Family Data Sheet, "PLB Blocks".
module ICESTORM_LC (
    input wire I0, I1, I2, I3, CIN, CLK, CEN, SR,
    output wire LO, O, COUT
);
    parameter [15:0] LUT_INIT = 0;
    parameter [0:0] NEG_CLK = 0, CARRY_ENABLE = 0, DFF_ENABLE = 0, SET_NORESET = 0, ASYNC_SR = 0, CIN_CONST = 0, CIN_SET = 0;

    lut4 #(LUT_INIT) lut (.I({I3, I2, I1, I0}), .O(LO));

    generate
        if (CARRY_ENABLE) begin
            wire carry = CIN_CONST ? CIN_SET : CIN;
            assign COUT = (I1 & I2) | ((I1 | I2) & carry);
        end else
            assign COUT = 1'b0;
        if (!DFF_ENABLE)
            assign O = LO;
        else begin
            reg q = 1'b0;
            wire clock = CLK ^ NEG_CLK;
            assign O = q;
            if (ASYNC_SR) begin
                always @(posedge clock, posedge SR)
                    if (SR) q <= SET_NORESET;
                    else if (CEN) q <= LO;
            end else begin
                always @(posedge clock)
                    if (CEN) q <= SR ? SET_NORESET : LO;
            end
        end
    endgenerate
endmodule
