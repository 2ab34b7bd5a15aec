"""A program as a board takes it at run time: a few bytes a step, which ``npde_load`` of the runtime judges and builds from.

Little-endian, without padding. The header: ``NPDI``, a version, flags (1: argmax), the number of steps, the input's height,
width, channels and bits, the shape hash. Then each step, its kind first (:class:`Kind`); behind the last one the CRC-32 of
everything before it. Shifts stand for the formats' binary points, as in the compiled-in tables, and whatever follows
from other numbers is left out: the board works it out, and its bounds with it. The weights follow over the link, as ever.
"""

from __future__ import annotations

import enum
import struct
import zlib

from npde.errors import FitError
from npde.firmware.evolve_image import evolve_record
from npde.firmware.regions import Memory, element_bytes, memories
from npde.firmware.stages import Stage, stages
from npde.fixed import Q
from npde.link.packing import Packing
from npde.program import Clip, Dense, Evolve, Grid, Pool, Program, Recurrent, Relu, Stencil, Table
from npde.program.phi import Phi

MAGIC, VERSION = b"NPDI", 1
HEADER = struct.Struct("<4sBBBHHHB16s")
BOUNDARIES = {"dirichlet": 0, "neumann": 1, "periodic": 2}
MOST_BYTES, MOST_STEPS, FARTHEST = 65535, 255, 32767


class Kind(enum.IntEnum):
    """What a step's record is of."""

    STENCIL = 1
    POOL = 2
    DENSE = 3
    RECURRENT = 4
    EVOLVE = 5


def image(program: Program) -> bytes:
    """The image; raises :class:`FitError` for a program that the link cannot describe, or that no image can."""
    held, chain = memories(program), {stage.index: stage for stage in stages(program)}
    if len(program.steps) > MOST_STEPS:
        raise FitError(f"program {program.name!r} has {len(program.steps)} steps; an image has at most {MOST_STEPS}")
    grid = program.input
    body = HEADER.pack(
        MAGIC, VERSION, program.argmax, len(program.steps), *grid.shape, grid.q.width, program.shape_hash
    )
    body += b"".join(_record(stage, held) for stage in chain.values())
    body += zlib.crc32(body).to_bytes(4, "little")
    if len(body) > MOST_BYTES:
        raise FitError(f"the image of program {program.name!r} has {len(body)} bytes; {MOST_BYTES} is the most")
    return body


def _record(stage: Stage, held: list[Memory]) -> bytes:
    before, mine = stage.before, [memory for memory in held if memory.region.step == stage.index]
    match stage.step:
        case Stencil() as stencil:
            flags = stencil.skip | stage.in_frame << 1
            head = struct.pack(
                "<BBBHHH",
                Kind.STENCIL,
                flags,
                BOUNDARIES[stencil.boundary],
                stencil.stride,
                stencil.repeat,
                len(stencil.taps),
            )
            if any(abs(distance) > FARTHEST for tap in stencil.taps for distance in tap):
                raise FitError(
                    f"step {stage.index} has a tap farther than {FARTHEST} cells, which an image does not hold"
                )
            return (
                head + b"".join(struct.pack("<hh", dy, dx) for dy, dx in stencil.taps) + _kernel(stencil, before, mine)
            )
        case Pool() as pool:
            return struct.pack(
                "<BBHHBB", Kind.POOL, pool.kind == "max", *pool.tile(before), pool.shift(before), pool.out.width
            )
        case Dense() as dense:
            return bytes([Kind.DENSE]) + _kernel(dense.as_stencil(), Dense.flatten(before), mine)
        case Recurrent() as recurrent:
            return bytes([Kind.RECURRENT]) + _kernel(recurrent.as_stencil(), recurrent.cell(before), mine)
        case Evolve() as evolve:
            return bytes([Kind.EVOLVE]) + evolve_record(evolve, before, mine)
    raise AssertionError(stage.step)


def _kernel(stencil: Stencil, cell: Grid, held: list[Memory]) -> bytes:
    packing = held[0].layout
    assert isinstance(packing, Packing)
    skip_shift = stencil.weight.frac if stencil.skip else 0
    numbers = (
        stencil.out_channels, stencil.weight.width, stencil.bias.width, stencil.bias_shift(cell), skip_shift,
        packing.fold.simd, packing.leading_taps, stencil.out.width, stencil.shift(cell),
    )  # fmt: skip
    try:
        return struct.pack("<HBBBBHHBB", *numbers) + _reaction(stencil.phi, stencil.out)
    except struct.error as error:
        raise FitError(f"step {held[0].region.step} has a number that an image does not hold: {error}") from error


def _reaction(phi: Phi, out: Q) -> bytes:
    low, high = out.low, out.high
    match phi:
        case Table(input=q, entries=entries):
            size = element_bytes(out.width)
            return bytes([q.width]) + b"".join(entry.to_bytes(size, "little", signed=True) for entry in entries)
        case Relu():
            low = 0
        case Clip(low=low, high=high):
            pass
    return struct.pack("<Bii", 0, low, high)
