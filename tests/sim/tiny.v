module top (input wire clk12_0__io, input wire uart_0__rx__io, output wire uart_0__tx__io);
    wire clk = clk12_0__io, rx = uart_0__rx__io;
    reg [15:0] shift = 0;
    always @(posedge clk) shift <= {shift[14:0], rx};

    // Carries: a counter and the sum of two halves.
    reg [11:0] count = 5;
    always @(posedge clk) if (shift[3]) count <= count + {shift[7:4], shift[15:10]} + 1;

    // Registers that are set, cleared, and fall.
    reg set = 1, clear = 0, falling = 0;
    always @(posedge clk) if (shift[1]) set <= shift[2] ? 1'b1 : ^shift[9:4];
    always @(posedge clk or posedge shift[8]) if (shift[8]) clear <= 0; else clear <= shift[0] ^ count[3];
    always @(negedge clk) falling <= ^{shift[5:2], count[7:6]};

    // A block RAM of 512 words of 8 bits, another of 256 of 16 with a mask.
    reg [7:0] memory [0:511];
    reg [7:0] word = 0;
    initial begin memory[0] = 8'h5a; memory[77] = 8'hc3; memory[511] = 8'h81; end
    always @(posedge clk) begin
        if (shift[0]) memory[{count[7:0], shift[15]}] <= {shift[7:0]};
        word <= memory[{shift[12:8], count[3:0]}];
    end
    reg answer = 0;
    always @(posedge clk) answer <= (^word & set) ^ (falling | clear) ^ (count[11] ? shift[6] & ~word[2] : ^count[10:8] | word[7]);
    assign uart_0__tx__io = answer;
endmodule
