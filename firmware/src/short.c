/* The short way: weights of at most 8 bits, fields of at most 16, sums of 32. Two cells and two outputs at a time, so
 * that each weight and each field is loaded once for two products.
 *
 * A window holds its cells' values four by four, the cells in turn, then what is left over of the first cell, and of
 * the second. Of each four the second and third change places on processors with SMLAD: their weights come out of a
 * word of four as pairs of the first and third, and of the second and fourth. */
#include <string.h>

#include "arithmetic.h"
#include "dot.h"

/* Sums of two outputs for two cells. */
typedef struct {
    int32_t here, beside;
} two;

#if defined(__ARM_FEATURE_SIMD32) && !defined(NPDE_PLAIN)

/* Cortex-M4, M7, M33: two products an instruction, four weights a word. */
#include <arm_acle.h>

#define APART static __attribute__((noinline)) /* the loop has all registers to itself */

static inline uint32_t word_at(const void *bytes)
{
    uint32_t word; /* these cores load words from any address */
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline uint32_t first_and_third(uint32_t word)
{
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
    return pair;
}

static inline uint32_t second_and_fourth(uint32_t word)
{
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

static inline int32_t both(uint32_t weights, uint32_t values, int32_t sum)
{
    return __smlad((int16x2_t)weights, (int16x2_t)values, sum);
}

/* The next four of a window, as two pairs, in one instruction, which the window's alignment allows. */
#define NEXT_FOUR(first, second, at)                                                                                  \
    __asm__ volatile("ldrd %0, %1, [%2], #8" : "=&r"(first), "=&r"(second), "+r"(at) : : "memory")

/* The next four weights, and those so many bytes farther: written out, or the compiler walks with a pointer for each
 * output, and runs out of registers. */
#define NEXT_WORD(word, at) __asm__ volatile("ldr %0, [%1], #4" : "=r"(word), "+r"(at) : : "memory")
#define FAR_WORD(word, at, far) __asm__ volatile("ldr %0, [%1, %2]" : "=r"(word) : "r"(at), "r"(far) : "memory")

static void arrange_fours(int16_t *to, uint32_t step, const void *values, uint32_t count, unsigned field_bytes)
{
    const uint8_t *from = values;
    for (uint32_t j = 0; j < count; j += 4, to += step, from += 4 * field_bytes) {
        uint32_t pairs[2];
        if (field_bytes == 1) {
            const uint32_t word = word_at(from);
            pairs[0] = first_and_third(word);
            pairs[1] = second_and_fourth(word);
        } else {
            const uint32_t first = word_at(from), second = word_at(from + 4);
            __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pairs[0]) : "r"(first), "r"(second));
            __asm__("pkhtb %0, %2, %1, asr #16" : "=r"(pairs[1]) : "r"(first), "r"(second));
        }
        memcpy(to, pairs, sizeof pairs);
    }
}

/* Two outputs, whose weights lie `pitch` apart, for two cells; `count` values, a multiple of four. */
static inline void dot_two_cells(
    const int8_t *row, uint32_t pitch, const int16_t *window, uint32_t count, two *sum, two *other_sum)
{
    int32_t mine_here = sum->here, mine_beside = sum->beside, other_here = other_sum->here,
            other_beside = other_sum->beside;
    for (const int8_t *end = row + count; row != end;) {
        uint32_t even, odd, even_beside, odd_beside, word, first;
        NEXT_FOUR(even, odd, window);
        NEXT_FOUR(even_beside, odd_beside, window);
        FAR_WORD(word, row, pitch);
        first = first_and_third(word);
        word = second_and_fourth(word);
        other_here = both(word, odd, both(first, even, other_here));
        other_beside = both(word, odd_beside, both(first, even_beside, other_beside));
        NEXT_WORD(word, row);
        first = first_and_third(word);
        word = second_and_fourth(word);
        mine_here = both(word, odd, both(first, even, mine_here));
        mine_beside = both(word, odd_beside, both(first, even_beside, mine_beside));
    }
    *sum = (two){mine_here, mine_beside};
    *other_sum = (two){other_here, other_beside};
}

