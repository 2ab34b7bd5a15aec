#include "../arithmetic.h"
#include "npde_protocol.h"
#include "stream.h"

#define NO_TURN 0xFF

static uint32_t grid_values(const npde_grid *grid)
{
    return (uint32_t)grid->height * grid->width * grid->channels;
}

static uint32_t label_bytes(const npde_model *model)
{
    return grid_values(&model->output) <= 256 ? 1 : 2;
}

uint32_t npde_value_bytes(const npde_grid *grid)
{
    return (grid->bits + 7u) / 8;
}

uint32_t npde_sample_bytes(const npde_model *model)
{
    return grid_values(&model->input) * npde_value_bytes(&model->input) + (model->resident ? NPDE_HEADER_BYTES : 0);
}

uint32_t npde_answer_bytes(const npde_model *model)
{
    return grid_values(&model->output) * npde_value_bytes(&model->output) + (model->argmax ? label_bytes(model) : 0);
}

void npde_stream_empty(npde_link *link)
{
    npde_reset(link->model);
    link->answers.produced = link->answers.level = 0;
    link->answers.answer_value = link->answers.value_byte = link->answers.value_bytes = 0;
    link->position_in = 0;
    link->running = false;
    link->ended = 0;
    link->sample_byte = 0;
    link->sample_raw = 0;
    link->loading = 0;
    link->turn = NO_TURN;
}

static void keep(npde_link *link, uint8_t byte)
{
    npde_answers *answers = &link->answers;
    answers->bytes[answers->produced % NPDE_ANSWER_RING] = byte;
    answers->produced++;
    answers->level++;
    link->ended = link->board->cycles() - link->started;
}

/* Values that are ready, byte by byte, while the ring has room; true if any byte went. */
static bool drain(npde_link *link)
{
    npde_answers *answers = &link->answers;
    const npde_model *model = link->model;
    bool went = false;
    while (answers->level < NPDE_ANSWER_RING) {
        if (answers->value_byte == answers->value_bytes) {
            if (!npde_take(model, &answers->value)) break;
            const bool label = answers->answer_value == grid_values(&model->output);
            answers->value_bytes = label ? label_bytes(model) : npde_value_bytes(&model->output);
            answers->value_byte = 0;
            answers->answer_value = answers->answer_value + 1 == npde_answer_values(model) ? 0 : answers->answer_value + 1;
        }
        keep(link, (uint8_t)((uint32_t)answers->value >> (8 * answers->value_byte++)));
        went = true;
    }
    return went;
}

/* A turn of a resident field is over once nothing of it is left in model and stream; its report is its last byte. */
static bool end_turn(npde_link *link)
{
    const npde_answers *answers = &link->answers;
    if (link->turn == NO_TURN || link->loading || !npde_idle(link->model) || answers->value_byte != answers->value_bytes) return false;
    if ((link->turn & NPDE_FIELD_REPORT) && !(link->turn & NPDE_FIELD_EMIT)) {
        if (answers->level == NPDE_ANSWER_RING) return false;
        keep(link, 0);
    }
    link->turn = NO_TURN;
    return true;
}

uint32_t npde_stream_work(npde_link *link)
{
    const uint32_t cost = npde_work(link->model);
    const bool went = drain(link), ended = end_turn(link);
    return cost ? cost : went || ended;
}

static bool put_header(npde_link *link, uint8_t byte)
{
    link->header[link->sample_byte++] = byte;
    if (link->sample_byte < NPDE_HEADER_BYTES) return true;
    uint32_t times = 0;
    for (unsigned i = 4; i > 0; i--) times = times << 8 | link->header[i];
    link->sample_byte = 0;
    link->turn = link->header[0] & (NPDE_FIELD_LOAD | NPDE_FIELD_EMIT | NPDE_FIELD_REPORT);
    link->loading = link->turn & NPDE_FIELD_LOAD ? npde_frame_values(link->model) : 0;
    npde_order(link->model, link->turn & NPDE_FIELD_LOAD, times, link->turn & NPDE_FIELD_EMIT);
    return true;
}

static bool put_byte(npde_link *link, uint8_t byte)
{
    const npde_grid *grid = &link->model->input;
    const uint32_t raw = link->sample_raw | (uint32_t)byte << (8 * link->sample_byte);
    if (link->sample_byte + 1 == npde_value_bytes(grid)) {
        if (npde_put(link->model, npde_sign_extend(raw, grid->bits)) != 1) return false;
        link->sample_byte = 0;
        link->sample_raw = 0;
        if (link->loading) link->loading--;
    } else {
        link->sample_raw = raw;
        link->sample_byte++;
    }
    return true;
}

bool npde_stream_put(npde_link *link, uint8_t byte)
{
    bool took;
    if (!link->model->resident || link->loading)
        took = put_byte(link, byte);
    else
        took = link->turn == NO_TURN && put_header(link, byte);
    if (!took) return false;
    if (!link->running) link->started = link->board->cycles();
    link->running = true;
    link->position_in++;
    return true;
}
