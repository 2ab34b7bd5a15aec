#include <string.h>

#include "arithmetic.h"
#include "dot.h"

/* In plain C, one function for each width of weights, fields and accumulators. A partial sum lies within the range
 * that the accumulator's width was computed for, since each product's range has zero in it. */
#define NPDE_DOT(name, weight_type, field_type, sum_type)                                                              \
    static void name(const npde_kernel *kernel, uint32_t at, const void *window, uint32_t count, int64_t *sums)       \
    {                                                                                                                  \
        const field_type *values = window;                                                                             \
        const weight_type *row = (const weight_type *)kernel->memory->words + kernel->kernel_at + at;                  \
        for (uint32_t o = 0; o < kernel->outputs; o++, row += kernel->pitch) {                                         \
            sum_type sum = 0;                                                                                          \
            for (uint32_t j = 0; j < count; j++) sum += (sum_type)row[j] * (sum_type)values[j];                        \
            sums[o] += sum;                                                                                            \
        }                                                                                                              \
    }

#if defined(__ARM_FEATURE_SIMD32) && !defined(NPDE_PLAIN)

/* Cortex-M4, M7, M33: two products an instruction. */
#include <arm_acle.h>

static uint32_t word_at(const void *bytes)
{
    uint32_t word; /* these cores load words from any address */
    memcpy(&word, bytes, sizeof word);
    return word;
}

static void dot_16_16_narrow(const npde_kernel *kernel, uint32_t at, const void *window, uint32_t count, int64_t *sums)
{
    const int16_t *row = (const int16_t *)kernel->memory->words + kernel->kernel_at + at;
    for (uint32_t o = 0; o < kernel->outputs; o++, row += kernel->pitch) {
        const int16_t *values = window;
        int32_t sum = 0;
        uint32_t j = 0;
        for (; j + 2 <= count; j += 2) sum = __smlad((int16x2_t)word_at(row + j), (int16x2_t)word_at(values + j), sum);
        for (; j < count; j++) sum += row[j] * values[j];
        sums[o] += sum;
    }
}

#else

NPDE_DOT(dot_16_16_narrow, int16_t, int16_t, int32_t)

#endif

NPDE_DOT(dot_8_16_narrow, int8_t, int16_t, int32_t)
NPDE_DOT(dot_8_32_narrow, int8_t, int32_t, int32_t)
NPDE_DOT(dot_16_32_narrow, int16_t, int32_t, int32_t)
NPDE_DOT(dot_8_16_wide, int8_t, int16_t, int64_t)
NPDE_DOT(dot_16_16_wide, int16_t, int16_t, int64_t)
NPDE_DOT(dot_8_32_wide, int8_t, int32_t, int64_t)
NPDE_DOT(dot_16_32_wide, int16_t, int32_t, int64_t)

void npde_dot(const npde_kernel *kernel, uint32_t at, const void *window, unsigned field_bytes, uint32_t count, int64_t *sums)
{
    typedef void dot_function(const npde_kernel *, uint32_t, const void *, uint32_t, int64_t *);
    static dot_function *const functions[8] = {
        dot_8_16_narrow, dot_16_16_narrow, dot_8_32_narrow, dot_16_32_narrow,
        dot_8_16_wide,   dot_16_16_wide,   dot_8_32_wide,   dot_16_32_wide,
    };
    const unsigned which = (kernel->memory->bytes == 2 ? 1u : 0u) + (field_bytes == 4 ? 2u : 0u) + (kernel->wide ? 4u : 0u);
    functions[which](kernel, at, window, count, sums);
}

int64_t npde_bias(const npde_kernel *kernel, uint32_t output)
{
    const npde_memory *memory = kernel->memory;
    const size_t at = (size_t)output * kernel->pitch;
    uint32_t raw = 0; /* bits above the lowest 32 repeat the sign */
    for (uint32_t word = 0; word < kernel->bias_words; word++)
        for (uint32_t field = memory->fields; field-- > 0;) {
            const uint32_t part = (uint32_t)npde_get(memory->words, memory->bytes, at + word * memory->fields + field);
            raw = (raw << memory->bits) | (part & ((UINT32_C(1) << memory->bits) - 1));
        }
    return npde_scale(npde_sign_extend(raw, kernel->bias_bits), kernel->bias_shift);
}

int32_t npde_react(const npde_reaction *reaction, int64_t acc)
{
    const int32_t value = npde_clamp(npde_rescale(acc, reaction->shift), reaction->low, reaction->high);
    if (!reaction->table) return value;
    return npde_get(reaction->table, reaction->table_bytes, (size_t)((int64_t)value - reaction->low));
}

void npde_widen(void *window, uint32_t at, const void *row, size_t from, uint32_t count, unsigned field_bytes)
{
    switch (field_bytes) {
    case 1: {
        int16_t *to = (int16_t *)window + at;
        const int8_t *values = (const int8_t *)row + from;
        for (uint32_t j = 0; j < count; j++) to[j] = values[j];
        break;
    }
    case 2: memcpy((int16_t *)window + at, (const int16_t *)row + from, count * sizeof(int16_t)); break;
    default: memcpy((int32_t *)window + at, (const int32_t *)row + from, count * sizeof(int32_t)); break;
    }
}
