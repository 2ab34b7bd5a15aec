#include <string.h>

#include "arithmetic.h"
#include "row.h"
#include "stage.h"

/* What an update reads besides its values. */
typedef struct {
    const npde_model *model;
    const npde_stage *stage;
    const npde_update *update;
    const npde_memory *maps;
    uint32_t plane; /* within that memory */
} reader;

static int64_t read_at(const reader *from, const npde_form *form, const npde_tap *tap, int32_t x)
{
    const npde_grid *grid = &from->stage->before;
    const int32_t distance = tap->dy + from->update->reach_y;
    const int32_t row = from->model->scratch.places[distance];
    const int32_t column = npde_place(x + tap->dx, grid->width, from->update->boundary);
    if (row < 0 || column < 0) return 0;
    if (form->channel < grid->channels)
        return npde_get(from->model->scratch.tap_rows[distance], grid->bytes, (size_t)column * grid->channels + form->channel);
    if (!from->maps) return 0; /* never: where a form reads a map there is one */
    const size_t cell = ((size_t)from->plane * grid->height + (uint32_t)row) * grid->width + (uint32_t)column;
    return npde_get(from->maps->words, from->maps->bytes, cell * from->maps->fields + form->channel - grid->channels);
}

/* Forms, then products, of the cell at column x. */
static void evaluate(const reader *from, int32_t x)
{
    const npde_update *update = from->update;
    int32_t *values = from->model->scratch.values;
    for (uint32_t f = 0; f < update->form_count; f++) {
        const npde_form *form = &update->forms[f];
        int64_t total = 0;
        for (uint32_t t = 0; t < form->tap_count; t++) total += form->weights[t] * read_at(from, form, &form->taps[t], x);
        values[f] = (int32_t)npde_rescale(total, form->shift);
    }
    for (uint32_t p = 0; p < update->product_count; p++) {
        const npde_product *product = &update->products[p];
        const int64_t exact = (int64_t)values[product->left] * values[product->right];
        values[update->form_count + p] = npde_saturate(npde_rescale(exact, product->shift), product->bits);
    }
}

static int32_t integer(const npde_memory *memory, uint32_t word, unsigned bits)
{
    return npde_sign_extend((uint32_t)npde_get(memory->words, memory->bytes, word), bits);
}

/* The row under way after one update, into `line`. Its biases are those from `first_bias` on. */
void npde_update_row(const npde_model *model, const npde_stage *stage, const npde_update *update, uint32_t time, uint32_t first_bias)
{
    const npde_evolve *evolve = stage->as.evolve;
    const npde_grid *grid = &stage->before;
    const int32_t y = (int32_t)stage->progress->row;
    for (int32_t dy = -update->reach_y; dy <= update->reach_y; dy++) {
        const int32_t place = npde_place(y + dy, grid->height, update->boundary);
        model->scratch.places[dy + update->reach_y] = place;
        model->scratch.tap_rows[dy + update->reach_y] = place < 0 ? NULL : npde_old_row(stage, (uint32_t)place);
    }
    reader from = {model, stage, update, NULL, 0};
    if (evolve->maps) {
        const uint32_t plane = time % evolve->planes;
        from.maps = &evolve->maps[plane % evolve->map_memories];
        from.plane = plane / evolve->map_memories;
    }
    const void *own = npde_slot(stage->rows, grid, stage->progress->row);
    memcpy(stage->line, own, npde_row_values(grid) * grid->bytes);
    for (uint32_t x = 0; x < grid->width; x++) {
        evaluate(&from, (int32_t)x);
        for (uint32_t t = 0; t < update->target_count; t++) {
            const npde_target *target = &update->targets[t];
            const size_t at = (size_t)x * grid->channels + target->channel;
            int64_t acc = update->skip ? npde_scale(npde_get(own, grid->bytes, at), target->skip_shift) : 0;
            if (target->bias >= 0) {
                const uint32_t word = evolve->coefficient_count + first_bias + (uint32_t)target->bias;
                acc += npde_scale(integer(evolve->coefficients, word, evolve->bias_bits), target->bias_shift);
            }
            for (uint32_t k = 0; k < target->term_count; k++) {
                const npde_term *term = &target->terms[k];
                const int64_t coefficient = integer(evolve->coefficients, term->coefficient, evolve->weight_bits);
                acc += npde_scale(coefficient * model->scratch.values[term->value], term->shift);
            }
            npde_set(stage->line, grid->bytes, at, npde_saturate(npde_rescale(acc, target->shift), grid->bits));
        }
    }
}
