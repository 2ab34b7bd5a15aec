/* npde on a microcontroller: the runtime's whole interface.
 *
 * A model is a program of steps on a grid of cells and the integers that fill it. `npde export c MODEL -o FOLDER`
 * writes both as `model.c`: constant tables of the types below, and every buffer they need, of exactly the size the
 * model needs. The runtime interprets the tables. It allocates nothing, calls nothing of a C library but memcpy and
 * memset, recurses nowhere, and keeps what it knows between calls in the model's own state, so several models may
 * stand beside each other in one program. It is not reentrant: one model belongs to one thread.
 *
 * Every integer is the one `npde.golden` gives, the numeric contract of docs/architecture.md:
 * products and sums are exact; rescale(acc, s) = (acc + 2^(s-1)) >> s; then the reaction; then saturation.
 * Accumulators of at most 32 bits are kept in int32_t, others in int64_t; the exporter chose which from the width
 * that holds them for ANY weights and inputs, so no addition here can overflow.
 *
 * Two ways to ask for an answer:
 *
 *     int32_t answer[MODEL_ANSWER];                      // one whole frame
 *     npde_infer(&model, frame, answer);
 *
 *     npde_put(&model, value);                           // value by value, as they come from a sensor
 *     while (npde_work(&model)) { }                      // one row of one step at a time, between other duties
 *     npde_take(&model, &value);                         // and as they are ready
 *
 * and a third, over a serial line: the link below.
 *
 * Rows. A step keeps the rows its window spans and gives a row as soon as it can: stencils (Dirichlet and Neumann),
 * pools, dense and recurrent steps hold rows. A whole frame is held by an evolution, by a periodic
 * stencil whose taps leave their row, and by a repeated stencil where that takes less memory than a row buffer for
 * each repeat.
 */
#ifndef NPDE_H
#define NPDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What went wrong; every function that can fail gives zero or more for success, one of these otherwise. */
typedef enum {
    NPDE_ERROR_RANGE = -1, /* an integer leaves the format it must have; nothing was done */
    NPDE_ERROR_BUSY = -2,  /* the step still has rows to give, or a frame half taken: work and take first, or reset */
    NPDE_ERROR_KIND = -3,  /* the model's field does not stay on the board: it is not a single evolution */
    /* Why npde_load took no image; what the number beside it says is in docs/protocol.md, among the refusals. */
    NPDE_ERROR_DAMAGED = -4,
    NPDE_ERROR_VERSION = -5,
    NPDE_ERROR_CUT = -6,
    NPDE_ERROR_SHAPE = -7,
    NPDE_ERROR_FORMAT = -8,
    NPDE_ERROR_STEP = -9,
    NPDE_ERROR_INDEX = -10,
    NPDE_ERROR_MEMORIES = -11,
    NPDE_ERROR_MEMORY = -12,
} npde_error;

/* height × width cells of `channels` values, each a two's-complement integer of `bits` bits in an int8_t, int16_t
 * or int32_t (`bytes` 1, 2 or 4). Values lie in (y, x, channel) order. */
typedef struct {
    uint16_t height, width, channels;
    uint8_t bits, bytes;
} npde_grid;

/* How the grid continues beyond its edge: with zero, with its outermost cells, or with the other side. */
typedef enum { NPDE_DIRICHLET, NPDE_NEUMANN, NPDE_PERIODIC } npde_boundary;

typedef struct {
    int32_t dy, dx;
} npde_tap;

/* `taps` of a stencil one beside the other, from (dy, dx) on to the right. */
typedef struct {
    int32_t dy, dx;
    uint32_t taps;
} npde_run;

/* A weight memory: `depth` words of `fields` integers of `bits` bits, as they travel over the link. In memory each is
 * sign-extended to an int8_t, int16_t or int32_t (`bytes`). `loaded` is the same place if it may be written, else NULL. */
typedef struct {
    const void *words;
    void *loaded;
    uint16_t depth, fields;
    uint8_t bits, bytes;
    uint8_t step, copy;   /* as the link's INFO block says */
    uint16_t pe, simd;
} npde_memory;

/* What follows an accumulator: value = clamp(rescale(acc, shift), low, high), and, with a table, table[value - low].
 * Bounds of φ and of the output format are one clamp: each lies within the other or is the tighter one. */
