"""``model.c`` without a model: room for a program that comes at run time."""

from __future__ import annotations

from npde.firmware.csource import octets
from npde.firmware.regions import build_id

NONE = "none"
"""What stands in a model's place where firmware is to have none."""
ARENA_BYTES, IMAGE_BYTES = 98304, 12288
"""Room for a program with its weights and buffers, and for an image, unless ``make ARENA=… IMAGE=…`` says otherwise."""

SOURCE = """/* No model: programs come over the link; made by `npde export c none`. */
#include "model.h"

static uint64_t arena[(NPDE_ARENA_BYTES + 7) / 8];
static uint8_t image[NPDE_IMAGE_BYTES];
static npde_ends ends;
static const npde_loadable place = {
    .model = &model, .arena = arena, .arena_bytes = sizeof arena, .image = image, .image_bytes = sizeof image, .load = npde_load,
};
npde_model model = {.name = "none", .ends = &ends, .build = @BUILD@, .loadable = &place};
"""

HEADER = f"""/* No model: programs come over the link; made by `npde export c none`. */
#ifndef NPDE_MODEL_H
#define NPDE_MODEL_H

#include "npde.h"

#ifndef NPDE_ARENA_BYTES
#define NPDE_ARENA_BYTES {ARENA_BYTES} /* of a program, its weights and its buffers */
#endif
#ifndef NPDE_IMAGE_BYTES
#define NPDE_IMAGE_BYTES {IMAGE_BYTES} /* of an image, up to 65535 */
#endif

extern npde_model model;

#endif
"""


def empty_source() -> str:
    """The text of ``model.c``."""
    return SOURCE.replace("@BUILD@", octets(build_id(SOURCE)))


def empty_header() -> str:
    """The text of ``model.h``: two sizes, and the model that there will be."""
    return HEADER
