"""Which layout each of a board's regions has, for a program and the folding the board tells."""

from __future__ import annotations

from collections.abc import Sequence

from npde.errors import ProgramError
from npde.link.evolve_packing import CoefficientPacking, MapPacking, packings
from npde.link.packing import Fold, Packing
from npde.link.protocol import Region
from npde.program import Program

Layout = Packing | CoefficientPacking | MapPacking


def layouts(program: Program, regions: Sequence[Region]) -> list[Layout]:
    """One layout a region, in their order.

    Raises :class:`ProgramError` where the regions are not those of the program: other steps or copies, or other words.
    """
    steps = {index: (stencil, grid) for index, stencil, grid in program.weighted()}
    evolved = {
        (index, copy): packing
        for index, evolve, grid in program.evolutions()
        for copy, packing in packings(evolve, grid, next((r.pe for r in regions if r.step == index), 1))
    }
    wanted = sorted([(index, copy) for index, (stencil, _) in steps.items() for copy in range(stencil.repeat)] + [*evolved])
    told = sorted((region.step, region.copy) for region in regions)
    if told != wanted:
        raise ProgramError(f"weight memories for steps and copies {told}; the program has {wanted}")
    found: list[Layout] = [
        evolved.get((region.step, region.copy)) or Packing(*steps[region.step], Fold(region.pe, region.simd)) for region in regions
    ]
    for region, packing in zip(regions, found, strict=True):
        if (region.depth, region.width) != (packing.depth, packing.width):
            raise ProgramError(
                f"a weight memory of step {region.step} with {region.depth} words of {region.width} bits; "
                f"{region.pe}×{region.simd} lanes need {packing.depth} of {packing.width}"
            )
    return found
