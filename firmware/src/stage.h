/* The kinds of stages, each with the same three questions: can it go on, what does it do next, what did that cost. */
#ifndef NPDE_STAGE_H
#define NPDE_STAGE_H

#include "npde.h"

/* Whether a row of its result, or of its work on a held frame, can be computed from what has come. */
bool npde_stage_ready(const npde_stage *stage);

/* Does it; `to` is where a row of the result goes. Sets `gave` if there is one there now. Gives the cost. */
uint32_t npde_stage_work(const npde_model *model, const npde_stage *stage, void *to, bool *gave);

/* Forget the frame under way. */
void npde_stage_reset(const npde_stage *stage);

/* Each kind's row: `to` from the rows the stage holds. */
void npde_stencil_row(const npde_model *model, const npde_stage *stage, uint32_t y, void *to);
void npde_update_row(const npde_model *model, const npde_stage *stage, const npde_update *update, uint32_t time, uint32_t first_bias);
bool npde_pool_row(const npde_stage *stage, uint32_t y, void *to);
bool npde_dense_rows(const npde_model *model, const npde_stage *stage, uint32_t y, void *to);
bool npde_recurrent_row(const npde_model *model, const npde_stage *stage, uint32_t y, void *to);

#endif
