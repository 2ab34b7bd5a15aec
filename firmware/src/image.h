/* An image being read, twice: once to judge and measure it, then, sound and no larger than the room, to build from it.
 *
 * The first thing that is wrong is kept and ends the reading: from then on every number read is zero. Room is reserved
 * in the same order and measure both times; while measuring there is none, and a pointer to what is reserved is NULL.
 */
#ifndef NPDE_IMAGE_H
#define NPDE_IMAGE_H

#include "npde.h"

/* What shared tables and scratch must hold, known once everything was measured. */
typedef struct {
    uint32_t stages, memories;
    uint32_t narrow, wide; /* values of a window of int16_t, of int32_t */
    uint32_t cell; /* bytes */
    uint32_t outputs, rows, places, values;
} npde_demand;

typedef struct {
    const uint8_t *bytes;
    uint32_t length, at;
    uint8_t *arena; /* NULL while measuring */
    uint64_t used;
    int32_t error;
    uint32_t where;
    uint32_t step; /* the one under way */
    npde_demand demand;
    npde_stage *stages; /* the model's, filled as they come; so are the next two */
    npde_progress *progress;
    npde_memory *memories;
} npde_image;

/* Unsigned numbers of one to four bytes, little-endian, and signed ones. */
uint32_t npde_image_number(npde_image *image, unsigned bytes);
int32_t npde_image_signed(npde_image *image, unsigned bytes);

/* `error` unless it is `right`, or something was wrong before; gives whether all is right so far. */
static inline bool npde_image_expect(npde_image *image, bool right, npde_error error)
{
    if (!right && !image->error) {
        image->error = error;
        image->where = image->step;
    }
    return right && !image->error;
}

/* Room for `count` elements of `size` bytes, zero at first and aligned for any of them; NULL while measuring, or for
 * none. */
void *npde_image_reserve(npde_image *image, uint64_t count, size_t size);

/* The larger of a demand and `least`. */
void npde_image_demand(uint32_t *demand, uint32_t least);

/* A two's-complement width from `least` to `most` bits, and the bytes of the C integer that holds it. */
uint8_t npde_image_bits(npde_image *image, uint32_t least, uint32_t most);
uint8_t npde_image_bytes(unsigned bits);

/* The next stage, with its buffers: `rows` of the grid before it; in a frame `old` and `first` rows as they were, and
 * a line. */
void npde_image_stage(npde_image *image, npde_stage stage, uint32_t rows, uint32_t old, uint32_t first, bool in_frame);

/* The next weight memory, whose integers have `bits` bits; `words` is its place. */
void npde_image_memory(npde_image *image, npde_memory memory, void *words);

/* Each kind of step, between the grid and the one it leaves, which it replaces. */
void npde_image_stencil(npde_image *image, npde_grid *grid);
void npde_image_dense(npde_image *image, npde_grid *grid, bool recurrent);
void npde_image_pool(npde_image *image, npde_grid *grid);
void npde_image_evolve(npde_image *image, npde_grid *grid);

#endif