typedef struct {
    int32_t low, high;
    const void *table; /* entries of `table_bytes` each, or NULL */
    uint8_t table_bytes;
    uint8_t shift;
} npde_reaction;

/* The weights of one stencil, dense or recurrent step. Output o's lie from element o·pitch on: first
 * `bias_words` words whose bits are its bias, then from `kernel_at` on its weights, tap by tap, channel by channel. */
typedef struct {
    const npde_memory *memory;
    uint32_t outputs;
    uint32_t inputs;    /* values one output sees: taps · channels, or all of a cell */
    uint32_t pitch;     /* elements from one output to the next */
    uint32_t kernel_at;
    uint16_t bias_words; /* the most significant word first, in a word the least significant field first */
    uint8_t bias_bits, bias_shift; /* bias · 2^bias_shift is in the accumulator's units */
    uint8_t skip_shift;            /* with skip, so is u · 2^skip_shift */
    bool skip;
    bool wide; /* accumulators need more than 32 bits */
    npde_reaction reaction;
} npde_kernel;

/* An explicit time step on every cell; see npde.program.Stencil. */
typedef struct {
    npde_kernel kernel;
    const npde_run *runs;
    uint32_t run_count;
    int32_t first_dy, last_dy; /* the rows it needs, from the cell's own, which counts only if a tap or skip reads it */
    uint16_t stride;
    uint16_t repeat; /* times it is applied to a frame that is held; 1 where rows pass */
    npde_boundary boundary;
} npde_stencil;

/* Sum or maximum over tiles that do not overlap; `sums` has one row of accumulators, int64_t if wide, else int32_t. */
typedef struct {
    void *sums;
    npde_reaction reaction;
    uint16_t tile_y, tile_x;
    bool maximum, wide;
} npde_pool;

/* All values of a grid, or all of a row and the state, into `kernel.outputs` values. `sums` has one for each, int32_t on the
 * short way, else int64_t. */
typedef struct {
    npde_kernel kernel;
    void *sums;
    void *state; /* recurrent: outputs values of the grid's format */
} npde_dense;

/* A linear form rescale(Σ weight·u[channel, y+dy, x+dx], shift); channels from the grid's on are maps. */
typedef struct {
    const npde_tap *taps;
    const int8_t *weights;
    uint32_t tap_count;
    uint32_t channel;
    uint8_t shift;
} npde_form;

/* saturate(rescale(value[left] · value[right], shift)) to `bits` bits. */
typedef struct {
    uint32_t left, right;
    uint8_t shift, bits;
} npde_product;

/* kernel[coefficient] · value · 2^shift. */
typedef struct {
    uint32_t coefficient, value;
    uint8_t shift;
} npde_term;

/* One channel that an update changes: saturate(rescale(Σ terms + bias + u, shift)). */
typedef struct {
    const npde_term *terms;
    uint32_t term_count;
    uint32_t channel;
    int32_t bias; /* which of the biases, or -1 */
    uint8_t bias_shift, skip_shift, shift;
} npde_target;

/* Values are the forms, then the products; all of them are formed before any channel changes. */
typedef struct {
    const npde_form *forms;
    const npde_product *products;
    const npde_target *targets;
    uint32_t form_count, product_count, target_count;
    int32_t reach_y; /* the farthest row a form reads */
    npde_boundary boundary;
    bool skip;
} npde_update;

/* `times` time steps of all updates in turn; see npde.program.Evolve. */
typedef struct {
    const npde_update *updates;
    const npde_memory *coefficients; /* then the biases */
    const npde_memory *maps;         /* `map_memories` of them: copy c has planes c, c + map_memories, …; NULL without */
    uint32_t update_count;
    uint32_t times;
    uint32_t planes; /* 1, or one for each time step */
    uint32_t coefficient_count;
    uint8_t weight_bits, bias_bits;
    uint8_t map_memories;
} npde_evolve;

typedef enum { NPDE_STENCIL, NPDE_STENCIL_IN_FRAME, NPDE_POOL, NPDE_DENSE, NPDE_RECURRENT, NPDE_EVOLVE } npde_kind;

