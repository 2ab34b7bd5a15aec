#include "../crc.h"
#include "frame.h"
#include "npde_protocol.h"

#define LONGEST_BLOCK 0xFF

void npde_deframer_begin(npde_deframer *deframer)
{
    deframer->length = 0;
    deframer->crc = NPDE_CRC_START;
    deframer->left = 0;
    deframer->zero_follows = deframer->bad = false;
    deframer->empty = true;
}

static void append(npde_deframer *deframer, uint8_t byte)
{
    if (deframer->length == NPDE_FRAME_BYTES) {
        deframer->bad = true;
    } else if (!deframer->bad) {
        deframer->bytes[deframer->length++] = byte;
        deframer->crc = npde_crc(deframer->crc, byte);
    }
}

npde_frame_event npde_deframer_take(npde_deframer *deframer, uint8_t byte)
{
    if (byte != NPDE_DELIMITER) {
        deframer->empty = false;
        if (deframer->left) {
            deframer->left--;
            append(deframer, byte);
        } else {
            if (deframer->zero_follows) append(deframer, 0);
            deframer->left = (uint8_t)(byte - 1);
            deframer->zero_follows = byte != LONGEST_BLOCK;
        }
        return NPDE_FRAME_NONE;
    }
    if (deframer->empty) return NPDE_FRAME_NONE;
    const bool good = !deframer->bad && !deframer->left && deframer->length >= NPDE_OVERHEAD_BYTES && deframer->crc == NPDE_CRC_GOOD;
    if (!good) {
        npde_deframer_begin(deframer);
        return NPDE_FRAME_DROPPED;
    }
    deframer->length -= NPDE_CRC_BYTES;
    return NPDE_FRAME_WHOLE;
}

/* Where a block's length byte stands, and where its next byte goes. */
typedef struct {
    uint8_t *stuffed;
    size_t code, next;
} stuffer;

static void put(stuffer *to, uint8_t byte)
{
    if (byte) to->stuffed[to->next++] = byte;
    if (!byte || to->next - to->code == LONGEST_BLOCK) {
        to->stuffed[to->code] = (uint8_t)(to->next - to->code);
        to->code = to->next++;
    }
}

size_t npde_enframe(const uint8_t *bytes, size_t length, uint8_t *stuffed)
{
    stuffer to = {stuffed, 0, 1};
    uint32_t crc = NPDE_CRC_START;
    for (size_t i = 0; i < length; i++) {
        crc = npde_crc(crc, bytes[i]);
        put(&to, bytes[i]);
    }
    crc = ~crc;
    for (unsigned shift = 0; shift < 32; shift += 8) put(&to, (uint8_t)(crc >> shift));
    stuffed[to.code] = (uint8_t)(to.next - to.code);
    stuffed[to.next] = NPDE_DELIMITER;
    return to.next + 1;
}
