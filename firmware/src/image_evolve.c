/* Evolutions: updates of forms, products and terms. */
#include "image.h"
#include "npde_protocol.h"

#define MOST_WORDS 65535u
#define MOST_MAPS 64u
#define OPERAND_BITS 18u
#define ACCUMULATOR (UINT64_C(1) << 62) /* twice what the host allows; an addend is at most half of it */

/* Where the widths of an update's values stand in the image, a byte each: the forms' that are claimed, the products'
 * that they are saturated to. */
typedef struct {
    const npde_grid *grid;
    const npde_evolve *evolve;
    uint32_t maps;
    uint8_t map_bits;
    bool *mapped; /* a form reads a map */
    uint32_t widths_at, value_count;
} context;

static unsigned width_of(const npde_image *image, const context *in, uint32_t value)
{
    return image->bytes[in->widths_at + value];
}

/* Channel, shift, taps with their weights; its range for any field must lie within the width it claims. */
static npde_form read_form(npde_image *image, const context *in, uint32_t number, int32_t *reach)
{
    npde_form form = {0};
    form.channel = npde_image_number(image, 4);
    form.shift = (uint8_t)npde_image_number(image, 1);
    form.tap_count = npde_image_number(image, 2);
    npde_image_expect(image, form.channel < in->grid->channels + in->maps, NPDE_ERROR_INDEX);
    npde_image_expect(image, form.tap_count, NPDE_ERROR_SHAPE);
    npde_image_expect(image, form.shift <= 32, NPDE_ERROR_FORMAT);
    const bool map = form.channel >= in->grid->channels;
    *in->mapped |= map;
    const int64_t greatest = (INT64_C(1) << ((map ? in->map_bits : in->grid->bits) - 1)) - 1;
    npde_tap *taps = npde_image_reserve(image, form.tap_count, sizeof *taps);
    int8_t *weights = npde_image_reserve(image, form.tap_count, sizeof *weights);
    int64_t low = 0, high = 0;
    for (uint32_t i = 0; i < form.tap_count && !image->error; i++) {
        npde_tap tap;
        tap.dy = npde_image_signed(image, 2);
        tap.dx = npde_image_signed(image, 2);
        const int32_t weight = npde_image_signed(image, 1), far = tap.dy < 0 ? -tap.dy : tap.dy;
        const bool within = far < in->grid->height && tap.dx < in->grid->width && -tap.dx < in->grid->width;
        npde_image_expect(image, within, NPDE_ERROR_SHAPE);
        if (far > *reach) *reach = far;
        low += weight > 0 ? weight * (-greatest - 1) : weight * greatest;
        high += weight > 0 ? weight * greatest : weight * (-greatest - 1);
        if (taps) taps[i] = tap;
        if (weights) weights[i] = (int8_t)weight;
    }
    if (image->error) return form;
    const int64_t half = form.shift ? INT64_C(1) << (form.shift - 1) : 0, limit = INT64_C(1)
                                                                                  << (width_of(image, in, number) - 1);
    npde_image_expect(
        image, (low + half) >> form.shift >= -limit && (high + half) >> form.shift < limit, NPDE_ERROR_FORMAT);
    form.taps = taps;
    form.weights = weights;
    return form;
}

static npde_product read_product(npde_image *image, const context *in, uint32_t number)
{
    npde_product product = {0};
    product.left = npde_image_number(image, 2);
    product.right = npde_image_number(image, 2);
    product.shift = (uint8_t)npde_image_number(image, 1);
    npde_image_expect(image, product.left < number && product.right < number, NPDE_ERROR_INDEX);
    npde_image_expect(image, product.shift <= 62, NPDE_ERROR_FORMAT);
    if (!image->error) product.bits = (uint8_t)width_of(image, in, number);
    return product;
}

/* value · 2^shift, where each has so many bits, onto what an accumulator may reach; more than it can hold is an error.
 */
static void add(npde_image *image, uint64_t *reached, uint32_t bits, uint32_t shift)
{
    if (npde_image_expect(image, bits + shift <= 61, NPDE_ERROR_FORMAT)) *reached += UINT64_C(1) << (bits + shift);
    npde_image_expect(image, *reached < ACCUMULATOR, NPDE_ERROR_FORMAT);
}

