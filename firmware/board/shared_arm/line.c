/* The serial line of every board here: its interrupt fills the ring, the main loop empties it. */
#include "board.h"
#include "cortex.h"

ring line;

int board_read(void)
{
    return ring_get(&line);
}

/* Until an interrupt is pending. It is asked for with interrupts masked, or a byte that came just before would be slept through. */
void board_wait(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
    if (line.read == line.written && !line.lost) __asm__ volatile("wfi" ::: "memory");
    __asm__ volatile("cpsie i" ::: "memory");
}
