/* The commands of docs/protocol.md, one request at a time, as hdl/npde_hdl/link/executor.py carries them out. */
#include <string.h>

#include "frame.h"
#include "npde_protocol.h"
#include "stream.h"

#define REPLY_MOST (NPDE_FRAME_BYTES - NPDE_CRC_BYTES)

static void say(npde_link *link, uint32_t value, unsigned bytes)
{
    for (; bytes; bytes--, value >>= 8) link->reply[link->reply_length++] = (uint8_t)value;
}

static void say_bytes(npde_link *link, const void *bytes, size_t count)
{
    memcpy(&link->reply[link->reply_length], bytes, count);
    link->reply_length += (uint32_t)count;
}

static uint32_t room(const npde_link *link)
{
    return REPLY_MOST - link->reply_length;
}

static uint32_t u16(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static void say_name(npde_link *link, const char *name)
{
    uint8_t field[NPDE_NAME_BYTES] = {0};
    for (size_t i = 0; i < sizeof field && name[i]; i++) field[i] = (uint8_t)name[i];
    say_bytes(link, field, sizeof field);
}

/* In the order of NPDE_INFO_FIELDS; the exporter has made sure that all regions fit into one frame. */
static void say_info(npde_link *link)
{
    const npde_model *model = link->model;
    say_bytes(link, NPDE_MAGIC, 4);
    say(link, NPDE_PROTOCOL_VERSION, 1);
    say_name(link, link->board->name);
    say_bytes(link, model->build, sizeof model->build);
    say_bytes(link, model->shape_hash, sizeof model->shape_hash);
    say(link, link->board->clock, 4);
    say(link, link->board->baud, 4);
    say(link, NPDE_FRAME_BYTES, 2);
    say(link, link->board->ring, 2);
    say(link, NPDE_ANSWER_RING, 2);
    say(link, npde_sample_bytes(model), 4);
    say(link, npde_answer_bytes(model), 4);
    say(link, model->memory_count, 1);
    for (uint32_t i = 0; i < model->memory_count; i++) {
        const npde_memory *memory = &model->memories[i];
        say(link, memory->step, 1);
        say(link, memory->copy, 1);
        say(link, memory->pe, 2);
        say(link, memory->simd, 2);
        say(link, memory->depth, 2);
        say(link, (uint32_t)memory->fields * memory->bits, 2);
    }
}

static void say_flags(npde_link *link)
{
    const uint32_t committed = link->committed ? NPDE_FLAG_COMMITTED : 0;
    say(link, committed | (link->model->loadable ? NPDE_FLAG_PROGRAMS : 0), 1);
}

static void identify(npde_link *link)
{
    say_flags(link);
    say_bytes(link, link->hash, NPDE_HASH_BYTES);
    say_info(link);
}

/* A part of what IDENTIFY says behind its flags. */
static void describe(npde_link *link, uint32_t first, uint32_t most)
{
    uint8_t *part = &link->reply[link->reply_length];
    const uint32_t start = link->reply_length;
    say_bytes(link, link->hash, NPDE_HASH_BYTES);
    say_info(link);
    const uint32_t all = link->reply_length - start;
    if (first > all) first = all;
    if (most > all - first) most = all - first;
    memmove(part, &part[first], most);
    link->reply_length = start + most;
}

static void status(npde_link *link)
{
    say_flags(link);
    say(link, link->dropped, 2);
    say(link, link->position_in, 2);
    say(link, link->answers.produced, 2);
    say(link, link->ended, 4);
}

static const npde_memory *memory_at(const npde_link *link, uint32_t number)
{
    return number < link->model->memory_count ? &link->model->memories[number] : NULL;
}

static uint8_t read_words(npde_link *link, const uint8_t *request)
{
    const npde_memory *memory = memory_at(link, request[0]);
    const uint32_t first = u16(&request[1]), asked = u16(&request[3]);
    npde_stream_empty(link);
    if (!memory || first >= memory->depth) return NPDE_STATUS_RANGE;
    const uint32_t size = npde_word_bytes(memory), most = room(link) / size;
    link->reply_length += size * npde_read_words(memory, first, asked < most ? asked : most, &link->reply[link->reply_length]);
    return NPDE_STATUS_OK;
}

static uint8_t write_words(npde_link *link, const uint8_t *request, uint32_t length)
{
    const npde_memory *memory = memory_at(link, request[0]);
    const uint32_t first = u16(&request[1]);
    npde_stream_empty(link);
    link->committed = false;
    length -= 3;
    if (!length) return NPDE_STATUS_OK;
    if (!memory) return NPDE_STATUS_RANGE;
    const uint32_t size = npde_word_bytes(memory), count = length / size;
    const uint32_t done = npde_write_words(memory, first, count, &request[3]);
    if (done < count) return NPDE_STATUS_RANGE;
    if (length % size == 0) return NPDE_STATUS_OK;
    return first + done < memory->depth ? NPDE_STATUS_LENGTH : NPDE_STATUS_RANGE;
}

static uint8_t commit(npde_link *link, const uint8_t *hash)
{
    if (!link->model->stage_count) return NPDE_STATUS_NO_MODEL;
    npde_stream_empty(link);
    memcpy(link->hash, hash, NPDE_HASH_BYTES);
    link->committed = true;
    return NPDE_STATUS_OK;
}

/* A part of an image, kept aside; the program goes on. */
static uint8_t keep_image(npde_link *link, const uint8_t *request, uint32_t length)
{
    const npde_loadable *place = link->model->loadable;
    const uint32_t first = u16(request);
    length -= 2;
    if (first > place->image_bytes || length > place->image_bytes - first) return NPDE_STATUS_RANGE;
    memcpy(&place->image[first], &request[2], length);
    say(link, place->image_bytes, 2);
    say(link, place->arena_bytes, 4);
    return NPDE_STATUS_OK;
}

static uint8_t adopt(npde_link *link, uint32_t length)
{
    const npde_loadable *place = link->model->loadable;
    uint32_t where = 0;
    if (length > place->image_bytes) return NPDE_STATUS_RANGE;
    const int32_t outcome = place->load(place, place->image, length, &where);
    if (outcome < 0) {
        say(link, (uint32_t)outcome, 1);
        say(link, where, 4);
        return NPDE_STATUS_REFUSED;
    }
    npde_stream_empty(link);
    link->committed = false;
    return NPDE_STATUS_OK;
}

static uint8_t push(npde_link *link, const uint8_t *request, uint32_t length)
{
    uint32_t patience = link->board->patience;
    if (!link->committed) return NPDE_STATUS_NO_MODEL;
    if (u16(request) != link->position_in) return NPDE_STATUS_POSITION;
    for (uint32_t i = 2; i < length; i++)
        while (!npde_stream_put(link, request[i])) {
            const uint32_t cost = npde_stream_work(link);
            if (!cost || cost > patience) return NPDE_STATUS_OK;
            patience -= cost;
        }
    return NPDE_STATUS_OK;
}

/* The answer says everything, so that one that was lost may be asked for again. */
static uint8_t pull(npde_link *link, const uint8_t *request)
{
    npde_answers *answers = &link->answers;
    const uint32_t position = u16(request), asked = u16(&request[2]);
    const uint32_t ahead = (answers->produced - position) & 0xFFFF;
    if (ahead > answers->level) return NPDE_STATUS_POSITION;
    answers->level = (uint16_t)ahead;
    say(link, position, 2);
    uint32_t most = ahead < asked ? ahead : asked;
    if (most > room(link)) most = room(link);
    for (uint32_t i = 0; i < most; i++) say(link, answers->bytes[(position + i) % NPDE_ANSWER_RING], 1);
    return NPDE_STATUS_OK;
}

/* Whether a request has the bytes its command needs; known is a command that loads only where programs can be. */
static bool fits(const npde_link *link, uint8_t kind, uint32_t length, bool *known)
{
    static const struct {
        uint8_t kind, least, more, loads;
    } commands[] = NPDE_COMMANDS;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (commands[i].kind == kind) {
            *known = !commands[i].loads || link->model->loadable;
            return commands[i].more ? length >= commands[i].least : length == commands[i].least;
        }
    *known = false;
    return false;
}

static uint8_t carry_out(npde_link *link, uint8_t kind, const uint8_t *request, uint32_t length)
{
    switch (kind) {
    case NPDE_SYNC:
        say_bytes(link, request, 4);
        say(link, NPDE_PROTOCOL_VERSION, 1);
        return NPDE_STATUS_OK;
    case NPDE_IDENTIFY: identify(link); return NPDE_STATUS_OK;
    case NPDE_STATUS: status(link); return NPDE_STATUS_OK;
    case NPDE_RESET: npde_stream_empty(link); return NPDE_STATUS_OK;
    case NPDE_RATE: return NPDE_STATUS_UNKNOWN; /* a board's bit rate is fixed, and its flags say so */
    case NPDE_DESCRIBE: describe(link, u16(request), u16(&request[2])); return NPDE_STATUS_OK;
    case NPDE_READ: return read_words(link, request);
    case NPDE_WRITE: return write_words(link, request, length);
    case NPDE_COMMIT: return commit(link, request);
    case NPDE_PUSH: {
        const uint8_t outcome = push(link, request, length);
        if (outcome == NPDE_STATUS_OK) say(link, link->position_in, 2);
        return outcome;
    }
    case NPDE_PROGRAM: return keep_image(link, request, length);
    case NPDE_ADOPT: return adopt(link, u16(request));
    default: return pull(link, request);
    }
}

static uint8_t judge(npde_link *link, uint8_t kind, uint8_t sequence, const uint8_t *request, uint32_t length)
{
    bool known;
    const bool right = fits(link, kind, length, &known);
    if (kind != NPDE_SYNC && sequence != link->expected) return NPDE_STATUS_SEQUENCE;
    link->expected = (uint8_t)(sequence + 1);
    if (!known) return NPDE_STATUS_UNKNOWN;
    return right ? carry_out(link, kind, request, length) : NPDE_STATUS_LENGTH;
}

static void answer(npde_link *link)
{
    const uint8_t *frame = link->deframer.bytes;
    const uint8_t kind = frame[0], sequence = frame[1];
    link->reply[0] = kind | NPDE_REPLY;
    link->reply[1] = sequence;
    link->reply_length = 3;
    link->reply[2] = judge(link, kind, sequence, &frame[2], link->deframer.length - 2);
    if (link->reply[2] == NPDE_STATUS_SEQUENCE) say(link, link->expected, 2);
    if (link->reply[2] == NPDE_STATUS_POSITION) say(link, kind == NPDE_PUSH ? link->position_in : link->answers.produced, 2);
    link->board->write(link->stuffed, npde_enframe(link->reply, link->reply_length, link->stuffed));
}

void npde_link_begin(npde_link *link, const npde_model *model, const npde_board *board)
{
    memset(link, 0, sizeof *link);
    link->model = model;
    link->board = board;
    link->committed = model->stage_count != 0;
    memcpy(link->hash, model->content_hash, NPDE_HASH_BYTES);
    npde_deframer_begin(&link->deframer);
    npde_stream_empty(link);
}

void npde_link_receive(npde_link *link, uint8_t byte)
{
    switch (npde_deframer_take(&link->deframer, byte)) {
    case NPDE_FRAME_WHOLE:
        answer(link);
        npde_deframer_begin(&link->deframer);
        break;
    case NPDE_FRAME_DROPPED: link->dropped++; break;
    case NPDE_FRAME_NONE: break;
    }
}

void npde_link_garbled(npde_link *link)
{
    link->deframer.bad = true;
    link->deframer.empty = false;
}

bool npde_link_work(npde_link *link)
{
    return npde_stream_work(link) != 0;
}
