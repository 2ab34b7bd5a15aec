/* The board's side of the link under libFuzzer and every sanitizer.
 *
 * The first byte says how the rest comes down the line. Even: as it is. Odd: as requests, each a kind, a length and so
 * many bytes, framed here with the right sequence number and CRC, or the fuzzer would hardly find a frame; an image
 * gets its CRC before it is adopted. Every answer must be a whole frame, and each whole request has one. */
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "../src/crc.h"
#include "../src/link/frame.h"
#include "npde_protocol.h"

#define ARENA_BYTES 8192u
#define IMAGE_BYTES 2048u
#define MOST_WORK 8 /* rows between two requests */

static uint64_t arena[ARENA_BYTES / 8];
static uint8_t image[IMAGE_BYTES];
static npde_model running;
static const npde_loadable place = {
    .model = &running,
    .arena = arena,
    .arena_bytes = sizeof arena,
    .image = image,
    .image_bytes = sizeof image,
    .load = npde_load,
};
static npde_link link_state;
static npde_deframer answers;
static uint32_t answered;

static void require(bool right)
{
    if (!right) abort();
}

/* The answer comes whole and at once. */
static void hear(const uint8_t *bytes, size_t count)
{
    require(count > NPDE_OVERHEAD_BYTES && count <= sizeof link_state.stuffed && bytes[count - 1] == NPDE_DELIMITER);
    for (size_t i = 0; i < count; i++) {
        const npde_frame_event event = npde_deframer_take(&answers, bytes[i]);
        require(event == (i + 1 < count ? NPDE_FRAME_NONE : NPDE_FRAME_WHOLE));
    }
    require(answers.bytes[0] & NPDE_REPLY && answers.length >= 3 && answers.bytes[2] <= NPDE_STATUS_REFUSED);
    npde_deframer_begin(&answers);
    answered++;
}

static uint32_t count_up(void)
{
    static uint32_t cycles;
    return ++cycles;
}

static const npde_board board = {
    .name = "fuzzed", .clock = 1, .baud = 1, .ring = 1, .patience = 200, .write = hear, .cycles = count_up};

/* What the exporter gave, and a successor may replace; the weights that requests change are put back. */
static void begin(void)
{
    static uint8_t weights[1 << 16];
    static bool kept;
    size_t at = 0;
    for (uint32_t i = 0; i < model.memory_count; i++) {
        const npde_memory *memory = &model.memories[i];
        const size_t size = (size_t)memory->depth * memory->fields * memory->bytes;
        require(at + size <= sizeof weights);
        if (kept)
            memcpy(memory->loaded, &weights[at], size);
        else
            memcpy(&weights[at], memory->loaded, size);
        at += size;
    }
    kept = true;
    running = model;
    running.loadable = &place;
    memset(image, 0, sizeof image);
    npde_link_begin(&link_state, &running, &board);
    npde_deframer_begin(&answers);
    answered = 0;
}

static void seal(uint32_t length)
{
    uint32_t crc = NPDE_CRC_START;
    if (length < NPDE_CRC_BYTES || length > sizeof image) return;
    for (uint32_t i = 0; i < length - NPDE_CRC_BYTES; i++) crc = npde_crc(crc, image[i]);
    for (unsigned i = 0; i < NPDE_CRC_BYTES; i++) image[length - NPDE_CRC_BYTES + i] = (uint8_t)(~crc >> (8 * i));
}

static void ask(uint8_t kind, const uint8_t *payload, size_t length)
{
    uint8_t frame[2 + UINT8_MAX], stuffed[2 + UINT8_MAX + NPDE_CRC_BYTES + 4];
    frame[0] = kind;
    frame[1] = link_state.expected;
    memcpy(&frame[2], payload, length);
    if (kind == NPDE_ADOPT && length == 2) seal((uint32_t)payload[0] | (uint32_t)payload[1] << 8);
    const size_t count = npde_enframe(frame, length + 2, stuffed);
    const uint32_t before = answered;
    for (size_t i = 0; i < count; i++) npde_link_receive(&link_state, stuffed[i]);
    require(answered == before + 1);
    for (int i = 0; i < MOST_WORK && npde_link_work(&link_state); i++) {
    }
}

static void as_it_is(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        npde_link_receive(&link_state, bytes[i]);
        if (bytes[i] == 0xA5) npde_link_garbled(&link_state);
        if (i % 64 == 0) npde_link_work(&link_state);
    }
}

static void as_requests(const uint8_t *bytes, size_t count)
{
    for (size_t at = 0; at + 2 <= count;) {
        const size_t left = count - at - 2, length = bytes[at + 1] < left ? bytes[at + 1] : left;
        ask(bytes[at], &bytes[at + 2], length);
        at += 2 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (!count) return 0;
    begin();
    if (bytes[0] & 1)
        as_requests(&bytes[1], count - 1);
    else
        as_it_is(&bytes[1], count - 1);
    return 0;
}
