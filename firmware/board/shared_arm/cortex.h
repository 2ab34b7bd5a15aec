/* What every Cortex-M has: registers as lvalues, one interrupt, waiting for it. */
#ifndef NPDE_CORTEX_H
#define NPDE_CORTEX_H

#include <stdint.h>

#include "ring.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

static inline void enable_interrupt(unsigned number)
{
    REGISTER(0xE000E100u + 4 * (number / 32)) = UINT32_C(1) << (number % 32);
}

/* Until an interrupt is pending. It is asked for with interrupts masked, or a byte that came just before would be slept through. */
static inline void wait_for_byte(const ring *line)
{
    __asm__ volatile("cpsid i" ::: "memory");
    if (line->read == line->written && !line->lost) __asm__ volatile("wfi" ::: "memory");
    __asm__ volatile("cpsie i" ::: "memory");
}

#endif
