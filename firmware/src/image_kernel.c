/* Steps with a kernel of weights: stencils, dense and recurrent ones. */
#include "arithmetic.h"
#include "dot.h"
#include "image.h"
#include "npde_protocol.h"

#define MOST_WORDS 65535u
#define DENSE_VALUES 128u
#define ACCUMULATOR (UINT64_C(1) << 61) /* what 62 bits hold; every addend below is at most this, and few are added   \
                                         */

/* One cell as a step's outputs see it. */
typedef struct {
    uint32_t channels, bits;
    uint32_t tap_count;
    bool centre; /* one of the taps is (0, 0) */
} seen;

/* All products' magnitude and all that is added to them, in 62 bits; `wide` where it is more than 32. */
static void judge_accumulator(npde_image *image, npde_kernel *kernel, uint32_t weight_bits, const seen *cell)
{
    const uint64_t weight = UINT64_C(1) << (weight_bits - 1), field = UINT64_C(1) << (cell->bits - 1);
    const uint64_t bias = UINT64_C(1) << (kernel->bias_bits - 1);
    const bool shifts = kernel->bias_bits + kernel->bias_shift <= 62u && cell->bits + kernel->skip_shift <= 62u &&
                        kernel->reaction.shift <= 62;
    if (!npde_image_expect(image, shifts, NPDE_ERROR_FORMAT)) return;
    const uint64_t rounding = kernel->reaction.shift ? UINT64_C(1) << (kernel->reaction.shift - 1) : 0;
    uint64_t high = weight * field * kernel->inputs + ((bias - 1) << kernel->bias_shift) + rounding;
    const uint64_t least = weight * (field - 1) > (weight - 1) * field ? weight * (field - 1) : (weight - 1) * field;
    uint64_t low = least * kernel->inputs + (bias << kernel->bias_shift);
    if (kernel->skip) {
        high += (field - 1) << kernel->skip_shift;
        low += field << kernel->skip_shift;
    }
    npde_image_expect(image, high < ACCUMULATOR && low <= ACCUMULATOR, NPDE_ERROR_FORMAT);
    kernel->wide = high > INT32_MAX || low > UINT64_C(1) << 31;
}

/* Clamped to an interval of the output's format, or a table's entries, each of that format. */
static npde_reaction read_reaction(npde_image *image, uint32_t out_bits)
{
    npde_reaction reaction = {0};
    const int32_t highest = (int32_t)((UINT32_C(1) << (out_bits - 1)) - 1);
    reaction.shift = (uint8_t)npde_image_number(image, 1);
    const uint32_t input_bits = npde_image_number(image, 1);
    if (!input_bits) {
        reaction.low = npde_image_signed(image, 4);
        reaction.high = npde_image_signed(image, 4);
        npde_image_expect(
            image, reaction.low >= -highest - 1 && reaction.low <= reaction.high && reaction.high <= highest,
            NPDE_ERROR_FORMAT);
        return reaction;
    }
    if (!npde_image_expect(image, input_bits >= 2 && input_bits <= 12, NPDE_ERROR_FORMAT)) return reaction;
    const uint32_t entries = UINT32_C(1) << input_bits;
    reaction.low = -(int32_t)(entries / 2);
    reaction.high = (int32_t)(entries / 2) - 1;
    reaction.table_bytes = npde_image_bytes(out_bits);
    void *table = npde_image_reserve(image, entries, reaction.table_bytes);
    for (uint32_t i = 0; i < entries && !image->error; i++) {
        const int32_t entry = npde_image_signed(image, reaction.table_bytes);
        npde_image_expect(image, entry >= -highest - 1 && entry <= highest, NPDE_ERROR_FORMAT);
        if (table) npde_set(table, reaction.table_bytes, i, entry);
    }
    reaction.table = table;
    return reaction;
}

/* A kernel's record, and the memories of its `repeat` copies, which share their words. `out_bits` of what follows it,
 * `weight_bytes` of a weight in memory. */
