/* A program from an image: read once to judge and measure, once more to build. */
#include <string.h>

#include "arithmetic.h"
#include "crc.h"
#include "image.h"

#define VERSION 1u
#define HEADER_BYTES                                                                                                  \
    30u /* magic, version, flags, steps, the input's grid, the shape hash, and the CRC behind the steps */
#define CRC_BYTES 4u
#define MOST_VALUES (UINT64_C(1) << 29) /* of a frame: its bytes have 32 bits */

enum { STENCIL = 1, POOL, DENSE, RECURRENT, EVOLVE };

static npde_grid read_grid(npde_image *image)
{
    npde_grid grid;
    grid.height = (uint16_t)npde_image_number(image, 2);
    grid.width = (uint16_t)npde_image_number(image, 2);
    grid.channels = (uint16_t)npde_image_number(image, 2);
    grid.bits = npde_image_bits(image, 2, 18);
    grid.bytes = npde_image_bytes(grid.bits);
    return grid;
}

static bool measurable(const npde_grid *grid)
{
    const uint64_t values = (uint64_t)grid->height * grid->width * grid->channels;
    return values && values <= MOST_VALUES;
}

/* Flags (1: the maximum), tile, shift, the output's width. */
void npde_image_pool(npde_image *image, npde_grid *grid)
{
    npde_pool pool = {0};
    const uint32_t flags = npde_image_number(image, 1);
    pool.maximum = flags & 1;
    pool.tile_y = (uint16_t)npde_image_number(image, 2);
    pool.tile_x = (uint16_t)npde_image_number(image, 2);
    pool.reaction.shift = (uint8_t)npde_image_number(image, 1);
    npde_grid after = *grid;
    after.bits = npde_image_bits(image, 2, 18);
    after.bytes = npde_image_bytes(after.bits);
    const bool fits =
        flags < 2 && pool.tile_y && pool.tile_x && pool.tile_y <= grid->height && pool.tile_x <= grid->width;
    if (!npde_image_expect(image, fits, NPDE_ERROR_SHAPE)) return;
    if (!npde_image_expect(image, pool.reaction.shift <= 61, NPDE_ERROR_FORMAT)) return;
    pool.reaction.high = (int32_t)((UINT32_C(1) << (after.bits - 1)) - 1);
    pool.reaction.low = -pool.reaction.high - 1;
    /* 2^32 cells of 18 bits and the rounding: less than 2^62. */
    const uint64_t cells = pool.maximum ? 1 : (uint64_t)pool.tile_y * pool.tile_x,
                   greatest = cells << (grid->bits - 1);
    pool.wide = greatest + (pool.reaction.shift ? UINT64_C(1) << (pool.reaction.shift - 1) : 0) > INT32_MAX;
    after.height = grid->height / pool.tile_y;
    after.width = grid->width / pool.tile_x;
    pool.sums = npde_image_reserve(
        image, (uint64_t)after.width * after.channels, pool.wide ? sizeof(int64_t) : sizeof(int32_t));
    npde_pool *place = npde_image_reserve(image, 1, sizeof *place);
    if (place) *place = pool;
    const npde_stage stage = {.kind = NPDE_POOL, .before = *grid, .after = after, .as.pool = place};
    npde_image_stage(image, stage, 1, 0, 0, false);
    *grid = after;
}

/* Gives its kind. */
static uint32_t read_step(npde_image *image, npde_grid *grid)
{
    const uint32_t kind = npde_image_number(image, 1);
    switch (kind) {
    case STENCIL: npde_image_stencil(image, grid); break;
    case POOL: npde_image_pool(image, grid); break;
    case DENSE: npde_image_dense(image, grid, false); break;
    case RECURRENT: npde_image_dense(image, grid, true); break;
    case EVOLVE: npde_image_evolve(image, grid); break;
    default: npde_image_expect(image, false, NPDE_ERROR_STEP);
    }
    return kind;
}

