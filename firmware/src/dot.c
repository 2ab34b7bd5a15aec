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

/* Cortex-M4, M7, M33: two products an instruction, four weights a word. */
#include <arm_acle.h>

static uint32_t word_at(const void *bytes)
{
    uint32_t word; /* these cores load words from any address */
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Fields 0 and 2, and 1 and 3, of two words, beside weights 0 and 2, and 1 and 3. */
static uint32_t even_of(uint32_t first, uint32_t second)
{
    uint32_t pair;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(first), "r"(second));
    return pair;
}

static uint32_t odd_of(uint32_t first, uint32_t second)
{
    uint32_t pair;
    __asm__("pkhtb %0, %2, %1, asr #16" : "=r"(pair) : "r"(first), "r"(second));
    return pair;
}

static int32_t four(uint32_t weights, uint32_t even, uint32_t odd, int32_t sum)
{
    uint32_t low, high;
    __asm__("sxtb16 %0, %1" : "=r"(low) : "r"(weights));
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(high) : "r"(weights));
    return __smlad((int16x2_t)high, (int16x2_t)odd, __smlad((int16x2_t)low, (int16x2_t)even, sum));
}

/* Outputs two by two, so that a pair of fields is arranged once for both. */
static void dot_8_16_narrow(const npde_kernel *kernel, uint32_t at, const void *window, uint32_t count, int64_t *sums)
{
    const int8_t *row = (const int8_t *)kernel->memory->words + kernel->kernel_at + at;
    for (uint32_t o = 0; o < kernel->outputs; o += 2, row += 2 * kernel->pitch) {
        const bool two = o + 1 < kernel->outputs;
        const int8_t *mine = row, *other = two ? row + kernel->pitch : row; /* of an odd number the last is done twice, kept once */
        const int16_t *values = window, *whole = values + (count & ~3u), *end = values + count;
        int32_t sum = 0, other_sum = 0;
        for (; values < whole; values += 4, mine += 4, other += 4) {
            const uint32_t first = word_at(values), second = word_at(values + 2);
            const uint32_t even = even_of(first, second), odd = odd_of(first, second);
            sum = four(word_at(mine), even, odd, sum);
            other_sum = four(word_at(other), even, odd, other_sum);
        }
        for (; values < end; values++) {
            sum += *mine++ * *values;
            other_sum += *other++ * *values;
        }
        sums[o] += sum;
        if (two) sums[o + 1] += other_sum;
    }
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

NPDE_DOT(dot_8_16_narrow, int8_t, int16_t, int32_t)
NPDE_DOT(dot_16_16_narrow, int16_t, int16_t, int32_t)

#endif

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