static npde_kernel read_kernel(
    npde_image *image, const seen *cell, bool skip, uint32_t repeat, uint8_t *out_bits, uint8_t *weight_bytes)
{
    npde_kernel kernel = {.skip = skip};
    kernel.outputs = npde_image_number(image, 2);
    const uint8_t weight_bits = npde_image_bits(image, 2, 16);
    *weight_bytes = npde_image_bytes(weight_bits);
    kernel.bias_bits = npde_image_bits(image, 2, 32);
    kernel.bias_shift = (uint8_t)npde_image_number(image, 1);
    kernel.skip_shift = (uint8_t)npde_image_number(image, 1);
    const uint32_t lanes = npde_image_number(image, 2), leading = npde_image_number(image, 2);
    *out_bits = npde_image_bits(image, 2, 18);
    kernel.reaction = read_reaction(image, *out_bits);
    if (!npde_image_expect(image, kernel.outputs && lanes && cell->channels % lanes == 0, NPDE_ERROR_SHAPE))
        return kernel;

    const uint32_t word_bits = lanes * weight_bits, folds = cell->channels / lanes;
    const uint64_t taps = (uint64_t)leading + cell->tap_count + (skip && !cell->centre);
    kernel.bias_words = (uint16_t)((kernel.bias_bits + word_bits - 1) / word_bits);
    const uint64_t beats = kernel.bias_words + taps * folds;
    if (!npde_image_expect(
            image, word_bits <= 8 * NPDE_MOST_WORD_BYTES && beats * kernel.outputs <= MOST_WORDS, NPDE_ERROR_MEMORIES))
        return kernel;
    npde_image_expect(image, repeat <= NPDE_MOST_REGIONS - image->demand.memories, NPDE_ERROR_MEMORIES);
    kernel.inputs = cell->channels * cell->tap_count;
    kernel.pitch = (uint32_t)beats * lanes;
    kernel.kernel_at = (kernel.bias_words + leading * folds) * lanes;
    judge_accumulator(image, &kernel, weight_bits, cell);

    const npde_memory memory = {
        .depth = (uint16_t)(beats * kernel.outputs),
        .fields = (uint16_t)lanes,
        .bits = weight_bits,
        .pe = 1,
        .simd = (uint16_t)lanes,
    };
    if (image->memories) kernel.memory = &image->memories[image->demand.memories];
    void *words = npde_image_reserve(image, (uint64_t)memory.depth * lanes, npde_image_bytes(weight_bits));
    for (uint32_t copy = 0; copy < repeat && !image->error; copy++) {
        npde_memory named = memory;
        named.copy = (uint8_t)copy;
        npde_image_memory(image, named, words);
    }
    return kernel;
}

/* On the short way windows of two cells, of which one is gathered as it lies in its rows; else of one. */
static void demand_window(
    npde_image *image, const npde_kernel *kernel, uint32_t weight_bytes, uint32_t values, unsigned field_bytes,
    bool stencil)
{
    const uint32_t cells = stencil && npde_is_short(kernel, weight_bytes, field_bytes) ? 2 : 1;
    npde_image_demand(field_bytes == 4 ? &image->demand.wide : &image->demand.narrow, cells * values);
    npde_image_demand(&image->demand.cell, stencil ? values * field_bytes : 0);
}

/* The taps of a stencil on `grid` as runs, and the rows they span. */
static seen read_taps(npde_image *image, const npde_grid *grid, npde_stencil *stencil, bool skip)
{
    seen cell = {.channels = grid->channels, .bits = grid->bits};
    cell.tap_count = npde_image_number(image, 2);
    npde_image_expect(image, cell.tap_count, NPDE_ERROR_SHAPE);
    npde_run *runs = npde_image_reserve(image, cell.tap_count, sizeof *runs); /* as many as there can be */
    npde_run run = {0};
    for (uint32_t i = 0; i < cell.tap_count && !image->error; i++) {
        const int32_t dy = npde_image_signed(image, 2), dx = npde_image_signed(image, 2);
        const bool within =
            (!dy || (dy < grid->height && -dy < grid->height)) && (!dx || (dx < grid->width && -dx < grid->width));
        npde_image_expect(image, within, NPDE_ERROR_SHAPE);
        cell.centre |= !dy && !dx;
        if (!i || dy < stencil->first_dy) stencil->first_dy = dy;
        if (!i || dy > stencil->last_dy) stencil->last_dy = dy;
        if (i && dy == run.dy && dx == run.dx + (int32_t)run.taps) {
            run.taps++;
        } else {
            run = (npde_run){dy, dx, 1};
            stencil->run_count++;
        }
        if (runs) runs[stencil->run_count - 1] = run;
    }
    if (skip && stencil->first_dy > 0) stencil->first_dy = 0;
    if (skip && stencil->last_dy < 0) stencil->last_dy = 0;
    stencil->runs = runs;
    return cell;
}

