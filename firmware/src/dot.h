/* Products of weights and a window: the one place where multiplications are many. */
#ifndef NPDE_DOT_H
#define NPDE_DOT_H

#include "npde.h"

/* Whether a step takes the short way, where most do: weights of at most 8 bits, fields of at most 16, sums of 32. Its
 * window is arranged for the processor's products, its sums are int32_t. */
static inline bool npde_is_short(const npde_kernel *kernel, unsigned weight_bytes, unsigned field_bytes)
{
    return !kernel->wide && weight_bytes == 1 && field_bytes <= 2;
}

/* The biases of all outputs, as sums that nothing was added to yet. */
void npde_begin_short(const npde_kernel *kernel, int32_t *sums);

/* `count` values of one cell into a window of `cells` (1 or 2) side by side, of which this is number `cell`. The
 * window has room for cells · count int16_t and is aligned as a word. */
void npde_arrange(
    int16_t *window, uint32_t cell, uint32_t cells, const void *values, uint32_t count, unsigned field_bytes);

/* A part of them, from value `at` on; both are multiples of four. NULL values are zeros. */
void npde_arrange_fours(
    int16_t *window, uint32_t cell, uint32_t cells, uint32_t at, const void *values, uint32_t count,
    unsigned field_bytes);

/* sums[cell · outputs + o] = start[o] + Σ_j weight[o, at + j] · value[cell, j] for each output o, over an arranged
 * window. */
void npde_dot_short(
    const npde_kernel *kernel, uint32_t at, const int16_t *window, uint32_t cells, uint32_t count,
    const int32_t *start, int32_t *sums);

/* `count` values that follow sums of the short way, into a row of `bytes` each from `from` on. */
void npde_react_short(
    const npde_reaction *reaction, const int32_t *sums, uint32_t count, void *to, unsigned bytes, size_t from);

/* The other way: sums[o] += Σ_j weight[o, at + j] · window[j], j < count, for every output o. The window is of
 * int16_t, or of int32_t where `field_bytes` is 4. */
void npde_dot(
    const npde_kernel *kernel, uint32_t at, const void *window, unsigned field_bytes, uint32_t count, int64_t *sums);

/* The bias of output o in the accumulator's units. */
int64_t npde_bias(const npde_kernel *kernel, uint32_t output);

/* The value that follows an accumulator. */
int32_t npde_react(const npde_reaction *reaction, int64_t acc);

/* `count` values of a row, from `from` on, into a window from `at` on, each as int16_t or int32_t. */
void npde_widen(void *window, uint32_t at, const void *row, size_t from, uint32_t count, unsigned field_bytes);

#endif