/* Outputs four by four, `outputs` a multiple of that, for one cell. */
APART void dot_four_outputs(
    const int8_t *row, uint32_t pitch, uint32_t outputs, const int16_t *window, uint32_t count, const int32_t *start,
    int32_t *sums)
{
    for (const int32_t *last = start + outputs; start != last;
         start += 4, sums += 4, row += 4 * pitch - count, window -= count) {
        const int8_t *third = row + 2 * pitch;
        int32_t a = start[0], b = start[1], c = start[2], d = start[3];
        for (const int8_t *end = row + count; row != end;) {
            uint32_t even, odd, word;
            NEXT_FOUR(even, odd, window);
            FAR_WORD(word, row, pitch);
            b = both(second_and_fourth(word), odd, both(first_and_third(word), even, b));
            NEXT_WORD(word, row);
            a = both(second_and_fourth(word), odd, both(first_and_third(word), even, a));
            FAR_WORD(word, third, pitch);
            d = both(second_and_fourth(word), odd, both(first_and_third(word), even, d));
            NEXT_WORD(word, third);
            c = both(second_and_fourth(word), odd, both(first_and_third(word), even, c));
        }
        sums[0] = a;
        sums[1] = b;
        sums[2] = c;
        sums[3] = d;
    }
}

static inline int32_t dot_one_output(const int8_t *row, const int16_t *window, uint32_t count)
{
    int32_t sum = 0;
    for (const int8_t *end = row + count; row != end; row += 4) {
        uint32_t even, odd;
        NEXT_FOUR(even, odd, window);
        const uint32_t word = word_at(row);
        sum = both(second_and_fourth(word), odd, both(first_and_third(word), even, sum));
    }
    return sum;
}

#else

static void arrange_fours(int16_t *to, uint32_t step, const void *values, uint32_t count, unsigned field_bytes)
{
    for (uint32_t j = 0; j < count; j += 4, to += step)
        for (uint32_t k = 0; k < 4; k++)
            to[k] = field_bytes == 1 ? ((const int8_t *)values)[j + k] : ((const int16_t *)values)[j + k];
}

static inline void dot_two_cells(
    const int8_t *row, uint32_t pitch, const int16_t *window, uint32_t count, two *sum, two *other_sum)
{
    const int8_t *other = row + pitch;
    int32_t mine_here = sum->here, mine_beside = sum->beside, other_here = other_sum->here,
            other_beside = other_sum->beside;
    for (const int8_t *end = row + count; row != end; row += 4, other += 4, window += 8)
        for (unsigned k = 0; k < 4; k++) {
            const int32_t weight = row[k], other_weight = other[k], here = window[k], beside = window[k + 4];
            mine_here += weight * here;
            mine_beside += weight * beside;
            other_here += other_weight * here;
            other_beside += other_weight * beside;
        }
    *sum = (two){mine_here, mine_beside};
    *other_sum = (two){other_here, other_beside};
}

static void dot_four_outputs(
    const int8_t *row, uint32_t pitch, uint32_t outputs, const int16_t *window, uint32_t count, const int32_t *start,
    int32_t *sums)
{
    for (const int32_t *last = start + outputs; start != last; start += 4, sums += 4, row += 4 * pitch) {
        const int8_t *second = row + pitch, *third = second + pitch, *fourth = third + pitch;
        int32_t a = start[0], b = start[1], c = start[2], d = start[3];
        for (uint32_t j = 0; j < count; j++) {
            const int32_t value = window[j];
            a += row[j] * value;
            b += second[j] * value;
            c += third[j] * value;
            d += fourth[j] * value;
        }
        sums[0] = a;
        sums[1] = b;
        sums[2] = c;
        sums[3] = d;
    }
}

static inline int32_t dot_one_output(const int8_t *row, const int16_t *window, uint32_t count)
{
    int32_t sum = 0;
    for (uint32_t j = 0; j < count; j++) sum += row[j] * window[j];
    return sum;
}

#endif

void npde_arrange_fours(
    int16_t *window, uint32_t cell, uint32_t cells, uint32_t at, const void *values, uint32_t count,
    unsigned field_bytes)
{
    int16_t *to = window + at * cells + 4 * cell;
    if (values) {
        arrange_fours(to, 4 * cells, values, count, field_bytes);
        return;
    }
    for (uint32_t j = 0; j < count; j += 4, to += 4 * cells) memset(to, 0, 4 * sizeof *to);
}

void npde_arrange(
    int16_t *window, uint32_t cell, uint32_t cells, const void *values, uint32_t count, unsigned field_bytes)
{
    const uint32_t fours = count & ~3u, left = count & 3u;
    arrange_fours(window + 4 * cell, 4 * cells, values, fours, field_bytes);
    int16_t *to = window + fours * cells + left * cell;
    for (uint32_t j = fours; j < count; j++)
        *to++ = field_bytes == 1 ? ((const int8_t *)values)[j] : ((const int16_t *)values)[j];
}

