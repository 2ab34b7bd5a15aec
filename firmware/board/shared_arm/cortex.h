/* What every Cortex-M has: registers as lvalues, one interrupt, the line it fills. */
#ifndef NPDE_CORTEX_H
#define NPDE_CORTEX_H

#include <stdint.h>

#include "ring.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

static inline void enable_interrupt(unsigned number)
{
    REGISTER(0xE000E100u + 4 * (number / 32)) = UINT32_C(1) << (number % 32);
}

/* Bytes that came, and what a board's file does when one does. */
extern ring line;
void line_interrupt(void);

#endif
