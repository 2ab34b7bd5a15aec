"""An evolution's record in an image: see :mod:`npde.firmware.image`."""

from __future__ import annotations

import struct

from npde.errors import FitError
from npde.firmware.evolve_tables import LARGEST_SHIFT
from npde.firmware.regions import Memory
from npde.program import Evolve, Form, Grid, Update

BOUNDARIES = {"dirichlet": 0, "neumann": 1, "periodic": 2}


def evolve_record(evolve: Evolve, grid: Grid, held: list[Memory]) -> bytes:
    """Everything behind the kind; raises :class:`FitError` where a number has no room."""
    try:
        head = struct.pack(
            "<IBBBBBBHB", evolve.times, evolve.planes, evolve.maps, evolve.map.width, held[0].region.pe, evolve.weight.width,
            evolve.bias.width, evolve.coefficients, len(evolve.body),
        )  # fmt: skip
        return head + b"".join(_update(evolve, update, grid) for update in evolve.body)
    except struct.error as error:
        raise FitError(f"step {held[0].region.step} has a number that an image does not hold: {error}") from error


def _update(evolve: Evolve, update: Update, grid: Grid) -> bytes:
    formats, frac = evolve.value_formats(update, grid), evolve.accumulator_frac(update, grid)
    parts = [
        struct.pack(
            "<BBHHH",
            BOUNDARIES[update.boundary],
            update.skip,
            len(update.forms),
            len(update.products),
            len(update.updated),
        )
    ]
    parts.append(bytes(q.width for q in formats))
    parts += [_form(form) for form in update.forms]
    for product in update.products:
        shift = formats[product.left].frac + formats[product.right].frac - product.out.frac
        parts.append(struct.pack("<HHB", product.left, product.right, min(shift, LARGEST_SHIFT)))
    for channel in update.updated:
        terms = [term for term in update.terms if term.channel == channel]
        biased = channel in update.biased
        parts.append(struct.pack(
            "<HhBBBH", channel, update.biased.index(channel) if biased else -1, frac - evolve.bias.frac if biased else 0,
            frac - grid.q.frac if update.skip else 0, frac - grid.q.frac, len(terms),
        ))  # fmt: skip
        for term in terms:
            parts.append(
                struct.pack("<HHB", term.coefficient, term.value, frac - evolve.weight.frac - formats[term.value].frac)
            )
    return b"".join(parts)


def _form(form: Form) -> bytes:
    taps = (struct.pack("<hhb", dy, dx, weight) for (dy, dx), weight in zip(form.taps, form.weights, strict=True))
    return struct.pack("<IBH", form.channel, form.shift, len(form.taps)) + b"".join(taps)
