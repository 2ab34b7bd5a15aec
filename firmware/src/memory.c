/* Weight memories, word by word as they travel: fields of any width up to 32 bits, packed from the lowest bit on. */
#include "arithmetic.h"
#include "npde.h"

uint32_t npde_word_bytes(const npde_memory *memory)
{
    return ((uint32_t)memory->fields * memory->bits + 7) / 8;
}

static uint32_t within(const npde_memory *memory, uint32_t first, uint32_t count)
{
    if (first >= memory->depth) return 0;
    const uint32_t left = memory->depth - first;
    return count < left ? count : left;
}

uint32_t npde_read_words(const npde_memory *memory, uint32_t first, uint32_t count, uint8_t *bytes)
{
    const uint32_t done = within(memory, first, count);
    for (uint32_t word = 0; word < done; word++) {
        uint64_t held = 0;
        uint32_t bits = 0;
        for (uint32_t field = 0; field < memory->fields; field++) {
            const uint32_t value = (uint32_t)npde_get(memory->words, memory->bytes, (size_t)(first + word) * memory->fields + field);
            held |= (value & ((UINT64_C(1) << memory->bits) - 1)) << bits;
            for (bits += memory->bits; bits >= 8; bits -= 8, held >>= 8) *bytes++ = (uint8_t)held;
        }
        if (bits) *bytes++ = (uint8_t)held;
    }
    return done;
}

uint32_t npde_write_words(const npde_memory *memory, uint32_t first, uint32_t count, const uint8_t *bytes)
{
    const uint32_t done = memory->loaded ? within(memory, first, count) : 0;
    for (uint32_t word = 0; word < done; word++) {
        uint64_t held = 0;
        uint32_t bits = 0;
        for (uint32_t field = 0; field < memory->fields; field++) {
            for (; bits < memory->bits; bits += 8) held |= (uint64_t)*bytes++ << bits;
            const int32_t value = npde_sign_extend((uint32_t)held, memory->bits);
            npde_set(memory->loaded, memory->bytes, (size_t)(first + word) * memory->fields + field, value);
            held >>= memory->bits;
            bits -= memory->bits;
        }
    }
    return done;
}
