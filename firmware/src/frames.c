/* Frames through the stages: a row goes on as soon as the stage behind has room, the last stages first. */
#include <string.h>

#include "arithmetic.h"
#include "row.h"
#include "stage.h"

uint32_t npde_frame_values(const npde_model *model)
{
    return (uint32_t)(npde_row_values(&model->input) * model->input.height);
}

uint32_t npde_answer_values(const npde_model *model)
{
    return (uint32_t)(npde_row_values(&model->output) * model->output.height) + model->argmax;
}

void npde_reset(const npde_model *model)
{
    for (uint32_t i = 0; i < model->stage_count; i++) npde_stage_reset(&model->stages[i]);
    memset(model->ends, 0, sizeof *model->ends);
}

/* A stage takes a row unless it could go on without one: then its rows are still wanted, and none is free. */
static bool has_room(const npde_stage *stage)
{
    return !npde_stage_ready(stage);
}

/* Stencils of a stride may have given their last row before the frame's last row has come: it is let go. */
static void came(const npde_stage *stage)
{
    npde_progress *progress = stage->progress;
    progress->received++;
    if (stage->kind == NPDE_STENCIL && progress->received == stage->before.height && progress->given == stage->after.height)
        npde_stage_reset(stage);
}

int32_t npde_put(const npde_model *model, int32_t value)
{
    const npde_stage *first = &model->stages[0];
    npde_ends *ends = model->ends;
    if (value != npde_saturate(value, model->input.bits)) return NPDE_ERROR_RANGE;
    if (!has_room(first)) return 0;
    npde_set(npde_incoming(first), model->input.bytes, ends->column, value);
    if (++ends->column == npde_row_values(&model->input)) {
        ends->column = 0;
        came(first);
    }
    return 1;
}

uint32_t npde_work(const npde_model *model)
{
    bool room = !model->ends->waiting; /* behind the stage that is looked at */
    for (uint32_t i = model->stage_count; i-- > 0;) {
        const npde_stage *stage = &model->stages[i];
        const bool ready = npde_stage_ready(stage);
        if (ready && room) {
            const bool last = i + 1 == model->stage_count;
            bool gave;
            const uint32_t cost = npde_stage_work(model, stage, last ? model->result : npde_incoming(stage + 1), &gave);
            if (gave && last) model->ends->waiting = (uint32_t)npde_row_values(&model->output) + model->argmax;
            if (gave && !last) came(stage + 1);
            return cost;
        }
        room = !ready;
    }
    return 0;
}

int32_t npde_take(const npde_model *model, int32_t *value)
{
    npde_ends *ends = model->ends;
    if (!ends->waiting) return 0;
    const uint32_t values = (uint32_t)npde_row_values(&model->output);
    const uint32_t index = values + model->argmax - ends->waiting--;
    if (index == values) {
        *value = (int32_t)ends->label;
        return 1;
    }
    *value = npde_get(model->result, model->output.bytes, index);
    if (index == 0 || *value > ends->greatest) {
        ends->label = index;
        ends->greatest = *value;
    }
    return 1;
}

bool npde_idle(const npde_model *model)
{
    if (model->ends->column || model->ends->waiting) return false;
    for (uint32_t i = 0; i < model->stage_count; i++) {
        const npde_progress *progress = model->stages[i].progress;
        if (progress->received) return false;
    }
    return true;
}

int32_t npde_infer(const npde_model *model, const int32_t *frame, int32_t *answer)
{
    const uint32_t values = npde_frame_values(model), wanted = npde_answer_values(model);
    uint32_t put = 0, taken = 0;
    if (!npde_idle(model)) return NPDE_ERROR_BUSY;
    npde_reset(model); /* an order that was given for the next turn */
    while (taken < wanted || put < values) { /* an answer may be there before rows it does not depend on */
        const int32_t took = put < values ? npde_put(model, frame[put]) : 0;
        if (took < 0) {
            npde_reset(model);
            return took;
        }
        put += (uint32_t)took;
        if (took) continue;
        while (taken < wanted && npde_take(model, &answer[taken])) taken++;
        npde_work(model);
    }
    while (npde_work(model)) {}
    return 0;
}

int32_t npde_order(const npde_model *model, bool load, uint32_t times, bool emit)
{
    const npde_stage *stage = &model->stages[0];
    npde_progress *progress = stage->progress;
    if (!model->resident) return NPDE_ERROR_KIND;
    if (!npde_idle(model)) return NPDE_ERROR_BUSY;
    progress->times = times;
    progress->silent = !emit;
    if (!load) progress->received = stage->before.height;
    return 0;
}
