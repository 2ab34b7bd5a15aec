#include "arithmetic.h"
#include "dot.h"
#include "row.h"
#include "stage.h"

static bool is_short(const npde_stage *stage)
{
    const npde_kernel *kernel = &stage->as.dense->kernel;
    return npde_is_short(kernel, kernel->memory->bytes, stage->before.bytes);
}

static void react(const npde_stage *stage, void *to, unsigned bytes)
{
    const npde_dense *dense = stage->as.dense;
    if (is_short(stage)) {
        npde_react_short(&dense->kernel.reaction, dense->sums, dense->kernel.outputs, to, bytes, 0);
        return;
    }
    const int64_t *sums = dense->sums;
    for (uint32_t o = 0; o < dense->kernel.outputs; o++)
        npde_set(to, bytes, o, npde_react(&dense->kernel.reaction, sums[o]));
}

static void begin(const npde_stage *stage)
{
    const npde_dense *dense = stage->as.dense;
    if (is_short(stage)) {
        npde_begin_short(&dense->kernel, dense->sums);
        return;
    }
    int64_t *sums = dense->sums;
    for (uint32_t o = 0; o < dense->kernel.outputs; o++) sums[o] = npde_bias(&dense->kernel, o);
}

/* `count` values' products with the weights from `at` on, onto the sums. */
static void add(const npde_model *model, const npde_stage *stage, uint32_t at, const void *values, uint32_t count)
{
    const npde_dense *dense = stage->as.dense;
    const unsigned bytes = stage->before.bytes;
    if (is_short(stage)) {
        npde_arrange(model->scratch.window, 0, 1, values, count, bytes);
        npde_dot_short(&dense->kernel, at, model->scratch.window, 1, count, dense->sums, dense->sums);
    } else {
        npde_widen(model->scratch.window, 0, values, 0, count, bytes);
        npde_dot(&dense->kernel, at, model->scratch.window, bytes, count, dense->sums);
    }
}

/* The part of all sums that the rows from y on have, those that are held; after the last row, the outputs. */
bool npde_dense_rows(const npde_model *model, const npde_stage *stage, uint32_t y, void *to)
{
    const uint32_t row = (uint32_t)npde_row_values(&stage->before);
    if (y == 0) begin(stage);
    add(model, stage, y * row, stage->rows, row * stage->row_count);
    if (y + stage->row_count < stage->before.height) return false;
    react(stage, to, stage->after.bytes);
    return true;
}

/* One time step: row y is its source, the state before it the rest of what each output sees. */
bool npde_recurrent_row(const npde_model *model, const npde_stage *stage, uint32_t y, void *to)
{
    const npde_dense *dense = stage->as.dense;
    const uint32_t values = (uint32_t)npde_row_values(&stage->before), outputs = dense->kernel.outputs;
    begin(stage);
    add(model, stage, 0, stage->rows, values);
    if (y > 0) add(model, stage, values, dense->state, outputs); /* the first state is zero */
    const bool last = y + 1 == stage->before.height;
    react(stage, last ? to : dense->state, stage->before.bytes);
    return last;
}
