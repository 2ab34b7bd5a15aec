/* Bytes of the line while a request is carried out: written by an interrupt, read by the main loop. */
#ifndef NPDE_RING_H
#define NPDE_RING_H

#include <stdint.h>

#define RING_BYTES 2048u /* a power of two */

typedef struct {
    volatile uint32_t written, read;
    volatile uint32_t lost; /* a byte came while it was full, or came garbled */
    uint8_t bytes[RING_BYTES];
} ring;

static inline void ring_put(ring *to, uint8_t byte)
{
    const uint32_t written = to->written;
    if (written - to->read == RING_BYTES) {
        to->lost = 1;
        return;
    }
    to->bytes[written % RING_BYTES] = byte;
    __asm__ volatile("" ::: "memory"); /* the byte before the count: one core reads and writes in this order */
    to->written = written + 1;
}

/* As board_read gives it. */
static inline int ring_get(ring *from)
{
    const uint32_t read = from->read;
    if (read == from->written) {
        if (!from->lost) return -1;
        from->lost = 0;
        return -2;
    }
    __asm__ volatile("" ::: "memory");
    const uint8_t byte = from->bytes[read % RING_BYTES];
    from->read = read + 1;
    return byte;
}

#endif