void npde_begin_short(const npde_kernel *kernel, int32_t *sums)
{
    const npde_memory *memory = kernel->memory;
    const int8_t *row = memory->words;
    const unsigned bits = memory->bits, unused = 32u - kernel->bias_bits, shift = kernel->bias_shift;
    const uint32_t mask = (UINT32_C(1) << bits) - 1;
    for (uint32_t o = 0; o < kernel->outputs; o++, row += kernel->pitch) {
        if (memory->fields > 1) {
            sums[o] = (int32_t)npde_bias(kernel, o);
            continue;
        }
        uint32_t raw = 0; /* bits above the lowest 32 repeat the sign */
        for (uint32_t word = 0; word < kernel->bias_words; word++) {
            const uint32_t part = (uint32_t)row[word];
            raw = (raw << bits) | (part & mask);
        }
        sums[o] = ((int32_t)(raw << unused) >> unused) * (int32_t)(UINT32_C(1) << shift);
    }
}

/* Of an odd number of outputs the last is computed twice and kept once. */
static void dot_two(
    const int8_t *row, uint32_t pitch, uint32_t outputs, const int16_t *window, uint32_t count, const int32_t *start,
    int32_t *sums)
{
    const uint32_t fours = count & ~3u, left = count & 3u;
    for (uint32_t o = 0; o < outputs; o += 2, row += 2 * pitch) {
        const uint32_t next = o + 1 < outputs ? o + 1 : o, far = next > o ? pitch : 0;
        two sum = {start[o], start[o]}, other_sum = {start[next], start[next]};
        dot_two_cells(row, far, window, fours, &sum, &other_sum);
        const int16_t *values = window + 2 * fours;
        for (uint32_t j = 0; j < left; j++) {
            const int32_t weight = row[fours + j], other_weight = row[fours + j + far], here = values[j],
                          beside = values[left + j];
            sum.here += weight * here;
            sum.beside += weight * beside;
            other_sum.here += other_weight * here;
            other_sum.beside += other_weight * beside;
        }
        sums[o] = sum.here;
        sums[outputs + o] = sum.beside;
        sums[next] = other_sum.here;
        sums[outputs + next] = other_sum.beside;
    }
}

/* Four outputs at a time, then what is left of them one by one; last what is left of the values. */
static void dot_one(
    const int8_t *row, uint32_t pitch, uint32_t outputs, const int16_t *window, uint32_t count, const int32_t *start,
    int32_t *sums)
{
    const uint32_t fours = count & ~3u, whole = outputs & ~3u;
    dot_four_outputs(row, pitch, whole, window, fours, start, sums);
    for (uint32_t o = whole; o < outputs; o++)
        sums[o] = start[o] + dot_one_output(row + (size_t)o * pitch, window, fours);
    if (fours == count) return;
    for (uint32_t o = 0; o < outputs; o++, row += pitch)
        for (uint32_t j = fours; j < count; j++) sums[o] += row[j] * window[j];
}

void npde_dot_short(
    const npde_kernel *kernel, uint32_t at, const int16_t *window, uint32_t cells, uint32_t count,
    const int32_t *start, int32_t *sums)
{
    const int8_t *row = (const int8_t *)kernel->memory->words + kernel->kernel_at + at;
    if (cells == 2)
        dot_two(row, kernel->pitch, kernel->outputs, window, count, start, sums);
    else
        dot_one(row, kernel->pitch, kernel->outputs, window, count, start, sums);
}

void npde_react_short(
    const npde_reaction *reaction, const int32_t *sums, uint32_t count, void *to, unsigned bytes, size_t from)
{
    const int32_t low = reaction->low, high = reaction->high,
                  rounding = reaction->shift ? INT32_C(1) << (reaction->shift - 1) : 0;
    const unsigned shift = reaction->shift;
    const void *table = reaction->table;
    if (!table && bytes == 1) {
        int8_t *at = (int8_t *)to + from;
        for (const int32_t *end = sums + count; sums != end; sums++) {
            const int32_t value = (*sums + rounding) >> shift; /* the accumulator's width has room for the rounding */
            *at++ = (int8_t)(value < low ? low : value > high ? high : value);
        }
        return;
    }
    for (uint32_t o = 0; o < count; o++) {
        int32_t value = (sums[o] + rounding) >> shift;
        value = value < low ? low : value > high ? high : value;
        if (table) value = npde_get(table, reaction->table_bytes, (size_t)((int64_t)value - low));
        npde_set(to, bytes, from + o, value);
    }
}