static npde_target read_target(npde_image *image, const context *in, bool skip)
{
    npde_target target = {0};
    target.channel = npde_image_number(image, 2);
    target.bias = npde_image_signed(image, 2);
    target.bias_shift = (uint8_t)npde_image_number(image, 1);
    target.skip_shift = (uint8_t)npde_image_number(image, 1);
    target.shift = (uint8_t)npde_image_number(image, 1);
    target.term_count = npde_image_number(image, 2);
    npde_image_expect(image, target.channel < in->grid->channels && target.bias >= -1, NPDE_ERROR_INDEX);
    npde_image_expect(image, target.term_count, NPDE_ERROR_SHAPE);
    uint64_t reached = 0;
    if (target.bias >= 0) add(image, &reached, in->evolve->bias_bits - 1u, target.bias_shift);
    if (skip) add(image, &reached, in->grid->bits - 1u, target.skip_shift);
    if (target.shift) add(image, &reached, 0, target.shift - 1u);
    npde_term *terms = npde_image_reserve(image, target.term_count, sizeof *terms);
    for (uint32_t i = 0; i < target.term_count && !image->error; i++) {
        npde_term term;
        term.coefficient = npde_image_number(image, 2);
        term.value = npde_image_number(image, 2);
        term.shift = (uint8_t)npde_image_number(image, 1);
        if (!npde_image_expect(
                image, term.coefficient < in->evolve->coefficient_count && term.value < in->value_count,
                NPDE_ERROR_INDEX))
            break;
        add(image, &reached, in->evolve->weight_bits - 1u + width_of(image, in, term.value) - 1u, term.shift);
        if (terms) terms[i] = term;
    }
    target.terms = terms;
    return target;
}

/* Boundary, skip, three counts, the values' widths, forms, products, targets; adds its biases to `biases`. */
static npde_update read_update(npde_image *image, context *in, uint32_t *biases)
{
    npde_update update = {0};
    const uint32_t boundary = npde_image_number(image, 1), skip = npde_image_number(image, 1);
    update.form_count = npde_image_number(image, 2);
    update.product_count = npde_image_number(image, 2);
    update.target_count = npde_image_number(image, 2);
    npde_image_expect(
        image, boundary <= NPDE_PERIODIC && skip <= 1 && update.form_count && update.target_count, NPDE_ERROR_SHAPE);
    update.boundary = (npde_boundary)boundary;
    update.skip = skip;
    in->widths_at = image->at;
    in->value_count = update.form_count + update.product_count;
    for (uint32_t i = 0; i < in->value_count && !image->error; i++) npde_image_bits(image, 1, OPERAND_BITS);
    npde_image_demand(&image->demand.values, in->value_count);

    npde_form *forms = npde_image_reserve(image, update.form_count, sizeof *forms);
    for (uint32_t i = 0; i < update.form_count && !image->error; i++) {
        const npde_form form = read_form(image, in, i, &update.reach_y);
        if (forms) forms[i] = form;
    }
    npde_product *products = npde_image_reserve(image, update.product_count, sizeof *products);
    for (uint32_t i = 0; i < update.product_count && !image->error; i++) {
        const npde_product product = read_product(image, in, update.form_count + i);
        if (products) products[i] = product;
    }
    npde_target *targets = npde_image_reserve(image, update.target_count, sizeof *targets);
    int32_t last = -1;
    uint32_t count = 0;
    for (uint32_t i = 0; i < update.target_count && !image->error; i++) {
        const npde_target target = read_target(image, in, update.skip);
        if (target.bias > last) last = target.bias;
        count += target.bias >= 0;
        if (targets) targets[i] = target;
    }
    npde_image_expect(image, last < (int32_t)count, NPDE_ERROR_INDEX);
    *biases += count;
    update.forms = forms;
    update.products = products;
    update.targets = targets;
    return update;
}

