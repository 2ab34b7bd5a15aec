/* The two byte streams of a link: samples into the model, answers out of it into a ring. */
#ifndef NPDE_STREAM_H
#define NPDE_STREAM_H

#include "npde.h"

/* Forget what is under way; the position of both streams is zero. */
void npde_stream_empty(npde_link *link);

/* The next byte of samples; false if there is no room for it until something is worked on or pulled. */
bool npde_stream_put(npde_link *link, uint8_t byte);

/* One row of one step, and what it gave into the ring. Gives its cost, or 0 where nothing can go on. */
uint32_t npde_stream_work(npde_link *link);

/* Bytes in which one value of the grid travels; of one sample, header included; of one answer. */
uint32_t npde_value_bytes(const npde_grid *grid);
uint32_t npde_sample_bytes(const npde_model *model);
uint32_t npde_answer_bytes(const npde_model *model);

#endif
