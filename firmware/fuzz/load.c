/* The loader, and whatever program it takes, under libFuzzer and every sanitizer.
 *
 * The input is an image without its CRC, which is put right here, or the loader would see nothing else. What is taken
 * is filled with weights, given values and run for a while; what is refused must leave the program and all its memory
 * as they were. */
#include <stdlib.h>
#include <string.h>

#include "npde.h"
#include "../src/crc.h"

#define ARENA_BYTES 8192u
#define IMAGE_BYTES 2048u
#define WORK 2000u /* multiply-accumulates, about: a row may take more */
#define VALUES 100u

static uint64_t arena[ARENA_BYTES / 8], arena_before[ARENA_BYTES / 8];
static uint8_t image[IMAGE_BYTES];
static npde_ends ends;
static npde_model model, model_before;
static const npde_loadable place = {
    .model = &model,
    .arena = arena,
    .arena_bytes = sizeof arena,
    .image = image,
    .image_bytes = sizeof image,
    .load = npde_load,
};

static void require(bool right)
{
    if (!right) abort();
}

/* Every word drawn from the image's own bytes, some words read back. */
static void fill(const uint8_t *bytes, size_t count)
{
    uint8_t word[512], back[512];
    for (uint32_t m = 0; m < model.memory_count; m++) {
        const npde_memory *memory = &model.memories[m];
        const uint32_t size = npde_word_bytes(memory);
        for (uint32_t w = 0; w < memory->depth; w++) {
            for (uint32_t i = 0; i < size; i++) word[i] = (uint8_t)(bytes[(w * size + i) % count] ^ (uint8_t)(i * 5u));
            require(npde_write_words(memory, w, 1, word) == 1);
            if (w % 16 == 0) require(npde_read_words(memory, w, 1, back) == 1);
        }
        require(npde_write_words(memory, memory->depth, 1, word) == 0);
    }
}

/* What one call of npde_work may cost: rows of very many products are sound, and too slow to be tried by the million.
 */
static bool quick(void)
{
    for (uint32_t i = 0; i < model.stage_count; i++) {
        const npde_stage *stage = &model.stages[i];
        uint64_t cost = (uint64_t)stage->before.width * stage->before.channels;
        if (stage->kind == NPDE_STENCIL || stage->kind == NPDE_STENCIL_IN_FRAME)
            cost = (uint64_t)stage->after.width *
                   (stage->as.stencil->kernel.outputs * (uint64_t)stage->as.stencil->kernel.inputs +
                    stage->as.stencil->run_count);
        if (stage->kind == NPDE_DENSE || stage->kind == NPDE_RECURRENT)
            cost = stage->as.dense->kernel.outputs * (uint64_t)stage->as.dense->kernel.inputs;
        if (stage->kind == NPDE_EVOLVE) cost *= 64;
        if (cost > WORK) return false;
    }
    return true;
}

static void run(const uint8_t *bytes, size_t count)
{
    const int32_t high = (int32_t)((UINT32_C(1) << (model.input.bits - 1)) - 1);
    uint32_t put = 0, work = 0;
    int32_t value;
    if (model.resident && bytes[0] & 1) require(npde_order(&model, bytes[0] & 2, bytes[0] & 7, bytes[0] & 4) == 0);
    while (put < VALUES && work < WORK) {
        const int32_t next = bytes[put % count] & 1 ? high - bytes[put % count] % (high + 1)
                                                    : -high - 1 + bytes[put % count] % (high + 1);
        const int32_t took = npde_put(&model, next);
        require(took >= 0);
        put += (uint32_t)took;
        const uint32_t cost = npde_work(&model);
        work += cost < WORK ? cost : WORK;
        while (npde_take(&model, &value)) {
        }
        if (!took && !cost) break;
    }
    npde_reset(&model);
    require(npde_idle(&model));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    uint32_t where = 0, crc = NPDE_CRC_START;
    if (!model.loadable) model = (npde_model){.name = "none", .ends = &ends, .loadable = &place};
    if (count + 4 > sizeof image) return 0;
    uint8_t *whole = malloc(count + 4); /* of its own size, so that a byte read beyond it is seen */
    require(whole != NULL);
    if (count) memcpy(whole, bytes, count);
    for (size_t i = 0; i < count; i++) crc = npde_crc(crc, bytes[i]);
    for (unsigned i = 0; i < 4; i++) whole[count + i] = (uint8_t)(~crc >> (8 * i));
    model_before = model;
    memcpy(arena_before, arena, sizeof arena);
    const int32_t outcome = npde_load(&place, whole, (uint32_t)count + 4, &where);
    if (outcome < 0) {
        require(outcome <= NPDE_ERROR_DAMAGED && outcome >= NPDE_ERROR_MEMORY && outcome != NPDE_ERROR_DAMAGED);
        require(!memcmp(&model, &model_before, sizeof model) && !memcmp(arena, arena_before, sizeof arena));
    } else {
        require(outcome == 0 && model.stage_count && model.loadable == &place);
        fill(bytes, count);
        if (quick()) run(bytes, count);
    }
    free(whole);
    return 0;
}