/* Flags (1 skip, 2 worked on in a frame), boundary, stride, repeat, taps, kernel. */
void npde_image_stencil(npde_image *image, npde_grid *grid)
{
    npde_stencil stencil = {0};
    const uint32_t flags = npde_image_number(image, 1), boundary = npde_image_number(image, 1);
    const bool skip = flags & 1, in_frame = flags & 2;
    stencil.stride = (uint16_t)npde_image_number(image, 2);
    const uint32_t repeat = npde_image_number(image, 2);
    if (!npde_image_expect(
            image, flags < 4 && boundary <= NPDE_PERIODIC && stencil.stride && repeat, NPDE_ERROR_SHAPE))
        return;
    npde_image_expect(
        image, stencil.stride <= (grid->height > grid->width ? grid->height : grid->width), NPDE_ERROR_SHAPE);
    stencil.boundary = (npde_boundary)boundary;
    const seen cell = read_taps(image, grid, &stencil, skip);
    npde_grid after = *grid;
    uint8_t weight_bytes;
    stencil.kernel = read_kernel(image, &cell, skip, repeat, &after.bits, &weight_bytes);
    if (image->error) return;
    after.bytes = npde_image_bytes(after.bits);
    after.channels = (uint16_t)stencil.kernel.outputs;
    after.height = (uint16_t)((grid->height + stencil.stride - 1u) / stencil.stride);
    after.width = (uint16_t)((grid->width + stencil.stride - 1u) / stencil.stride);
    const bool keeps = stencil.stride == 1 && after.channels == grid->channels;
    const bool again = repeat > 1 || in_frame;
    if (!npde_image_expect(
            image, (keeps || !skip) && (!again || (keeps && after.bits == grid->bits)), NPDE_ERROR_SHAPE))
        return;

    stencil.repeat = (uint16_t)(in_frame ? repeat : 1);
    npde_stencil *place = npde_image_reserve(image, 1, sizeof *place);
    if (place) *place = stencil;
    demand_window(image, &stencil.kernel, weight_bytes, stencil.kernel.inputs, grid->bytes, true);
    npde_image_demand(&image->demand.outputs, stencil.kernel.outputs);
    npde_image_demand(&image->demand.rows, stencil.run_count);

    npde_stage stage = {
        .kind = in_frame ? NPDE_STENCIL_IN_FRAME : NPDE_STENCIL, .before = *grid, .after = after, .as.stencil = place};
    const bool periodic = boundary == NPDE_PERIODIC, wraps = periodic && (stencil.first_dy || stencil.last_dy);
    const int32_t span = stencil.last_dy - stencil.first_dy + 1;
    const uint32_t rows = in_frame || wraps || span > grid->height ? grid->height : (uint32_t)span;
    const uint32_t old = in_frame && stencil.first_dy < 0 ? (uint32_t)-stencil.first_dy : 0;
    const uint32_t first = in_frame && periodic && stencil.last_dy > 0 ? (uint32_t)stencil.last_dy : 0;
    for (uint32_t i = 0; i < (in_frame ? 1 : repeat); i++) npde_image_stage(image, stage, rows, old, first, in_frame);
    *grid = after;
}

/* The rows a dense step takes at once: as many as divide the frame and have at most DENSE_VALUES values, or one. */
static uint32_t rows_at_once(uint32_t height, uint32_t row)
{
    for (uint32_t rows = DENSE_VALUES / row; rows > 1; rows--)
        if (height % rows == 0) return rows;
    return 1;
}

/* A kernel alone. */
void npde_image_dense(npde_image *image, npde_grid *grid, bool recurrent)
{
    const uint32_t row = (uint32_t)grid->width * grid->channels;
    const uint64_t values = (uint64_t)row * grid->height;
    /* A recurrent step's outputs are among what it sees: they stand first in the kernel's record. */
    const uint32_t outputs = image->error || image->length - image->at < 2
                                 ? 0
                                 : image->bytes[image->at] | (uint32_t)image->bytes[image->at + 1] << 8;
    const uint64_t sees = recurrent ? (uint64_t)row + outputs : values;
    if (!npde_image_expect(image, sees <= UINT16_MAX, NPDE_ERROR_SHAPE)) return;
    const seen cell = {.channels = (uint32_t)sees, .bits = grid->bits, .tap_count = 1, .centre = true};
    npde_dense dense = {0};
    npde_grid after = {.height = 1, .width = 1};
    uint8_t weight_bytes;
    dense.kernel = read_kernel(image, &cell, false, 1, &after.bits, &weight_bytes);
    if (!npde_image_expect(image, !recurrent || after.bits == grid->bits, NPDE_ERROR_SHAPE)) return;
    after.bytes = npde_image_bytes(after.bits);
    after.channels = (uint16_t)dense.kernel.outputs;
    dense.sums = npde_image_reserve(
        image, dense.kernel.outputs,
        npde_is_short(&dense.kernel, weight_bytes, grid->bytes) ? sizeof(int32_t) : sizeof(int64_t));
    dense.state = npde_image_reserve(image, recurrent ? dense.kernel.outputs : 0, grid->bytes);
    npde_dense *place = npde_image_reserve(image, 1, sizeof *place);
    if (place) *place = dense;
    const uint32_t rows = recurrent ? 1 : rows_at_once(grid->height, row);
    demand_window(
        image, &dense.kernel, weight_bytes, recurrent && outputs > row ? outputs : row * rows, grid->bytes, false);
    const npde_stage stage = {
        .kind = recurrent ? NPDE_RECURRENT : NPDE_DENSE, .before = *grid, .after = after, .as.dense = place};
    npde_image_stage(image, stage, rows, 0, 0, false);
    *grid = after;
}
