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

/* What the cell at column x sees, tap by tap. */
static void gather(const npde_model *model, const npde_stage *stage, int32_t x)
{
    const npde_stencil *stencil = stage->as.stencil;
    const npde_grid *grid = &stage->before;
    const uint32_t channels = grid->channels;
    const size_t bytes = grid->bytes == 4 ? 4 : 2;
    for (uint32_t tap = 0; tap < stencil->tap_count; tap++) {
        const void *row = model->scratch.tap_rows[tap];
        const int32_t place = npde_place(x + stencil->taps[tap].dx, grid->width, stencil->boundary);
        if (row && place >= 0)
            npde_widen(model->scratch.window, tap * channels, row, (size_t)place * channels, channels, grid->bytes);
        else
            memset((uint8_t *)model->scratch.window + tap * channels * bytes, 0, channels * bytes);
    }
}

/* Row y of the result. */
void npde_stencil_row(const npde_model *model, const npde_stage *stage, uint32_t y, void *to)
{
    const npde_stencil *stencil = stage->as.stencil;
    const npde_kernel *kernel = &stencil->kernel;
    const npde_grid *grid = &stage->before;
    const int32_t centre = (int32_t)(y * stencil->stride);
    for (uint32_t tap = 0; tap < stencil->tap_count; tap++) {
        const int32_t place = npde_place(centre + stencil->taps[tap].dy, grid->height, stencil->boundary);
        model->scratch.tap_rows[tap] = row_at(stage, place);
    }
    const void *own = kernel->skip ? row_at(stage, centre) : NULL;
    int64_t *start = model->scratch.start, *sums = model->scratch.sums;
    for (uint32_t o = 0; o < kernel->outputs; o++) start[o] = npde_bias(kernel, o);

    for (uint32_t x = 0; x < stage->after.width; x++) {
        const size_t at = (size_t)x * kernel->outputs;
        gather(model, stage, (int32_t)(x * stencil->stride));
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
