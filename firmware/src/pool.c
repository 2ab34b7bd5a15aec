#include "arithmetic.h"
#include "dot.h"
#include "row.h"
#include "stage.h"

static int64_t sum_at(const npde_pool *pool, size_t at)
{
    return pool->wide ? ((const int64_t *)pool->sums)[at] : ((const int32_t *)pool->sums)[at];
}

static void set_sum(const npde_pool *pool, size_t at, int64_t sum)
{
    if (pool->wide)
        ((int64_t *)pool->sums)[at] = sum;
    else
        ((int32_t *)pool->sums)[at] = (int32_t)sum;
}

/* Row y's part of each tile; after a tile's last row, the tiles. Cells that fill no tile are dropped. */
bool npde_pool_row(const npde_stage *stage, uint32_t y, void *to)
{
    const npde_pool *pool = stage->as.pool;
    const npde_grid *before = &stage->before, *after = &stage->after;
    const uint32_t channels = before->channels, within = y % pool->tile_y;
    if (y / pool->tile_y >= after->height) return false;
    for (uint32_t x = 0; x < (uint32_t)after->width * pool->tile_x; x++) {
        const bool first = within == 0 && x % pool->tile_x == 0;
        for (uint32_t c = 0; c < channels; c++) {
            const size_t at = (size_t)(x / pool->tile_x) * channels + c;
            const int64_t value = npde_get(stage->rows, before->bytes, (size_t)x * channels + c);
            const int64_t sum = first ? value : sum_at(pool, at);
            if (first)
                set_sum(pool, at, value);
            else if (pool->maximum)
                set_sum(pool, at, value > sum ? value : sum);
            else
                set_sum(pool, at, sum + value);
        }
    }
    if (within + 1u < pool->tile_y) return false;
    for (size_t at = 0; at < npde_row_values(after); at++)
        npde_set(to, after->bytes, at, npde_react(&pool->reaction, sum_at(pool, at)));
    return true;
}
