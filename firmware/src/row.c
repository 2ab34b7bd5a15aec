#include "row.h"

/* Rows below the one under way are still there; of those above, the nearest are in the ring. Only a periodic frame
 * reads others: its last rows see its first. */
const void *npde_old_row(const npde_stage *stage, uint32_t y)
{
    const uint32_t row = stage->progress->row;
    if (y >= row) return npde_slot(stage->rows, &stage->before, y);
    if (row - y <= stage->old_ring) return npde_slot(stage->old, &stage->before, y % stage->old_ring);
    return npde_slot(stage->old, &stage->before, stage->old_ring + y);
}

void npde_replace_row(const npde_stage *stage, int32_t reach, bool periodic)
{
    const uint32_t row = stage->progress->row;
    const size_t size = npde_row_values(&stage->before) * stage->before.bytes;
    void *here = npde_slot(stage->rows, &stage->before, row);
    if (stage->old_ring) npde_copy(npde_slot(stage->old, &stage->before, row % stage->old_ring), here, size);
    if (periodic && row < (uint32_t)reach) npde_copy(npde_slot(stage->old, &stage->before, stage->old_ring + row), here, size);
    npde_copy(here, stage->line, size);
}
