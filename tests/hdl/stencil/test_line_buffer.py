"""The walk over a window, beat by beat, against numpy's padding; cells and lanes stalled at random."""

from __future__ import annotations

import numpy as np
import pytest

from npde.link.packing import Fold, Packing
from npde.program import CENTRE, CROSS, MOORE, Grid, Q, Stencil
from npde_hdl.stencil.line_buffer import Beat, LineBuffer
from npde_hdl.stencil.reach import Reach
from npde_sim.bench import Case, Mismatch, Rack, draw, simulate
from npde_sim.bench.lanes import Lanes
from npde_sim.bench.pace import Pace

F = Q(6, 3)
PAD = {"periodic": "wrap", "dirichlet": "constant", "neumann": "edge"}
FRAMES = 4


def stencil(channels, taps, **more):
    return Stencil(out_channels=channels, taps=taps, weight=Q(8, 6), bias=Q(16, 8), out=F, **more)


BUFFERS = {
    "neumann": (stencil(4, MOORE, skip=True), Grid(4, 5, 4, F), Fold(1, 4)),
    "dirichlet": (stencil(2, CROSS, boundary="dirichlet"), Grid(5, 3, 2, F), Fold(2, 1)),
    "periodic": (stencil(2, MOORE, boundary="periodic", skip=True), Grid(3, 4, 2, F), Fold(2, 1)),
    "strided": (stencil(3, ((-2, 1), (0, 0), (2, 2)), stride=2), Grid(5, 6, 3, F), Fold(3, 3)),
    "line": (stencil(1, ((0, -2), (0, 2)), boundary="periodic"), Grid(1, 7, 1, F), Fold(1, 1)),
    "cell": (stencil(4, (CENTRE,)), Grid(1, 1, 6, F), Fold(2, 3)),
}


def beats(packing, fields):
    """Every beat: weight address, bias, first, last, centre, group, lanes (None where undefined)."""
    step, grid, fold = packing.stencil, packing.grid, packing.fold
    reach = max(max(abs(dy), abs(dx)) for dy, dx in packing.beat_taps)
    for frame in fields:
        if reach:
            # One axis at a time, and one cell at a time where the grid is narrower than the reach.
            frame = np.pad(frame, ((reach if grid.height > 1 else 0,) * 2, (reach if grid.width > 1 else 0,) * 2, (0, 0)), mode=PAD[step.boundary])
        top, left = reach if grid.height > 1 else 0, reach if grid.width > 1 else 0
        for y in range(0, grid.height, step.stride):
            for x in range(0, grid.width, step.stride):
                for of in range(packing.output_folds):
                    address = of * packing.beats
                    wanted = range(of * fold.pe, (of + 1) * fold.pe)
                    for beat in range(packing.bias_beats):
                        yield address + beat, 1, 0, 0, 0, None, None
                    products = [(tap, part) for tap in range(len(packing.beat_taps)) for part in range(packing.input_folds)]
                    for number, (tap, part) in enumerate(products):
                        dy, dx = packing.beat_taps[tap]
                        channels = range(part * fold.simd, (part + 1) * fold.simd)
                        lanes = [int(frame[top + y + dy, left + x + dx, c]) for c in channels]
                        centre = step.skip and tap == packing.centre_tap and bool(set(channels) & set(wanted))
                        group = (wanted[0] - channels[0]) // fold.pe if centre and fold.pe <= fold.simd else None
                        yield (
                            address + packing.bias_beats + number, 0, int(number == 0),
                            int(number == len(products) - 1), int(centre), group, lanes,
                        )  # fmt: skip


async def walks(bench, names):
    """Cells into every buffer at once."""
    watches = []
    for name in names:
        packing = Packing(*BUFFERS[name])
        fields = draw.integers(bench.rng, packing.grid.q, (FRAMES, *packing.grid.shape))
        bench.feed(f"{name}__cells_in", Lanes(packing.grid.q.width, packing.fold.simd).words(fields.ravel()))
        watches.append(bench.start(walk(bench, name, packing, list(beats(packing, fields)))))
    while not all(watch.done() for watch in watches):
        await bench.cycle()


async def walk(bench, name, packing, wanted):
    """A beat is passed on in an enabled cycle; the weight word beside it was addressed in the enabled cycle before."""
    pin = {member: getattr(bench.dut, f"{name}__{member}") for member in ("enable", "beat", "valid", "weight_address")}
    layout, pace = Beat(packing.grid.q.width, packing.fold), Pace(bench.pace, bench.dice.getrandbits(32))
    lanes_of = Lanes(packing.grid.q.width, packing.fold.simd)
    enabled, addressed, at, still = False, None, 0, 0
    pin["enable"].value = 0
    while at < len(wanted):
        await bench.cycle()
        still += 1
        if still > 3000:
            raise Mismatch(f"{name}: {at} of {len(wanted)} beats came, then nothing")
        if enabled:
            word, addressed = addressed, int(pin["weight_address"].value)
            if int(pin["valid"].value):
                raw = int(pin["beat"].value)
                field = lambda key: raw >> layout[key].offset & (1 << layout[key].width) - 1  # noqa: B023, E731
                address, bias, first, last, centre, group, lanes = wanted[at]
                came = [word, *(field(key) for key in ("bias", "first", "last", "centre"))]
                expected = [address, bias, first, last, centre]
                if group is not None:
                    came, expected = [*came, field("group")], [*expected, group]
                if lanes is not None:
                    came, expected = [*came, *lanes_of.unpack(field("lanes"))], [*expected, *lanes]
                if came != expected:
                    raise Mismatch(f"{name}: beat {at} (word, bias, first, last, centre, lanes): {expected} expected, {came} came")
                at, still = at + 1, 0
        enabled = pace.moves()
        pin["enable"].value = int(enabled)


@pytest.mark.parametrize("room", ["least", "smooth"])
def test_windows_come_beat_by_beat_whoever_stalls(room):
    buffers = {}
    for name, parts in BUFFERS.items():
        packing = Packing(*parts)
        reach = Reach(packing.grid, packing.beat_taps, packing.stencil.boundary, packing.stencil.stride)
        buffers[name] = LineBuffer(packing, getattr(reach, f"{room}_cells"))
    cases = [Case(1, "all-out"), Case(2), Case(3, "bursts")]
    simulate(Rack(buffers), walks, cases=cases, names=list(BUFFERS))


def test_a_buffer_that_would_block_itself_is_refused():
    with pytest.raises(ValueError, match="a line buffer of 12 cells blocks itself; this step needs 13"):
        LineBuffer(Packing(*BUFFERS["neumann"]), 12)
    odd = stencil(6, MOORE, skip=True), Grid(4, 4, 6, F), Fold(3, 1)
    with pytest.raises(ValueError, match="a ratio that is a power of two, not 3 to 1"):
        LineBuffer(Packing(*odd), 40)
