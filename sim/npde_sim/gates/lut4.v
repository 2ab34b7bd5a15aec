// A table of four inputs, the first the lowest bit of its index. Inputs on which it does not depend are left out: the carry shares
// the inputs with it, and a simulator would see a loop where a cell that makes a constant passes a carry on.
module lut4 #(parameter [15:0] TABLE = 0) (input wire [3:0] I, output wire O);
    localparam [3:0] MATTERS = {
        TABLE[15:8] != TABLE[7:0],
        {TABLE[15:12], TABLE[7:4]} != {TABLE[11:8], TABLE[3:0]},
        (TABLE & 16'hcccc) >> 2 != (TABLE & 16'h3333),
        (TABLE & 16'haaaa) >> 1 != (TABLE & 16'h5555)
    };
    wire [15:0] entries = TABLE;
    assign O = entries[{MATTERS[3] ? I[3] : 1'b0, MATTERS[2] ? I[2] : 1'b0, MATTERS[1] ? I[1] : 1'b0, MATTERS[0] ? I[0] : 1'b0}];
endmodule