/* How far a stage has come with the frame under way. */
typedef struct {
    uint32_t received, given; /* rows */
    uint32_t row;             /* the row under way: of those that came, or of a held frame */
    uint32_t time, times;     /* a held frame: time steps done, and in all */
    uint32_t part;            /* updates of this time step done */
    bool silent;              /* the frame stays, none of it is given */
} npde_progress;

/* One step, or one of its repeats. `rows` holds `row_count` rows of the grid before it: a ring, or a whole frame. A
 * frame that is worked on in place has beside it `old`, `old_count` rows as they were: of the rows above the one under
 * way (`old_ring` of them), then (periodic) the first rows of the frame. `line` is one row of the result. */
typedef struct {
    npde_kind kind;
    npde_grid before, after;
    npde_progress *progress;
    void *rows;
    void *old;
    void *line;
    uint32_t row_count, old_ring;
    union {
        const npde_stencil *stencil;
        const npde_pool *pool;
        const npde_dense *dense;
        const npde_evolve *evolve;
    } as;
} npde_stage;

/* Where frames enter and leave. */
typedef struct {
    uint32_t column;   /* values of the row that is coming in */
    uint32_t waiting;  /* values of the last row still to be taken; with a label one more */
    uint32_t label;
    int32_t greatest;
} npde_ends;

/* Scratch that all stages share, each as long as the most demanding needs it. */
typedef struct {
    void *window;          /* values one output sees: int16_t, or int32_t for fields of more than 16 bits; of two cells on the short way */
    void *cell;            /* those of one cell as they are, before they are arranged: the short way's alone */
    int64_t *start, *sums; /* one for each output of a stencil; int32_t on the short way, sums for two cells */
    const void **tap_rows; /* the row of each run, or of each distance of an evolution */
    int32_t *places;       /* the rows' numbers, -1 beyond a Dirichlet edge */
    int32_t *values;       /* an update's values */
} npde_scratch;

/* Where programs go that come at run time: room for one, and for the image of the next while it comes. */
typedef struct npde_loadable npde_loadable;

typedef struct {
    const char *name;
    npde_grid input, output;
    const npde_stage *stages;
    uint32_t stage_count;
    const npde_memory *memories;
    uint32_t memory_count;
    npde_ends *ends;
    void *result; /* one row of the output */
    npde_scratch scratch;
    bool argmax;   /* a label, the index of the first greatest value, follows the values of an answer */
    bool resident; /* a single evolution, whose field stays */
    uint8_t content_hash[16]; /* of the model the tables were made from */
    uint8_t shape_hash[16];   /* of its program */
    uint8_t build[8];         /* of tables and runtime */
    const npde_loadable *loadable; /* where its successor would go; NULL where the program is compiled in */
} npde_model;

struct npde_loadable {
    npde_model *model; /* becomes the program that was loaded; without a stage before there is one */
    void *arena;       /* all its tables, weights and buffers, aligned as a uint64_t is */
    uint32_t arena_bytes;
    uint8_t *image;
    uint16_t image_bytes;
    int32_t (*load)(const npde_loadable *place, const uint8_t *image, uint32_t length, uint32_t *where); /* npde_load */
};

/* Make the program of an image (docs/firmware.md, from npde.firmware.image) the model of `place`, its weights zero, nothing
 * under way. 0; or why not, NPDE_ERROR_DAMAGED to NPDE_ERROR_MEMORY, the number beside it in `where`, and the model is what it
 * was: every bound in the image is judged before anything is written. The image may lie in place->image or anywhere
 * else, and is not needed afterwards. */
int32_t npde_load(const npde_loadable *place, const uint8_t *image, uint32_t length, uint32_t *where);

/* Values of one frame, and of one answer, label included. */
uint32_t npde_frame_values(const npde_model *model);
uint32_t npde_answer_values(const npde_model *model);

/* Forget every frame under way. A resident field stays as it is. Call it once before anything else. */
void npde_reset(const npde_model *model);

/* The next value of a frame. 1: taken; 0: no room, work or take first; NPDE_ERROR_RANGE. */
int32_t npde_put(const npde_model *model, int32_t value);

/* One row of one step, of the last step that can go on. Gives what it cost in multiply-accumulates (at least 1), or 0
 * when nothing can go on: more values are needed, or the answer must be taken. */
