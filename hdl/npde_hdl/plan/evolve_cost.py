"""What an evolution costs: multipliers and memories counted, logic by formulas; fitted by ``benchmarks/calibrate_evolve.py``."""

from __future__ import annotations

import math
from collections.abc import Iterator

from npde.link.evolve_packing import CoefficientPacking, packings
from npde.program import Evolve, Grid
from npde_hdl.board.family import Cost, Family
from npde_hdl.evolve.arithmetic import parts_of
from npde_hdl.evolve.axis import Axis
from npde_hdl.evolve.cascade import Cascade, Regions, planes_held
from npde_hdl.evolve.resident import Resident
from npde_hdl.evolve.stage import Stage
from npde_hdl.plan.plan import EvolvedStep
from npde_hdl.primitive.product import KINDS

EVOLVE_CELLS = {
    "ice40": {"step": 250.0, "stage": 60.0, "adders": 1.0, "saturations": 1.0, "products in logic": 2.7, "window": 1.0,
              "registers": 1.0, "coefficients": 2.0, "small memories": 1.84, "addresses": 6.0},
    "ecp5": {"step": 304.49, "stage": 0.00, "adders": 1.07, "saturations": 0.00, "products in logic": 3.28, "window": 2.92,
             "registers": 0.00, "coefficients": 3.03, "small memories": 7.85, "addresses": 0.00},
}  # fmt: skip
"""Cells for one of each of :func:`evolve_terms`. ECP5: off by 3.3 % in the mean and 7.5 % at most on the 14 steps fitted.

The iCE40's are estimates that no synthesis has been fitted to.
"""


MOST_COPIES = 64
FILL = 0.9
"""The part of the logic that may be filled: a cascade of wide registers routes badly in a full device."""


def operand_bits(stage: Stage) -> list[tuple[int, int]]:
    """The operands' widths of every multiplier of a stage."""
    widths = [q.width for q in stage.arithmetic.formats]
    weight = stage.evolve.weight.width
    products = [(widths[p.left], widths[p.right]) for p in stage.update.products]
    return products + [(widths[value], weight) for _, value in stage.arithmetic.pairs]


def _dsps(stage: Stage, family: Family) -> int:
    return sum(family.dsps(1, a, b) for a, b in operand_bits(stage))


def _axis_memories(axis: Axis) -> list[tuple[int, int]]:
    """Depth and width of every memory of an axis."""
    if axis.stride == 1 or axis.reach == 0:
        return []
    rows = 2 * axis.reach
    return [(axis.stride, rows * axis.bits)] + [(axis.stride, axis.bits)] * (rows if axis.periodic else 0)


def memories(cascade: Cascade, streams: bool, alone: bool = True) -> list[tuple[int, int]]:
    """Depth and width of every memory of an evolution; among other steps a frame waits before it and one behind."""
    evolve, grid = cascade.evolve, cascade.grid
    cells = grid.height * grid.width
    fields = 0 if streams else 1 if alone else 3
    found = [(cells, grid.channels * grid.q.width)] * fields
    for part in cascade.parts:
        if isinstance(part, Stage):
            found += _axis_memories(part.window.vertical) + _axis_memories(part.window.horizontal)
        else:
            found.append((planes_held(evolve, cascade.copies) * cells, part.bits))
    return found


def stage_terms(stage: Stage, kind: str) -> dict[str, float]:
    """What the logic of one update grows with."""
    evolve, update, grid = stage.evolve, stage.update, stage.grid
    formats = stage.arithmetic.formats
    adders = saturations = 0
    for form, q in zip(update.forms, formats, strict=False):
        adders += (len(parts_of(form)) - 1) * (q.width + form.shift) + (q.width if form.shift else 0)
    for product in update.products:
        width = formats[product.left].width + formats[product.right].width
        shift = formats[product.left].frac + formats[product.right].frac - product.out.frac
        adders += width - shift if shift else 0
        saturations += product.out.width
    for channel in update.updated:
        width = evolve.accumulator_width(update, channel, grid)
        summands = sum(term.channel == channel for term in update.terms) + (channel in update.biased) + update.skip
        adders += (summands - 1) * width + width - (evolve.accumulator_frac(update, grid) - grid.q.frac)
        saturations += grid.q.width
    # Of the columns' lines only those that some tap needs are kept by synthesis.
    taps = {(form.channel, stage.window.place(tap)) for form in update.forms for tap in form.taps}
    bits = grid.q.width
    periodic = update.boundary == "periodic"
    moved = sum(bits * (1 + periodic) for _, (dy, dx) in taps if (dy, dx) != (0, 0))
    return {
        "stage": 1,
        "adders": adders,
        "saturations": saturations,
        "products in logic": sum(a * b for a, b in operand_bits(stage)) if kind == "generic" else 0,
        "window": moved,
        "registers": grid.channels * bits * stage.arithmetic.delay + bits * len(taps),
        "addresses": math.log2(grid.height * grid.width + 1) + stage.mapped * 2 * math.log2(grid.height * grid.width + 1),
    }


