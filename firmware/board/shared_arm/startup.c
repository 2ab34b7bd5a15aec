/* From reset to main on a Cortex-M: the vectors, initialised data, zeroed memory. */
#include <stdint.h>
#include <string.h>

extern uint32_t data_from[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];
int main(void);
void line_interrupt(void);

void begin(void);
void begin(void)
{
    memcpy(data_start, data_from, (size_t)((uint8_t *)data_end - (uint8_t *)data_start));
    memset(bss_start, 0, (size_t)((uint8_t *)bss_end - (uint8_t *)bss_start));
    main();
    for (;;) {}
}

/* Nothing but the line is enabled: whatever else comes is a fault. */
static void fault(void)
{
    for (;;) {}
}

typedef void vector(void);

extern vector *const vectors[];
__attribute__((section(".vectors"), used)) vector *const vectors[16 + LINE_INTERRUPT + 1] = {
    (vector *)(void *)stack_top,
    begin,
    fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
    [16 + LINE_INTERRUPT] = line_interrupt,
};
