// A component that takes a byte every 16 cycles and gives bytes away, at the end of standard input and output.
// In come records: 4 bytes of length, 4 bytes of how many delimiters are to come back before the next record, the bytes.
// Out go the bytes it gave. Ends with 0; with 3 when the delimiters did not come (its number and cycles on standard error);
// with 4 when `stray` was ever high.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "Vtop.h"
#include "verilated.h"

static const int SPACING = 16, LINGER = 64;

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: %s CYCLES_UNTIL_HUNG\n", argv[0]), 2;
    const unsigned long long most = strtoull(argv[1], nullptr, 10);
    VerilatedContext context;
    Vtop top{&context};
    unsigned long long cycles = 0, delimiters = 0;
    bool stray = false;
    auto tick = [&] {
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
        cycles++;
        stray |= top.stray;
        // What is shown before the edge is taken at it.
        if (top.out_valid) {
            putchar(top.out_byte);
            delimiters += top.out_byte == 0;
        }
    };
    top.rst = 1;
    top.out_ready = 1;
    top.in_valid = top.in_byte = top.clk = 0;
    tick();
    tick();
    top.rst = 0;
    uint32_t head[2];
    for (unsigned long long number = 0; fread(head, sizeof head, 1, stdin) == 1; number++) {
        const unsigned long long wanted = delimiters + head[1];
        for (uint32_t i = 0; i < head[0]; i++) {
            top.in_byte = (uint8_t)getchar();
            top.in_valid = 1;
            tick();
            top.in_valid = 0;
            for (int n = 1; n < SPACING; n++) tick();
        }
        const unsigned long long began = cycles;
        while (delimiters < wanted)
            if (tick(), cycles - began > most) return fprintf(stderr, "%llu %llu\n", number, cycles), 3;
        for (int n = 0; n < LINGER; n++) tick();
    }
    fprintf(stderr, "%llu\n", cycles);
    return stray ? 4 : 0;
}
