"""Accumulators against exact sums: any folding, extremes of every width, gaps and stalls anywhere."""

from __future__ import annotations

import numpy as np
import pytest

from npde.link.packing import Fold, Packing
from npde.program import CENTRE, CROSS, MOORE, Grid, Q, Stencil
from npde_hdl.stencil.lanes import Lanes as Gateware
from npde_hdl.stencil.line_buffer import Beat
from npde_sim.bench import Case, Mismatch, Rack, draw, simulate
from npde_sim.bench.lanes import Lanes


def stencil(channels, taps, **more):
    return Stencil(out_channels=channels, taps=taps, **{"weight": Q(8, 6), "bias": Q(16, 8), "out": Q(8, 2), **more})


LANES = {
    "plain": (stencil(4, CROSS), Grid(3, 3, 4, Q(8, 6)), Fold(2, 2)),
    "one": (stencil(2, MOORE, weight=Q(2, 0), bias=Q(9, 2)), Grid(3, 3, 1, Q(4, 2)), Fold(1, 1)),
    "skip_wide": (stencil(8, CROSS, skip=True), Grid(3, 3, 8, Q(6, 3)), Fold(2, 8)),
    "skip_tall": (stencil(4, CROSS, skip=True, weight=Q(5, 3), bias=Q(12, 4)), Grid(3, 3, 4, Q(8, 6)), Fold(4, 1)),
    "tree": (stencil(2, (CENTRE,), weight=Q(16, 9), bias=Q(20, 10)), Grid(1, 1, 35, Q(16, 8)), Fold(1, 35)),
}
CELLS = 12


def words(packing, rng):
    """Beats of one cell after another (flags, lanes, word), and what each output fold must sum to."""
    step, grid, fold = packing.stencil, packing.grid, packing.fold
    layout, weight_lanes = Beat(grid.q.width, fold), Lanes(step.weight.width, fold.simd * fold.pe)
    chunk = Lanes(packing.lane_bits, fold.pe, signed=False)
    products = [(tap, part) for tap in range(len(packing.beat_taps)) for part in range(packing.input_folds)]
    run, sums = [], []
    for _ in range(CELLS):
        window = draw.integers(rng, grid.q, (len(packing.beat_taps), packing.input_folds, fold.simd))
        for of in range(packing.output_folds):
            bias = draw.integers(rng, step.bias, (fold.pe,))
            kernel = draw.integers(rng, step.weight, (len(packing.beat_taps), packing.input_folds, fold.pe, fold.simd))
            kernel[: packing.leading_taps] = 0
            padded = [int(b) & (1 << (packing.bias_beats * packing.lane_bits)) - 1 for b in bias]
            for part in reversed(range(packing.bias_beats)):
                run.append(({"bias": 1}, chunk.pack([b >> part * packing.lane_bits for b in padded])))
            centres = window[packing.centre_tap].ravel()[of * fold.pe : (of + 1) * fold.pe] if step.skip else None
            for number, (tap, part) in enumerate(products):
                flags = {"first": number == 0, "last": number == len(products) - 1}
                flags["lanes"] = Lanes(grid.q.width, fold.simd).pack(window[tap, part])
                if step.skip and tap == packing.centre_tap:
                    mine = range(part * fold.simd, (part + 1) * fold.simd)
                    flags["centre"] = bool(set(mine) & set(range(of * fold.pe, (of + 1) * fold.pe)))
                    flags["group"] = (of * fold.pe - mine[0]) // fold.pe if flags["centre"] and fold.pe <= fold.simd else 0
                run.append((flags, weight_lanes.pack(kernel[tap, part].ravel())))
            total = np.einsum("tips,tis->p", kernel, window) + (bias << step.bias_shift(grid))
            sums.append((total.tolist(), None if centres is None else centres.tolist()))
    beats = [(sum(int(v) << layout[key].offset for key, v in flags.items()), word) for flags, word in run]
    return beats, sums


async def accumulates(bench, names):
    """Every folding at once."""
    watches = [bench.start(one(bench, name, Packing(*LANES[name]))) for name in names]
    while not all(watch.done() for watch in watches):
        await bench.cycle()


async def one(bench, name, packing):
    """The rigid pipeline: a beat is taken, and complete sums given up, in an enabled cycle."""
    pin = {m: getattr(bench.dut, f"{name}__{m}") for m in ("beat", "valid", "word", "enable", "done", "sums", "centre")}
    beats, wanted = words(packing, bench.rng)
    sums_of = Lanes(packing.stencil.accumulator_width(packing.grid), packing.fold.pe)
    centres_of = Lanes(packing.grid.q.width, packing.fold.pe)
    at = done = idle = 0
    valid = enable = False
    pin["valid"].value = pin["enable"].value = 0
    while done < len(wanted):
        await bench.cycle()
        idle += 1
        if idle > 2000:
            raise Mismatch(f"{name}: {done} of {len(wanted)} sums came, then nothing")
        if int(pin["done"].value):
            sums, centres = wanted[done]
            came = sums_of.unpack(int(pin["sums"].value))
            if came != sums:
                raise Mismatch(f"{name}: output fold {done}: {sums} expected, {came} came")
            if centres is not None and centres_of.unpack(int(pin["centre"].value)) != centres:
                raise Mismatch(f"{name}: centre of output fold {done}: {centres} expected, {int(pin['centre'].value):#x} came")
            done, idle = done + enable, 0
        at += valid and enable
        if enable or not valid:
            valid = at < len(beats) and (bench.pace == "all-out" or bench.dice.random() < 0.7)
        enable = bench.pace == "all-out" or bench.dice.random() < 0.7
        beat, word = beats[at] if valid else (bench.dice.getrandbits(len(pin["beat"])), bench.dice.getrandbits(packing.width))
        pin["valid"].value, pin["enable"].value = int(valid), int(enable)
        pin["beat"].value, pin["word"].value = beat, word


def test_sums_are_exact_whatever_stalls():
    rack = Rack({name: Gateware(Packing(*LANES[name]), "generic", 2 + (name in ("skip_wide", "tree"))) for name in LANES})
    simulate(rack, accumulates, cases=[Case(1, "all-out"), Case(2), Case(3), Case(4)], names=list(LANES))


def test_lanes_that_take_longer_than_a_bias_is_held_are_refused():
    packing = Packing(stencil(1, (CENTRE,)), Grid(1, 1, 4, Q(8, 6)), Fold(1, 1))
    with pytest.raises(ValueError, match="1 input lanes take 4 cycles to add up, more than the 3 allowed"):
        Gateware(packing, "generic", 4).elaborate(None)
