/* STM32F411 (reference manual RM0383), a "Black Pill": USART 1 on A9 (its TX) and A10 (its RX), its own 16 MHz. */
#include "board.h"
#include "cortex.h"

#define CLOCK_ENABLE_A REGISTER(0x40023830u)
#define CLOCK_ENABLE_APB2 REGISTER(0x40023844u)
#define PIN_MODE REGISTER(0x40020000u)
#define PIN_FUNCTION_HIGH REGISTER(0x40020024u)
#define UART 0x40011000u
#define UART_STATE REGISTER(UART) /* 0x0F: parity, framing, noise, overrun; 0x20: a byte came; 0x80: room to send */
#define UART_DATA REGISTER(UART + 0x04)
#define UART_DIVISOR REGISTER(UART + 0x08)
#define UART_CONTROL REGISTER(UART + 0x0C)

#define CLOCK 16000000u
#define BAUD 1000000u

void line_interrupt(void)
{
    const uint32_t state = UART_STATE;
    if (state & 0x0F) line.lost = 1; /* reading the byte behind the state clears all of them */
    if (state & 0x2F) ring_put(&line, (uint8_t)UART_DATA);
}

void board_begin(void)
{
    CLOCK_ENABLE_A |= 1;
    CLOCK_ENABLE_APB2 |= 1u << 4;
    PIN_MODE = (PIN_MODE & ~(0xFu << 18)) | 0xAu << 18;
    PIN_FUNCTION_HIGH = (PIN_FUNCTION_HIGH & ~(0xFFu << 4)) | 0x77u << 4;
    UART_DIVISOR = CLOCK / BAUD;
    UART_CONTROL = 1u << 13 | 1u << 5 | 1u << 3 | 1u << 2;
    REGISTER(0xE000EDFCu) |= 1u << 24; /* the core's cycle counter */
    REGISTER(0xE0001004u) = 0;
    REGISTER(0xE0001000u) |= 1;
    enable_interrupt(LINE_INTERRUPT);
}

static void put(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while (!(UART_STATE & 0x80)) {}
        UART_DATA = bytes[i];
    }
}

static uint32_t cycles(void)
{
    return REGISTER(0xE0001004u);
}

const npde_board board = {
    .name = BOARD_NAME, .clock = CLOCK, .baud = BAUD, .ring = RING_BYTES, .patience = 100000, .write = put, .cycles = cycles,
};
