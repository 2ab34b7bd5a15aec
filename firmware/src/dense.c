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
    for (uint32_t o = 0; o < dense->kernel.outputs; o++) npde_set(to, bytes, o, npde_react(&dense->kernel.reaction, sums[o]));
}

static void begin(const npde_stage *stage)
{
    const npde_dense *dense = stage->as.dense;
    for (uint32_t o = 0; o < dense->kernel.outputs; o++) {
        const int64_t bias = npde_bias(&dense->kernel, o);
        if (is_short(stage))
            ((int32_t *)dense->sums)[o] = (int32_t)bias;
        else
            ((int64_t *)dense->sums)[o] = bias;
    }
}

/* `count` values' products with the weights from `at` on, onto the sums. */
static void add(const npde_model *model, const npde_stage *stage, uint32_t at, const void *values, uint32_t count)
{
    const npde_dense *dense = stage->as.dense;
    const unsigned bytes = stage->before.bytes;
    if (is_short(stage)) {
        npde_arrange(model->scratch.window, 0, 1, values, count, bytes);
        npde_dot_short(&dense->kernel, at, model->scratch.window, 1, count, dense->sums);
    } else {
        npde_widen(model->scratch.window, 0, values, 0, count, bytes);
        npde_dot(&dense->kernel, at, model->scratch.window, bytes, count, dense->sums);
    }
}

/* Row y's part of all sums; after the last row, the outputs. */
bool npde_dense_row(const npde_model *model, const npde_stage *stage, uint32_t y, void *to)
{
    const uint32_t values = (uint32_t)npde_row_values(&stage->before);
    if (y == 0) begin(stage);
    add(model, stage, y * values, stage->rows, values);
    if (y + 1 < stage->before.height) return false;
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