/* Header and steps into `model`, whose pointers are what was reserved. */
static void read_program(npde_image *image, npde_model *model)
{
    npde_image_number(image, 4);
    npde_image_number(image, 1);
    const uint32_t flags = npde_image_number(image, 1), steps = npde_image_number(image, 1);
    model->argmax = flags & 1;
    model->input = read_grid(image);
    npde_image_expect(image, flags < 2 && steps && measurable(&model->input), NPDE_ERROR_SHAPE);
    for (unsigned i = 0; i < sizeof model->shape_hash; i++)
        model->shape_hash[i] = (uint8_t)npde_image_number(image, 1);
    npde_grid grid = model->input;
    uint32_t kind = 0;
    for (uint32_t i = 0; i < steps && !image->error; i++) {
        image->step = i;
        kind = read_step(image, &grid);
    }
    model->output = grid;
    model->resident = steps == 1 && kind == EVOLVE;
    npde_image_expect(
        image, measurable(&grid) && (!model->argmax || (grid.height == 1 && grid.width == 1)), NPDE_ERROR_SHAPE);
    if (!image->error && image->at != image->length) {
        image->error = NPDE_ERROR_CUT;
        image->where = image->at;
    }
    model->stage_count = image->demand.stages;
    model->memory_count = image->demand.memories;
    model->result = npde_image_reserve(image, (uint64_t)grid.width * grid.channels, grid.bytes);
}

/* What stages share, of the size they demanded. */
static void reserve_shared(npde_image *image, const npde_demand *demand, npde_model *model)
{
    npde_scratch *scratch = &model->scratch;
    const uint64_t window = (uint64_t)demand->narrow * sizeof(int16_t),
                   wide = (uint64_t)demand->wide * sizeof(int32_t);
    scratch->window = npde_image_reserve(image, window > wide ? window : wide, 1);
    scratch->cell = npde_image_reserve(image, demand->cell, 1);
    scratch->start = npde_image_reserve(image, demand->outputs, sizeof(int64_t));
    scratch->sums = npde_image_reserve(image, demand->outputs, sizeof(int64_t));
    scratch->tap_rows = npde_image_reserve(image, demand->rows, sizeof(void *));
    scratch->places = npde_image_reserve(image, demand->places, sizeof(int32_t));
    scratch->values = npde_image_reserve(image, demand->values, sizeof(int32_t));
    model->ends = npde_image_reserve(image, 1, sizeof *model->ends);
    model->stages = image->stages = npde_image_reserve(image, demand->stages, sizeof *image->stages);
    image->progress = npde_image_reserve(image, demand->stages, sizeof *image->progress);
    model->memories = image->memories = npde_image_reserve(image, demand->memories, sizeof *image->memories);
}

static int32_t refuse(uint32_t *where, npde_error error, uint32_t number)
{
    *where = number;
    return error;
}

int32_t npde_load(const npde_loadable *place, const uint8_t *bytes, uint32_t length, uint32_t *where)
{
    if (length < HEADER_BYTES + CRC_BYTES) return refuse(where, NPDE_ERROR_CUT, length);
    uint32_t crc = NPDE_CRC_START;
    for (uint32_t i = 0; i < length; i++) crc = npde_crc(crc, bytes[i]);
    if (crc != NPDE_CRC_GOOD) return refuse(where, NPDE_ERROR_DAMAGED, length);
    if (memcmp(bytes, "NPDI", 4) != 0 || bytes[4] != VERSION) return refuse(where, NPDE_ERROR_VERSION, VERSION);

    npde_image image = {.bytes = bytes, .length = length - CRC_BYTES};
    npde_model model = {0};
    read_program(&image, &model);
    if (image.error) return refuse(where, (npde_error)image.error, image.where);
    const npde_demand demand = image.demand;
    reserve_shared(&image, &demand, &model);
    if (image.used > place->arena_bytes)
        return refuse(where, NPDE_ERROR_MEMORY, image.used < UINT32_MAX ? (uint32_t)image.used : UINT32_MAX);

    memset(place->arena, 0, (size_t)image.used);
    memset(&image.demand, 0, sizeof image.demand);
    image.arena = place->arena;
    image.at = 0;
    image.used = 0;
    image.step = 0;
    model = (npde_model){.name = "loaded", .loadable = place};
    memcpy(model.build, place->model->build, sizeof model.build);
    reserve_shared(&image, &demand, &model);
    read_program(&image, &model);
    *place->model = model;
    npde_reset(place->model);
    return 0;
}
