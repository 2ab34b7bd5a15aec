/* Rows of a stage: where each lies, whether the stage holds a few of them or a frame that is worked on in place. */
#ifndef NPDE_ROW_H
#define NPDE_ROW_H

#include <string.h>

#include "npde.h"

static inline size_t npde_row_values(const npde_grid *grid)
{
    return (size_t)grid->width * grid->channels;
}

/* Bytes from one place to another, a word at a time where words may lie anywhere: the memcpy of a small C library goes
 * byte by byte. */
static inline void npde_copy(void *to, const void *from, size_t bytes)
{
#ifdef __ARM_FEATURE_UNALIGNED
    uint8_t *into = to;
    const uint8_t *out_of = from;
    for (; bytes >= 4; bytes -= 4, into += 4, out_of += 4) {
        uint32_t word;
        memcpy(&word, out_of, sizeof word);
        __asm__("" : "+r"(word)); /* or the compiler sees a memcpy in the loop, and calls it */
        memcpy(into, &word, sizeof word);
    }
    for (; bytes; bytes--) {
        uint32_t byte = *out_of++;
        __asm__("" : "+r"(byte));
        *into++ = (uint8_t)byte;
    }
#else
    memcpy(to, from, bytes);
#endif
}

/* Row `slot` of a buffer of rows of `grid`. */
static inline void *npde_slot(void *rows, const npde_grid *grid, size_t slot)
{
    return (uint8_t *)rows + slot * npde_row_values(grid) * grid->bytes;
}

/* Where the row that comes next goes. */
static inline void *npde_incoming(const npde_stage *stage)
{
    return npde_slot(stage->rows, &stage->before, stage->progress->received % stage->row_count);
}

/* Row `y` of the frame as it was before the pass under way, which has come to row `progress->row`. */
const void *npde_old_row(const npde_stage *stage, uint32_t y);

/* Keep the row under way as it is, then put `line` in its place. */
void npde_replace_row(const npde_stage *stage, int32_t reach, bool periodic);

#endif