/* Coefficients and biases, then the maps, if any is read, in `map_memories` memories. */
static void name_memories(npde_image *image, npde_evolve *evolve, uint32_t biases, const context *in, bool planes)
{
    const uint8_t bits = biases && evolve->bias_bits > evolve->weight_bits ? evolve->bias_bits : evolve->weight_bits;
    const uint64_t words = (uint64_t)evolve->coefficient_count + biases;
    const uint64_t held = planes ? ((uint64_t)evolve->times + evolve->map_memories - 1) / evolve->map_memories : 1;
    const uint64_t cells = held * in->grid->height * in->grid->width;
    const uint32_t memories = 1 + (*in->mapped ? evolve->map_memories : 0u);
    npde_image_expect(
        image, words && words <= MOST_WORDS && (!*in->mapped || cells <= MOST_WORDS), NPDE_ERROR_MEMORIES);
    if (!npde_image_expect(image, memories <= NPDE_MOST_REGIONS - image->demand.memories, NPDE_ERROR_MEMORIES)) return;
    if (image->memories) evolve->coefficients = &image->memories[image->demand.memories];
    if (image->memories && *in->mapped) evolve->maps = evolve->coefficients + 1;
    const npde_memory coefficients = {.depth = (uint16_t)words, .fields = 1, .bits = bits, .pe = evolve->map_memories};
    npde_image_memory(image, coefficients, npde_image_reserve(image, words, npde_image_bytes(bits)));
    for (uint32_t copy = 1; copy < memories; copy++) {
        const npde_memory maps = {
            .depth = (uint16_t)cells,
            .fields = (uint16_t)in->maps,
            .bits = in->map_bits,
            .copy = (uint8_t)copy,
            .pe = evolve->map_memories};
        npde_image_memory(image, maps, npde_image_reserve(image, cells * in->maps, npde_image_bytes(in->map_bits)));
    }
}

/* Times, flags (1: a plane of maps for each time step), maps, their width and memories, the widths of coefficients and
 * biases, how many coefficients and updates, then those. */
void npde_image_evolve(npde_image *image, npde_grid *grid)
{
    npde_evolve evolve = {0};
    bool mapped = false;
    context in = {.grid = grid, .evolve = &evolve, .mapped = &mapped};
    evolve.times = npde_image_number(image, 4);
    const uint32_t planes = npde_image_number(image, 1);
    in.maps = npde_image_number(image, 1);
    in.map_bits = npde_image_bits(image, 2, OPERAND_BITS);
    evolve.map_memories = (uint8_t)npde_image_number(image, 1);
    evolve.weight_bits = npde_image_bits(image, 2, OPERAND_BITS);
    evolve.bias_bits = npde_image_bits(image, 2, 32);
    evolve.coefficient_count = npde_image_number(image, 2);
    evolve.update_count = npde_image_number(image, 1);
    const bool possible =
        evolve.times && planes <= 1 && in.maps <= MOST_MAPS && (in.maps || !planes) && evolve.update_count;
    npde_image_expect(
        image, possible && evolve.map_memories && (planes || evolve.map_memories == 1), NPDE_ERROR_SHAPE);
    evolve.planes = planes ? evolve.times : 1;

    npde_update *updates = npde_image_reserve(image, evolve.update_count, sizeof *updates);
    uint32_t biases = 0;
    int32_t reach = 0, first = 0;
    for (uint32_t i = 0; i < evolve.update_count && !image->error; i++) {
        const npde_update update = read_update(image, &in, &biases);
        if (update.reach_y > reach) reach = update.reach_y;
        if (update.boundary == NPDE_PERIODIC && update.reach_y > first) first = update.reach_y;
        if (updates) updates[i] = update;
    }
    if (image->error) return;
    evolve.updates = updates;
    name_memories(image, &evolve, biases, &in, planes);
    npde_evolve *place = npde_image_reserve(image, 1, sizeof *place);
    if (place) *place = evolve;
    const uint32_t span = 2 * (uint32_t)reach + 1;
    npde_image_demand(&image->demand.rows, span);
    npde_image_demand(&image->demand.places, span);
    const npde_stage stage = {.kind = NPDE_EVOLVE, .before = *grid, .after = *grid, .as.evolve = place};
    npde_image_stage(image, stage, grid->height, (uint32_t)reach, (uint32_t)first, true);
}
