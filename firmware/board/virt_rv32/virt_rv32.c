/* QEMU's RISC-V machine: a 16550 UART, which holds bytes until they are read, and a 10 MHz clock. */
#include <string.h>

#include "board.h"

#define BYTE(address) (*(volatile uint8_t *)(uintptr_t)(address))
#define WORD(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define UART_DATA BYTE(0x10000000u)
#define UART_STATE BYTE(0x10000005u) /* 0x01: a byte came, 0x1E: lost or garbled ones, 0x20: room to send */
#define TIME WORD(0x0200BFF8u)
#define TIME_HIGH WORD(0x0200BFFCu)
#define ALARM WORD(0x02004000u)
#define ALARM_HIGH WORD(0x02004004u)

#define CLOCK 10000000u
#define TIMER_INTERRUPT 0x80u

extern uint32_t data_from[], data_start[], data_end[], bss_start[], bss_end[];
int main(void);

void run(void);
void run(void)
{
    memcpy(data_start, data_from, (size_t)((uint8_t *)data_end - (uint8_t *)data_start));
    memset(bss_start, 0, (size_t)((uint8_t *)bss_end - (uint8_t *)bss_start));
    main();
}

__attribute__((naked, section(".begin"))) void begin(void);
__attribute__((naked, section(".begin"))) void begin(void)
{
    __asm__ volatile("la sp, stack_top\n call run\n 1: j 1b");
}

void board_begin(void)
{
    __asm__ volatile(".option arch, +zicsr\n csrs mie, %0" ::"r"(TIMER_INTERRUPT)); /* ends a wait; interrupts themselves stay masked */
}

int board_read(void)
{
    const uint8_t state = UART_STATE;
    if (state & 0x1E) return -2;
    return state & 1 ? UART_DATA : -1;
}

/* A millisecond at most. */
void board_wait(void)
{
    const uint32_t now = TIME, then = now + CLOCK / 1000;
    ALARM_HIGH = UINT32_MAX;
    ALARM = then;
    ALARM_HIGH = TIME_HIGH + (then < now);
    __asm__ volatile("wfi" ::: "memory");
}

static void put(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while (!(UART_STATE & 0x20)) {}
        UART_DATA = bytes[i];
    }
}

static uint32_t cycles(void)
{
    return TIME;
}

const npde_board board = {
    .name = "virt-rv32", .clock = CLOCK, .baud = 3000000, .ring = 16, .patience = 200000, .write = put, .cycles = cycles,
};
