/* The numeric contract's operations on integers, and typed access to rows of any of the three widths. */
#ifndef NPDE_ARITHMETIC_H
#define NPDE_ARITHMETIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* cppcheck-suppress shiftNegativeLHS ; that it is defined is what is asserted */
_Static_assert((-3 >> 1) == -2, "the runtime needs an arithmetic right shift, which every compiler it is meant for has");

/* acc / 2^shift, rounded half up. */
static inline int64_t npde_rescale(int64_t acc, unsigned shift)
{
    return shift ? (acc + (INT64_C(1) << (shift - 1))) >> shift : acc;
}

/* value · 2^shift: a left shift that negative numbers may take as well. */
static inline int64_t npde_scale(int64_t value, unsigned shift)
{
    return value * (INT64_C(1) << shift);
}

static inline int32_t npde_clamp(int64_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : (int32_t)value;
}

static inline int32_t npde_saturate(int64_t value, unsigned bits)
{
    const int32_t high = (int32_t)((UINT32_C(1) << (bits - 1)) - 1);
    return npde_clamp(value, -high - 1, high);
}

/* The low `bits` bits (up to 32) as a two's-complement integer. */
static inline int32_t npde_sign_extend(uint32_t raw, unsigned bits)
{
    if (!bits) return 0;
    const uint32_t sign = UINT32_C(1) << (bits - 1);
    const uint32_t mask = sign | (sign - 1);
    const int64_t value = (int64_t)((raw & mask) ^ sign) - (int64_t)sign;
    return (int32_t)value;
}

static inline int32_t npde_get(const void *base, unsigned bytes, size_t index)
{
    switch (bytes) {
    case 1: return ((const int8_t *)base)[index];
    case 2: return ((const int16_t *)base)[index];
    default: return ((const int32_t *)base)[index];
    }
}

static inline void npde_set(void *base, unsigned bytes, size_t index, int32_t value)
{
    switch (bytes) {
    case 1: ((int8_t *)base)[index] = (int8_t)value; break;
    case 2: ((int16_t *)base)[index] = (int16_t)value; break;
    default: ((int32_t *)base)[index] = value; break;
    }
}

/* The place in a row or column of `cells` where `index` is read, or -1 where the grid continues with zero. Taps reach
 * at most one grid beyond the edge. */
static inline int32_t npde_place(int32_t index, int32_t cells, unsigned boundary)
{
    if (index >= 0 && index < cells) return index;
    if (boundary == 0) return -1;
    if (boundary == 1) return index < 0 ? 0 : cells - 1;
    return index < 0 ? index + cells : index - cells;
}

#endif
