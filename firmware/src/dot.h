/* Products of weights and a window: the one place where multiplications are many. */
#ifndef NPDE_DOT_H
#define NPDE_DOT_H

#include "npde.h"

/* sums[o] += Σ_j weight[o, at + j] · window[j], j < count, for every output o. The window is of int16_t, or of int32_t
 * where `field_bytes` is 4. */
void npde_dot(const npde_kernel *kernel, uint32_t at, const void *window, unsigned field_bytes, uint32_t count, int64_t *sums);

/* The bias of output o in the accumulator's units. */
int64_t npde_bias(const npde_kernel *kernel, uint32_t output);

/* The value that follows an accumulator. */
int32_t npde_react(const npde_reaction *reaction, int64_t acc);

/* `count` values of a row, from `from` on, into a window from `at` on. */
void npde_widen(void *window, uint32_t at, const void *row, size_t from, uint32_t count, unsigned field_bytes);

#endif
