/* What the shared main loop wants of a board. */
#ifndef NPDE_BOARD_H
#define NPDE_BOARD_H

#include "npde.h"

extern const npde_board board;

/* Clocks, pins, the serial line. */
void board_begin(void);

/* The next byte of the line, or -1 when there is none, or -2 for one that came garbled or was lost. */
int board_read(void);

/* Nothing is to be done until a byte comes: wait for one, or return at once. */
void board_wait(void);

#endif
