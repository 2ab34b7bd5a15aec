#include <string.h>

#include "arithmetic.h"
#include "dot.h"
#include "row.h"
#include "stage.h"

static const void *row_at(const npde_stage *stage, int32_t y)
{
    if (y < 0) return NULL;
    if (stage->kind == NPDE_STENCIL_IN_FRAME) return npde_old_row(stage, (uint32_t)y);
    return npde_slot(stage->rows, &stage->before, (uint32_t)y % stage->row_count);
}

/* What the cell at column x sees, as it lies in the rows: a run of taps at once, or tap by tap where it leaves the
 * grid. */
static void gather(const npde_model *model, const npde_stage *stage, int32_t x, uint8_t *to)
{
    const npde_stencil *stencil = stage->as.stencil;
    const npde_grid *grid = &stage->before;
    const uint32_t size = (uint32_t)grid->channels * grid->bytes;
    for (uint32_t r = 0; r < stencil->run_count; r++) {
        const npde_run *run = &stencil->runs[r];
        const uint8_t *row = model->scratch.tap_rows[r];
        const int32_t from = x + run->dx;
        if (row && from >= 0 && from + (int32_t)run->taps <= grid->width) {
            npde_copy(to, row + (uint32_t)from * size, run->taps * size);
            to += run->taps * size;
            continue;
        }
        for (uint32_t tap = 0; tap < run->taps; tap++, to += size) {
            const int32_t place = npde_place(from + (int32_t)tap, grid->width, stencil->boundary);
            if (row && place >= 0)
                npde_copy(to, row + (uint32_t)place * size, size);
            else
                memset(to, 0, size);
        }
    }
}

/* The same, arranged at once, where a cell has a multiple of four channels. */
static void gather_arranged(const npde_model *model, const npde_stage *stage, int32_t x, uint32_t cell, uint32_t cells)
{
    const npde_stencil *stencil = stage->as.stencil;
    const npde_grid *grid = &stage->before;
    const uint32_t channels = grid->channels, size = channels * grid->bytes;
    int16_t *window = model->scratch.window;
    uint32_t at = 0;
    for (uint32_t r = 0; r < stencil->run_count; r++) {
        const npde_run *run = &stencil->runs[r];
        const uint8_t *row = model->scratch.tap_rows[r];
        const int32_t from = x + run->dx;
        if (row && from >= 0 && from + (int32_t)run->taps <= grid->width) {
            npde_arrange_fours(
                window, cell, cells, at, row + (uint32_t)from * size, run->taps * channels, grid->bytes);
            at += run->taps * channels;
            continue;
        }
        for (uint32_t tap = 0; tap < run->taps; tap++, at += channels) {
            const int32_t place = npde_place(from + (int32_t)tap, grid->width, stencil->boundary);
            npde_arrange_fours(
                window, cell, cells, at, row && place >= 0 ? row + (uint32_t)place * size : NULL, channels,
                grid->bytes);
        }
    }
}

/* One or two cells from column x on, the short way. */
static void short_cells(
    const npde_model *model, const npde_stage *stage, const void *own, uint32_t x, uint32_t cells, void *to)
{
    const npde_stencil *stencil = stage->as.stencil;
    const npde_kernel *kernel = &stencil->kernel;
    const npde_grid *grid = &stage->before;
    const uint32_t outputs = kernel->outputs;
    int32_t *sums = (int32_t *)(void *)model->scratch.sums;
    for (uint32_t cell = 0; cell < cells; cell++) {
        const int32_t centre = (int32_t)((x + cell) * stencil->stride);
        if (grid->channels % 4 == 0) {
            gather_arranged(model, stage, centre, cell, cells);
        } else {
            gather(model, stage, centre, model->scratch.cell);
            npde_arrange(model->scratch.window, cell, cells, model->scratch.cell, kernel->inputs, grid->bytes);
        }
    }
    npde_dot_short(
        kernel, 0, model->scratch.window, cells, kernel->inputs, (const int32_t *)(const void *)model->scratch.start,
        sums);
    const size_t at = (size_t)x * outputs;
    if (own)
        for (uint32_t i = 0; i < cells * outputs; i++)
            sums[i] += (int32_t)npde_scale(npde_get(own, grid->bytes, at + i), kernel->skip_shift);
    npde_react_short(&kernel->reaction, sums, cells * outputs, to, stage->after.bytes, at);
}

static void short_row(const npde_model *model, const npde_stage *stage, const void *own, void *to)
{
    const npde_kernel *kernel = &stage->as.stencil->kernel;
    const uint32_t width = stage->after.width;
    npde_begin_short(kernel, (int32_t *)(void *)model->scratch.start);
    for (uint32_t x = 0; x < width; x += 2) short_cells(model, stage, own, x, width - x < 2 ? 1 : 2, to);
}

static void long_row(const npde_model *model, const npde_stage *stage, const void *own, void *to)
{
    const npde_stencil *stencil = stage->as.stencil;
    const npde_kernel *kernel = &stencil->kernel;
    const npde_grid *grid = &stage->before;
    int64_t *start = model->scratch.start, *sums = model->scratch.sums;
    for (uint32_t o = 0; o < kernel->outputs; o++) start[o] = npde_bias(kernel, o);
    for (uint32_t x = 0; x < stage->after.width; x++) {
        const size_t at = (size_t)x * kernel->outputs;
        gather(model, stage, (int32_t)(x * stencil->stride), model->scratch.cell);
        npde_widen(model->scratch.window, 0, model->scratch.cell, 0, kernel->inputs, grid->bytes);
        memcpy(sums, start, kernel->outputs * sizeof *sums);
        npde_dot(kernel, 0, model->scratch.window, grid->bytes, kernel->inputs, sums);
        if (own) {
            for (uint32_t o = 0; o < kernel->outputs; o++)
                sums[o] += npde_scale(npde_get(own, grid->bytes, at + o), kernel->skip_shift);
        }
        for (uint32_t o = 0; o < kernel->outputs; o++)
            npde_set(to, stage->after.bytes, at + o, npde_react(&kernel->reaction, sums[o]));
    }
}

/* Row y of the result. */
void npde_stencil_row(const npde_model *model, const npde_stage *stage, uint32_t y, void *to)
{
    const npde_stencil *stencil = stage->as.stencil;
    const npde_kernel *kernel = &stencil->kernel;
    const npde_grid *grid = &stage->before;
    const int32_t centre = (int32_t)(y * stencil->stride);
    for (uint32_t r = 0; r < stencil->run_count; r++) {
        const int32_t place = npde_place(centre + stencil->runs[r].dy, grid->height, stencil->boundary);
        model->scratch.tap_rows[r] = row_at(stage, place);
    }
    const void *own = kernel->skip ? row_at(stage, centre) : NULL;
    if (npde_is_short(kernel, kernel->memory->bytes, grid->bytes))
        short_row(model, stage, own, to);
    else
        long_row(model, stage, own, to);
}
