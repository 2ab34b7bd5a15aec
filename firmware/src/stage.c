#include <string.h>

#include "arithmetic.h"
#include "row.h"
#include "stage.h"

static bool in_frame(const npde_stage *stage)
{
    return stage->kind == NPDE_EVOLVE || stage->kind == NPDE_STENCIL_IN_FRAME;
}

/* The last row that row y of a stencil's result is computed from. */
static uint32_t last_needed(const npde_stage *stage, uint32_t y)
{
    const npde_stencil *stencil = stage->as.stencil;
    const int32_t height = stage->before.height;
    if (stencil->boundary == NPDE_PERIODIC && (stencil->first_dy < 0 || stencil->last_dy > 0)) return (uint32_t)height - 1;
    const int64_t last = (int64_t)y * stencil->stride + stencil->last_dy;
    return last < 0 ? 0 : last >= height ? (uint32_t)height - 1 : (uint32_t)last;
}

/* The frame came whole and is not yet given whole. */
static bool frame_ready(const npde_stage *stage)
{
    return stage->progress->received == stage->before.height;
}

bool npde_stage_ready(const npde_stage *stage)
{
    const npde_progress *progress = stage->progress;
    switch (stage->kind) {
    case NPDE_STENCIL:
        return progress->given < stage->after.height && progress->received > last_needed(stage, progress->given);
    case NPDE_STENCIL_IN_FRAME:
    case NPDE_EVOLVE: return frame_ready(stage);
    default: return progress->received - progress->row >= stage->row_count;
    }
}

void npde_stage_reset(const npde_stage *stage)
{
    npde_progress *progress = stage->progress;
    memset(progress, 0, sizeof *progress);
    if (stage->kind == NPDE_STENCIL_IN_FRAME) progress->times = stage->as.stencil->repeat;
    if (stage->kind == NPDE_EVOLVE) progress->times = stage->as.evolve->times;
}

/* The next frame begins where the last one has been read whole and given whole. */
static void end_frame(const npde_stage *stage)
{
    const npde_progress *progress = stage->progress;
    const bool came = progress->received == stage->before.height;
    const bool given = progress->silent || progress->given == stage->after.height;
    bool read = progress->row == stage->before.height;
    if (stage->kind == NPDE_STENCIL) read = true;
    if (in_frame(stage)) read = progress->time == progress->times;
    if (came && read && given) npde_stage_reset(stage);
}

static uint32_t kernel_cost(const npde_kernel *kernel, uint32_t inputs)
{
    return kernel->outputs * (inputs + 4);
}

static uint32_t first_bias(const npde_evolve *evolve, uint32_t number)
{
    uint32_t first = 0;
    for (uint32_t u = 0; u < number; u++)
        for (uint32_t t = 0; t < evolve->updates[u].target_count; t++) first += evolve->updates[u].targets[t].bias >= 0;
    return first;
}

/* One row of one pass over a held frame. */
static uint32_t pass_row(const npde_model *model, const npde_stage *stage)
{
    npde_progress *progress = stage->progress;
    uint32_t parts = 1, cost;
    if (stage->kind == NPDE_EVOLVE) {
        const npde_evolve *evolve = stage->as.evolve;
        const npde_update *update = &evolve->updates[progress->part];
        parts = evolve->update_count;
        npde_update_row(model, stage, update, progress->time, first_bias(evolve, progress->part));
        npde_replace_row(stage, update->reach_y, update->boundary == NPDE_PERIODIC);
        cost = stage->before.width * 8u * (update->form_count + update->product_count + update->target_count);
    } else {
        const npde_stencil *stencil = stage->as.stencil;
        npde_stencil_row(model, stage, progress->row, stage->line);
        npde_replace_row(stage, stencil->last_dy, stencil->boundary == NPDE_PERIODIC);
        cost = stage->before.width * kernel_cost(&stencil->kernel, stencil->kernel.inputs);
    }
    if (++progress->row < stage->before.height) return cost;
    progress->row = 0;
    if (++progress->part < parts) return cost;
    progress->part = 0;
    progress->time++;
    return cost;
}

static uint32_t frame_work(const npde_model *model, const npde_stage *stage, void *to, bool *gave)
{
    npde_progress *progress = stage->progress;
    if (progress->time < progress->times) return pass_row(model, stage);
    if (!progress->silent) {
        const npde_grid *grid = &stage->before;
        memcpy(to, npde_slot(stage->rows, grid, progress->given), npde_row_values(grid) * grid->bytes);
        progress->given++;
        *gave = true;
    }
    return 1;
}

uint32_t npde_stage_work(const npde_model *model, const npde_stage *stage, void *to, bool *gave)
{
    npde_progress *progress = stage->progress;
    const uint32_t values = (uint32_t)npde_row_values(&stage->before);
    uint32_t cost = values;
    *gave = false;
    switch (stage->kind) {
    case NPDE_STENCIL:
        npde_stencil_row(model, stage, progress->given, to);
        *gave = true;
        cost = stage->after.width * kernel_cost(&stage->as.stencil->kernel, stage->as.stencil->kernel.inputs);
        break;
    case NPDE_STENCIL_IN_FRAME:
    case NPDE_EVOLVE:
        cost = frame_work(model, stage, to, gave);
        end_frame(stage);
        return cost;
    case NPDE_POOL: *gave = npde_pool_row(stage, progress->row, to); break;
    case NPDE_DENSE:
        *gave = npde_dense_rows(model, stage, progress->row, to);
        cost = kernel_cost(&stage->as.dense->kernel, values * stage->row_count);
        progress->row += stage->row_count - 1;
        break;
    case NPDE_RECURRENT:
        *gave = npde_recurrent_row(model, stage, progress->row, to);
        cost = kernel_cost(&stage->as.dense->kernel, stage->as.dense->kernel.inputs);
        break;
    }
    if (stage->kind != NPDE_STENCIL) progress->row++;
    if (*gave) progress->given++;
    end_frame(stage);
    return cost ? cost : 1;
}
