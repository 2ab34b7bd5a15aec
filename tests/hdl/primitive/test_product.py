"""Products in plain logic and in SB_MAC16 blocks (Yosys' own model of the cell): the plain product, always."""

from __future__ import annotations

import numpy as np
import pytest

from npde_hdl.primitive.product import Products
from npde_sim.bench import Case, Mismatch, Rack, simulate
from npde_sim.bench.cells import ice40
from npde_sim.bench.lanes import Lanes

LANES = 16


def corners(bits):
    """The values at which a multiplier goes wrong first."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return np.array(sorted({low, low + 1, low // 2, -129, -128, -1, 0, 1, 127, 128, 255, 256, high // 2, high - 1, high} & set(range(low, high + 1))))


def pairs(rng, a_bits, b_bits, exhaustive):
    """Operands, LANES at a time: all there are, or all corners with one another and random ones."""
    if exhaustive:
        a, b = (np.arange(-(1 << (bits - 1)), 1 << (bits - 1)) for bits in (a_bits, b_bits))
    else:
        a, b = corners(a_bits), corners(b_bits)
    both = np.array(np.meshgrid(a, b)).reshape(2, -1)
    if not exhaustive:
        drawn = [rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), size=2000) for bits in (a_bits, b_bits)]
        both = np.concatenate([both, drawn], axis=1)
    spare = -both.shape[1] % LANES
    return np.pad(both, ((0, 0), (0, spare))).reshape(2, -1, LANES)


async def products(bench, names, a_bits, b_bits, exhaustive, latency):
    """The same operands into every kind; results come ``latency`` enabled cycles later, whatever ``ce`` does."""
    a, b = pairs(bench.rng, a_bits, b_bits, exhaustive)
    rng = np.random.default_rng(bench.seed)
    order = rng.permutation(len(a))
    a, b = a[order], b[order]
    wanted = a * b
    dut, results = bench.dut, Lanes(a_bits + b_bits, LANES)
    at, always = 0, bench.pace == "all-out"
    for name in names:
        getattr(dut, f"{name}__ce").value = 0
    while at < len(a) + latency:
        moves = always or bench.dice.random() < 0.6
        for name in names:
            here = min(at, len(a) - 1)
            getattr(dut, f"{name}__a").value = Lanes(a_bits, LANES).pack(a[here])
            getattr(dut, f"{name}__b").value = Lanes(b_bits, LANES).pack(b[here])
            getattr(dut, f"{name}__ce").value = int(moves)
        await bench.cycle()
        done = at - latency
        if done >= 0:
            for name in names:
                came = results.unpack(int(getattr(dut, f"{name}__p").value))
                if came != wanted[done].tolist():
                    lane = next(i for i in range(LANES) if came[i] != wanted[done][i])
                    raise Mismatch(f"{name}: {a[done][lane]} × {b[done][lane]}: {wanted[done][lane]} expected, {came[lane]} came")
        at += moves


def rack(a_bits, b_bits, kinds, latency):
    return Rack({kind: Products(LANES, a_bits, b_bits, kind, latency) for kind in kinds})


BOTH = ("generic", "ice40_mac16")


@pytest.mark.parametrize("latency", [2, 3])
def test_all_65536_products_of_8_by_8_bits_in_mac16_pairs_and_in_logic(latency):
    simulate(
        rack(8, 8, BOTH, latency), products, cases=[Case(1, "all-out")], sources=[ice40("SB_MAC16")],
        names=BOTH, a_bits=8, b_bits=8, exhaustive=True, latency=latency,
    )  # fmt: skip


@pytest.mark.parametrize(("a_bits", "b_bits", "latency"), [(8, 8, 3), (5, 3, 4), (16, 16, 2), (12, 9, 3), (4, 1, 3)])
def test_products_at_every_corner_and_at_random_whenever_the_clock_is_enabled(a_bits, b_bits, latency):
    simulate(
        rack(a_bits, b_bits, BOTH, latency), products, cases=[Case(1, "all-out"), Case(2)], sources=[ice40("SB_MAC16")],
        names=BOTH, a_bits=a_bits, b_bits=b_bits, exhaustive=False, latency=latency,
    )  # fmt: skip


def test_what_a_multiplier_cannot_take_is_refused():
    with pytest.raises(ValueError, match="ice40_mac16 multiplies operands of 1 to 16 bits, not 17"):
        Products(1, 17, 8, "ice40_mac16")
    with pytest.raises(ValueError, match="'dsp48' is not a kind of multiplier"):
        Products(1, 8, 8, "dsp48")
    with pytest.raises(ValueError, match="products take 2 cycles at least, not 1"):
        Products(1, 8, 8, latency=1)
    with pytest.raises(ValueError, match="at least one product"):
        Products(0, 8, 8)