uint32_t npde_work(const npde_model *model);

/* The next value of an answer, in (y, x, channel) order, the label last. 1: there was one; 0: none yet. */
int32_t npde_take(const npde_model *model, int32_t *value);

/* A whole frame and its answer: npde_frame_values in, npde_answer_values out. 0; NPDE_ERROR_RANGE for a value outside
 * the input's format, with nothing under way afterwards; NPDE_ERROR_BUSY if something was under way before. */
int32_t npde_infer(const npde_model *model, const int32_t *frame, int32_t *answer);

/* A resident field's next turn, instead of the one that is the default (load, all time steps, emit): whether a
 * new field is put first, how many time steps follow, and whether the field is then taken. 0, NPDE_ERROR_KIND or
 * NPDE_ERROR_BUSY. npde_idle says when a turn that emits nothing has ended. */
int32_t npde_order(const npde_model *model, bool load, uint32_t times, bool emit);

/* Nothing is under way: no value was put that has not led to an answer taken. */
bool npde_idle(const npde_model *model);

/* `count` words of a memory as they travel, ceil(fields·bits / 8) bytes each, little-endian, from or to `bytes`.
 * Give the words done, fewer at the memory's end; npde_write_words none where the weights are constant. */
uint32_t npde_word_bytes(const npde_memory *memory);
uint32_t npde_read_words(const npde_memory *memory, uint32_t first, uint32_t count, uint8_t *bytes);
uint32_t npde_write_words(const npde_memory *memory, uint32_t first, uint32_t count, const uint8_t *bytes);

/* The link: docs/protocol.md, the board's side, over any line of bytes. The board's program gives it the bytes that
 * come, lets it work while none come, and sends what it writes. */
#ifndef NPDE_ANSWER_RING
#define NPDE_ANSWER_RING 1024 /* bytes of answers held until the host pulls them; a power of two up to 32768 */
#endif

typedef struct {
    const char *name; /* as the INFO block says: up to 16 characters */
    uint32_t clock;   /* of `cycles`, in hertz */
    uint32_t baud;
    uint16_t ring;     /* bytes the board's program holds while a request is carried out */
    uint32_t patience; /* multiply-accumulates that one request may wait for; what is not done then is done between requests */
    void (*write)(const uint8_t *bytes, size_t count); /* returns once the line has taken them all */
    uint32_t (*cycles)(void);                          /* a counter modulo 2^32 */
} npde_board;

typedef struct {
    uint8_t bytes[512]; /* a request as it comes */
    uint32_t length;
    uint32_t crc;
    uint8_t left;               /* bytes of the COBS block still to come */
    bool zero_follows, empty, bad;
} npde_deframer;

typedef struct {
    uint8_t bytes[NPDE_ANSWER_RING];
    uint16_t produced, level;
    uint32_t answer_value, value_byte, value_bytes; /* the value that is leaving, and how much of it has left */
    int32_t value;
} npde_answers;

typedef struct {
    const npde_model *model;
    const npde_board *board;
    npde_deframer deframer;
    npde_answers answers;
    uint8_t reply[512], stuffed[520];
    uint32_t reply_length;
    uint8_t hash[16];
    uint8_t expected;
    bool committed, running;
    uint16_t dropped, position_in;
    uint32_t started, ended;
    uint32_t sample_byte; /* bytes of the value, or of the header, that have come */
    uint32_t sample_raw;
    uint8_t header[5];
    uint32_t loading;     /* values of a resident field still to come */
    uint8_t turn;         /* what a resident field is asked for: flags of its header, or 0xFF before there is one */
} npde_link;

/* The model's own weights stand committed at first, if there is a program. */
void npde_link_begin(npde_link *link, const npde_model *model, const npde_board *board);

/* A byte of the line; or that one was lost or garbled, which spoils the frame under way. A request that is whole is
 * carried out and answered before this returns. */
void npde_link_receive(npde_link *link, uint8_t byte);
void npde_link_garbled(npde_link *link);

/* Goes on with the samples under way by one row of one step; false when there is nothing to do until a byte comes. */
bool npde_link_work(npde_link *link);

#ifdef __cplusplus
}
#endif
#endif