def evolve_terms(cascade: Cascade, streams: bool, family: Family, alone: bool = True) -> dict[str, float]:
    """What the logic of an evolution grows with."""
    evolve, grid = cascade.evolve, cascade.grid
    packing = CoefficientPacking(evolve)
    pointers = 0 if streams else 4 if alone else 12
    total = {
        "step": 1.0,
        # Every stage has its own registers of them; on ECP5 those share cells with other logic.
        "coefficients": packing.depth * packing.width * (len(cascade.stages) if family.name == "ice40" else 1),
        "small memories": sum(family.pieces(depth, width) for depth, width in memories(cascade, streams, alone)),
        "addresses": pointers * math.log2(grid.height * grid.width + 1),
    }
    copies = iter(cascade.kinds)
    kind = ""
    for part in cascade.parts:
        if isinstance(part, Stage):
            if part.update == evolve.body[0]:
                kind = next(copies, kind)
            for term, amount in stage_terms(part, kind).items():
                total[term] = total.get(term, 0.0) + amount
    return total


def evolve_cost(cascade: Cascade, streams: bool, family: Family, alone: bool) -> Cost:
    """Of the whole step."""
    cells = EVOLVE_CELLS[family.name]
    luts = sum(cells[term] * amount for term, amount in evolve_terms(cascade, streams, family, alone).items())
    dsps = 0
    if cascade.kinds[0] != "generic":
        dsps = sum(_dsps(part, family) for part in cascade.parts if isinstance(part, Stage))
    brams = sum(family.brams(depth, width) for depth, width in memories(cascade, streams, alone))
    return Cost(round(luts), dsps, brams, 0)


def usable_multipliers(evolve: Evolve, grid: Grid, family: Family) -> list[str]:
    """The device's blocks if they take every operand; logic where they do not, or operands are narrow enough to be fast."""
    body = [Stage(evolve, update, grid, 1) for update in evolve.body]
    pairs = [pair for stage in body for pair in operand_bits(stage)]
    widest = max(max(pair) for pair in pairs)
    kinds = []
    fits_block = widest <= KINDS[family.dsp_kind]
    if fits_block:
        kinds.append(family.dsp_kind)
    if not fits_block or family.name == "ice40" or max(sum(pair) for pair in pairs) <= 24:
        kinds.append("generic")
    return kinds


def evolved(index: int, evolve: Evolve, grid: Grid, family: Family, budget: Cost, alone: bool) -> Iterator[EvolvedStep]:
    """Every way to build an evolution that could fit ``budget``: kinds of multiplier, numbers of copies.

    A field that can stay on the board does; only where no memory takes it and nothing wraps, frames stream.
    """
    cells = grid.height * grid.width
    for kind in usable_multipliers(evolve, grid, family):
        fewest = 0
        for copies in range(1, min(evolve.times, MOST_COPIES) + 1):
            bus = 8 * max(-(-packing.width // 8) for _, packing in packings(evolve, grid, copies))
            regions = Regions(0, tuple(range(1, 1 + (copies if evolve.planes else 1))))
            cascade = Cascade(evolve, grid, (kind,) * copies, regions, bus)
            without, cost = (evolve_cost(cascade, streams, family, alone) for streams in (True, False))
            if copies > 1 and not _roomy(without, budget):
                break
            kept, passes = _roomy(cost, budget), -(-evolve.times // copies)
            # A copy more that saves no pass saves nothing; the first is told of even where it does not fit.
            if passes != fewest and (kept or copies == 1):
                fewest = passes
                cycles = Resident(cascade).cycles(evolve.times)
                yield EvolvedStep(index, evolve, grid, cascade.kinds, False, alone, cycles, cost)
            if cascade.roll == (0, 0) and copies == evolve.times and not (alone and kept):
                yield EvolvedStep(index, evolve, grid, cascade.kinds, True, False, cells, without)


def _roomy(cost: Cost, budget: Cost) -> bool:
    return Cost(round(cost.luts / FILL), cost.dsps, cost.brams, cost.sprams).fits(budget)
