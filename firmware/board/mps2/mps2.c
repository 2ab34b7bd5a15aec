/* ARM's MPS2 with an M3, M4 or M7 in it, as QEMU has it: CMSDK UART 0 and timer 0, 25 MHz. */
#include "board.h"
#include "cortex.h"

#define UART 0x40004000u
#define UART_DATA REGISTER(UART)
#define UART_STATE REGISTER(UART + 0x04) /* 1: sending is full, 2: a byte came, 8: one more came before it was read */
#define UART_CTRL REGISTER(UART + 0x08)  /* 1: send, 2: receive, 8: interrupt for a byte */
#define UART_INTERRUPT REGISTER(UART + 0x0C)
#define UART_DIVISOR REGISTER(UART + 0x10)
#define TIMER_CTRL REGISTER(0x40000000u)
#define TIMER_VALUE REGISTER(0x40000004u)
#define TIMER_RELOAD REGISTER(0x40000008u)

#define CLOCK 25000000u
#define BAUD 3000000u
#define DIVISOR 16u /* the least there is; QEMU sends at once whatever it says */

void line_interrupt(void)
{
    UART_INTERRUPT = 2;
    while (UART_STATE & 2) {
        if (UART_STATE & 8) {
            UART_STATE = 8;
            line.lost = 1;
        }
        ring_put(&line, (uint8_t)UART_DATA);
    }
}

void board_begin(void)
{
    TIMER_RELOAD = TIMER_VALUE = UINT32_MAX;
    TIMER_CTRL = 1;
    UART_DIVISOR = DIVISOR;
    UART_CTRL = 1 | 2 | 8;
    enable_interrupt(LINE_INTERRUPT);
}

static void put(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while (UART_STATE & 1) {}
        UART_DATA = bytes[i];
    }
}

static uint32_t cycles(void)
{
    return ~TIMER_VALUE; /* it counts down */
}

const npde_board board = {
    .name = BOARD_NAME, .clock = CLOCK, .baud = BAUD, .ring = RING_BYTES, .patience = 200000, .write = put, .cycles = cycles,
};
