/* The short way: weights of at most 8 bits, fields of at most 16, sums of 32. Two cells and two outputs at a time, so that each
 * weight and each field is loaded once for two products.
 *
 * A window holds its cells' values four by four, the cells in turn, then what is left over of the first cell, and of the second.
 * Of each four the second and third change places on processors with SMLAD: their weights come out of a word of four as pairs
 * of the first and third, and of the second and fourth. */
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
#define NEXT_FOUR(first, second, at) __asm__ volatile("ldrd %0, %1, [%2], #8" : "=&r"(first), "=&r"(second), "+r"(at) : : "memory")

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

/* `count` of both, a multiple of four. */
static inline void dot_two_cells(const int8_t *mine, const int8_t *other, const int16_t *window, uint32_t count, two *sum, two *other_sum)
{
    int32_t mine_here = sum->here, mine_beside = sum->beside, other_here = other_sum->here, other_beside = other_sum->beside;
    for (const int8_t *end = mine + count; mine != end; mine += 4, other += 4) {
        uint32_t even, odd, even_beside, odd_beside;
        NEXT_FOUR(even, odd, window);
        NEXT_FOUR(even_beside, odd_beside, window);
        uint32_t word = word_at(mine), first = first_and_third(word), second = second_and_fourth(word);
        mine_here = both(second, odd, both(first, even, mine_here));
        mine_beside = both(second, odd_beside, both(first, even_beside, mine_beside));
        word = word_at(other);
        first = first_and_third(word);
        second = second_and_fourth(word);
        other_here = both(second, odd, both(first, even, other_here));
        other_beside = both(second, odd_beside, both(first, even_beside, other_beside));
    }
    *sum = (two){mine_here, mine_beside};
    *other_sum = (two){other_here, other_beside};
}

static inline void dot_one_cell(const int8_t *mine, const int8_t *other, const int16_t *window, uint32_t count, int32_t *sum, int32_t *other_sum)
{
    for (const int8_t *end = mine + count; mine != end; mine += 4, other += 4) {
        uint32_t even, odd;
        NEXT_FOUR(even, odd, window);
        const uint32_t word = word_at(mine), other_word = word_at(other);
        *sum = both(second_and_fourth(word), odd, both(first_and_third(word), even, *sum));
        *other_sum = both(second_and_fourth(other_word), odd, both(first_and_third(other_word), even, *other_sum));
    }
}

#else

static void arrange_fours(int16_t *to, uint32_t step, const void *values, uint32_t count, unsigned field_bytes)
{
    for (uint32_t j = 0; j < count; j += 4, to += step)
        for (uint32_t k = 0; k < 4; k++)
            to[k] = field_bytes == 1 ? ((const int8_t *)values)[j + k] : ((const int16_t *)values)[j + k];
}

static inline void dot_two_cells(const int8_t *mine, const int8_t *other, const int16_t *window, uint32_t count, two *sum, two *other_sum)
{
    int32_t mine_here = sum->here, mine_beside = sum->beside, other_here = other_sum->here, other_beside = other_sum->beside;
    for (const int8_t *end = mine + count; mine != end; mine += 4, other += 4, window += 8)
        for (unsigned k = 0; k < 4; k++) {
            const int32_t weight = mine[k], other_weight = other[k], here = window[k], beside = window[k + 4];
            mine_here += weight * here;
            mine_beside += weight * beside;
            other_here += other_weight * here;
            other_beside += other_weight * beside;
        }
    *sum = (two){mine_here, mine_beside};
    *other_sum = (two){other_here, other_beside};
}

static inline void dot_one_cell(const int8_t *mine, const int8_t *other, const int16_t *window, uint32_t count, int32_t *sum, int32_t *other_sum)
{
    for (const int8_t *end = mine + count; mine != end;) {
        const int32_t value = *window++;
        *sum += *mine++ * value;
        *other_sum += *other++ * value;
    }
}

#endif

void npde_arrange(int16_t *window, uint32_t cell, uint32_t cells, const void *values, uint32_t count, unsigned field_bytes)
{
    const uint32_t fours = count & ~3u, left = count & 3u;
    arrange_fours(window + 4 * cell, 4 * cells, values, fours, field_bytes);
    int16_t *to = window + fours * cells + left * cell;
    for (uint32_t j = fours; j < count; j++) *to++ = field_bytes == 1 ? ((const int8_t *)values)[j] : ((const int16_t *)values)[j];
}

/* Of an odd number of outputs the last is computed twice and kept once. */
static void dot_two(const int8_t *row, uint32_t pitch, uint32_t outputs, const int16_t *window, uint32_t count, int32_t *sums)
{
    const uint32_t fours = count & ~3u, left = count & 3u;
    for (uint32_t o = 0; o < outputs; o += 2, row += 2 * pitch) {
        const bool pair = o + 1 < outputs;
        const int8_t *other = pair ? row + pitch : row;
        int32_t *next = &sums[pair ? o + 1 : o];
        two sum = {sums[o], sums[outputs + o]}, other_sum = {next[0], next[outputs]};
        dot_two_cells(row, other, window, fours, &sum, &other_sum);
        const int16_t *values = window + 2 * fours;
        for (uint32_t j = 0; j < left; j++) {
            sum.here += row[fours + j] * values[j];
            sum.beside += row[fours + j] * values[left + j];
            other_sum.here += other[fours + j] * values[j];
            other_sum.beside += other[fours + j] * values[left + j];
        }
        next[0] = other_sum.here;
        next[outputs] = other_sum.beside;
        sums[o] = sum.here;
        sums[outputs + o] = sum.beside;
    }
}

static void dot_one(const int8_t *row, uint32_t pitch, uint32_t outputs, const int16_t *window, uint32_t count, int32_t *sums)
{
    const uint32_t fours = count & ~3u;
    for (uint32_t o = 0; o < outputs; o += 2, row += 2 * pitch) {
        const bool pair = o + 1 < outputs;
        const int8_t *other = pair ? row + pitch : row;
        int32_t sum = sums[o], other_sum = pair ? sums[o + 1] : 0;
        dot_one_cell(row, other, window, fours, &sum, &other_sum);
        for (uint32_t j = fours; j < count; j++) {
            sum += row[j] * window[j];
            other_sum += other[j] * window[j];
        }
        sums[o] = sum;
        if (pair) sums[o + 1] = other_sum;
    }
}

void npde_dot_short(const npde_kernel *kernel, uint32_t at, const int16_t *window, uint32_t cells, uint32_t count, int32_t *sums)
{
    const int8_t *row = (const int8_t *)kernel->memory->words + kernel->kernel_at + at;
    if (cells == 2)
        dot_two(row, kernel->pitch, kernel->outputs, window, count, sums);
    else
        dot_one(row, kernel->pitch, kernel->outputs, window, count, sums);
}

void npde_react_short(const npde_reaction *reaction, const int32_t *sums, uint32_t count, void *to, unsigned bytes, size_t from)
{
    const int32_t low = reaction->low, high = reaction->high, rounding = reaction->shift ? INT32_C(1) << (reaction->shift - 1) : 0;
    const unsigned shift = reaction->shift;
    const void *table = reaction->table;
    for (uint32_t o = 0; o < count; o++) {
        int32_t value = (sums[o] + rounding) >> shift; /* the accumulator's width has room for the rounding */
        value = value < low ? low : value > high ? high : value;
        if (table) value = npde_get(table, reaction->table_bytes, (size_t)((int64_t)value - low));
        if (bytes == 1)
            ((int8_t *)to)[from + o] = (int8_t)value;
        else
            npde_set(to, bytes, from + o, value);
    }
}
