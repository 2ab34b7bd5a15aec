#include "arithmetic.h"
#include "dot.h"
#include "row.h"
#include "stage.h"

static void react(const npde_dense *dense, void *to, unsigned bytes)
{
    for (uint32_t o = 0; o < dense->kernel.outputs; o++)
        npde_set(to, bytes, o, npde_react(&dense->kernel.reaction, dense->sums[o]));
}

static void begin(const npde_dense *dense)
{
    for (uint32_t o = 0; o < dense->kernel.outputs; o++) dense->sums[o] = npde_bias(&dense->kernel, o);
}

/* Row y's part of all sums; after the last row, the outputs. */
bool npde_dense_row(const npde_model *model, const npde_stage *stage, uint32_t y, void *to)
{
    const npde_dense *dense = stage->as.dense;
    const uint32_t values = (uint32_t)npde_row_values(&stage->before);
    if (y == 0) begin(dense);
    npde_widen(model->scratch.window, 0, stage->rows, 0, values, stage->before.bytes);
    npde_dot(&dense->kernel, y * values, model->scratch.window, stage->before.bytes, values, dense->sums);
    if (y + 1 < stage->before.height) return false;
    react(dense, to, stage->after.bytes);
    return true;
}

/* One time step: row y is its source, the state before it the rest of what each output sees. */
bool npde_recurrent_row(const npde_model *model, const npde_stage *stage, uint32_t y, void *to)
{
    const npde_dense *dense = stage->as.dense;
    const unsigned bytes = stage->before.bytes;
    const uint32_t values = (uint32_t)npde_row_values(&stage->before), outputs = dense->kernel.outputs;
    begin(dense);
    npde_widen(model->scratch.window, 0, stage->rows, 0, values, bytes);
    npde_dot(&dense->kernel, 0, model->scratch.window, bytes, values, dense->sums);
    if (y > 0) { /* the first state is zero */
        npde_widen(model->scratch.window, 0, dense->state, 0, outputs, bytes);
        npde_dot(&dense->kernel, values, model->scratch.window, bytes, outputs, dense->sums);
    }
    const bool last = y + 1 == stage->before.height;
    react(dense, last ? to : dense->state, bytes);
    return last;
}
