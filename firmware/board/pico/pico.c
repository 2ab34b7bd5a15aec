/* Raspberry Pi Pico (RP2040, datasheet of 2023): UART 0 on GPIO 0 (its TX) and 1 (its RX), 125 MHz from the 12 MHz crystal. */
#include "board.h"
#include "cortex.h"

#define RESETS 0x4000C000u
#define CLOCKS 0x40008000u
#define CRYSTAL 0x40024000u
#define PLL 0x40028000u
#define UART 0x40034000u
#define UART_DATA REGISTER(UART)
#define UART_STATE REGISTER(UART + 0x18) /* 0x10: nothing came, 0x20: sending is full */
#define GPIO_FUNCTION(pin) REGISTER(0x40014004u + 8 * (pin))
#define MICROSECONDS REGISTER(0x40054028u)
#define WATCHDOG_TICK REGISTER(0x4005802Cu)

#define PINS_AND_UART (1u << 5 | 1u << 8 | 1u << 12 | 1u << 21 | 1u << 22) /* pins, pads, PLL, timer, UART 0 */
#define BAUD 1000000u

void line_interrupt(void)
{
    while (!(UART_STATE & 0x10)) {
        const uint32_t data = UART_DATA;
        if (data & 0xF00) line.lost = 1; /* overrun, break, parity or framing */
        ring_put(&line, (uint8_t)data);
    }
    REGISTER(UART + 0x44) = 0x7FF;
}

static void clock_from_crystal(void)
{
    REGISTER(CRYSTAL + 0x0C) = 47; /* 1 ms until it is steady */
    REGISTER(CRYSTAL) = 0xFABAA0;
    while (!(REGISTER(CRYSTAL + 0x04) & 1u << 31)) {}
    REGISTER(CLOCKS + 0x30) = 2; /* reference: crystal */
    while (!(REGISTER(CLOCKS + 0x38) & 4)) {}
    REGISTER(CLOCKS + 0x3C) = 0; /* system: reference, until the PLL is locked */
    while (!(REGISTER(CLOCKS + 0x44) & 1)) {}
}

static void system_from_pll(void)
{
    REGISTER(PLL) = 1;
    REGISTER(PLL + 0x08) = 125; /* 1500 MHz, divided by 6 and 2 */
    REGISTER(PLL + 0x04) &= ~0x21u;
    while (!(REGISTER(PLL) & 1u << 31)) {}
    REGISTER(PLL + 0x0C) = 6u << 16 | 2u << 12;
    REGISTER(PLL + 0x04) &= ~8u;
    REGISTER(CLOCKS + 0x3C) = 1;
    while (!(REGISTER(CLOCKS + 0x44) & 2)) {}
    REGISTER(CLOCKS + 0x48) = 1u << 11; /* the UART's: the system's */
    WATCHDOG_TICK = 1u << 9 | 12;       /* microseconds */
}

/* The boot ROM jumps to a RAM image's first byte: from there through the vectors, as a reset would. */
__attribute__((naked, section(".entry"), used)) void enter(void);
__attribute__((naked, section(".entry"), used)) void enter(void)
{
    __asm__ volatile("ldr r0, =vectors\n ldr r1, =0xE000ED08\n str r0, [r1]\n ldmia r0!, {r1, r2}\n msr msp, r1\n bx r2\n .ltorg");
}

void board_begin(void)
{
    clock_from_crystal();
    REGISTER(RESETS) |= PINS_AND_UART;
    REGISTER(RESETS) &= ~PINS_AND_UART;
    while ((REGISTER(RESETS + 0x08) & PINS_AND_UART) != PINS_AND_UART) {}
    system_from_pll();
    GPIO_FUNCTION(0) = GPIO_FUNCTION(1) = 2;
    REGISTER(UART + 0x24) = 7; /* 125 MHz / 16 / 1 MHz = 7 + 52/64 */
    REGISTER(UART + 0x28) = 52;
    REGISTER(UART + 0x2C) = 0x70;       /* eight bits, queues of 32 bytes */
    REGISTER(UART + 0x38) = 0x50;       /* a byte came, or stayed */
    REGISTER(UART + 0x34) = 0;          /* of the queue, at an eighth */
    REGISTER(UART + 0x30) = 0x301;
    enable_interrupt(LINE_INTERRUPT);
}

static void put(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while (UART_STATE & 0x20) {}
        UART_DATA = bytes[i];
    }
}

static uint32_t microseconds(void)
{
    return MICROSECONDS;
}

const npde_board board = {
    .name = BOARD_NAME, .clock = 1000000, .baud = BAUD, .ring = RING_BYTES, .patience = 100000, .write = put, .cycles = microseconds,
};
