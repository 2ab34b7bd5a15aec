#include "arithmetic.h"
#include "image.h"

uint32_t npde_image_number(npde_image *image, unsigned bytes)
{
    uint32_t number = 0;
    if (image->error) return 0;
    if (image->length - image->at < bytes) {
        image->error = NPDE_ERROR_CUT;
        image->where = image->at;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++) number |= (uint32_t)image->bytes[image->at++] << (8 * i);
    return number;
}

int32_t npde_image_signed(npde_image *image, unsigned bytes)
{
    return npde_sign_extend(npde_image_number(image, bytes), 8 * bytes);
}

void *npde_image_reserve(npde_image *image, uint64_t count, size_t size)
{
    const uint64_t from = image->used;
    image->used += (count * size + 7) & ~UINT64_C(7);
    return image->arena && count ? image->arena + from : NULL;
}

void npde_image_demand(uint32_t *demand, uint32_t least)
{
    if (*demand < least) *demand = least;
}

uint8_t npde_image_bits(npde_image *image, uint32_t least, uint32_t most)
{
    const uint32_t bits = npde_image_number(image, 1);
    return npde_image_expect(image, bits >= least && bits <= most, NPDE_ERROR_FORMAT) ? (uint8_t)bits : (uint8_t)least;
}

uint8_t npde_image_bytes(unsigned bits)
{
    return bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
}

void npde_image_stage(npde_image *image, npde_stage stage, uint32_t rows, uint32_t old, uint32_t first, bool in_frame)
{
    const uint64_t row = (uint64_t)stage.before.width * stage.before.channels;
    stage.rows = npde_image_reserve(image, rows * row, stage.before.bytes);
    stage.old = npde_image_reserve(image, (old + first) * row, stage.before.bytes);
    stage.line = npde_image_reserve(image, in_frame ? row : 0, stage.before.bytes);
    stage.row_count = rows;
    stage.old_ring = old;
    if (image->stages) {
        stage.progress = &image->progress[image->demand.stages];
        image->stages[image->demand.stages] = stage;
    }
    image->demand.stages++;
}

void npde_image_memory(npde_image *image, npde_memory memory, void *words)
{
    memory.words = memory.loaded = words;
    memory.bytes = npde_image_bytes(memory.bits);
    memory.step = (uint8_t)image->step;
    if (image->memories) image->memories[image->demand.memories] = memory;
    image->demand.memories++;
}
