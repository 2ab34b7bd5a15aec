/* From the line's bytes to whole, checked frames, and back. */
#ifndef NPDE_FRAME_H
#define NPDE_FRAME_H

#include "npde.h"

typedef enum { NPDE_FRAME_NONE, NPDE_FRAME_WHOLE, NPDE_FRAME_DROPPED } npde_frame_event;

void npde_deframer_begin(npde_deframer *deframer);

/* WHOLE: kind, sequence and payload are in `bytes`, `length` of them without the CRC; begin again once they are read. */
npde_frame_event npde_deframer_take(npde_deframer *deframer, uint8_t byte);

/* `length` bytes, CRC and delimiter added, into `stuffed`, which has room for them; gives how many those are. */
size_t npde_enframe(const uint8_t *bytes, size_t length, uint8_t *stuffed);

#endif
