"""Products in logic, in SB_MAC16 (Yosys' own model of the cell) and in MULT18X18D, one or two: the plain product, always."""

from __future__ import annotations

import numpy as np
import pytest

from npde_hdl.primitive.product import KINDS, Products, pairable
from npde_sim.bench import Case, Mismatch, Rack, simulate
from npde_sim.bench.cells import ecp5_mult18x18d, ice40
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


async def products(bench, names, a_bits, b_bits, exhaustive, latency, shared=False):
    """Operands of :func:`pairs`; ``shared``: lanes i and i + LANES / 2 get one ``a``."""
    a, b = pairs(bench.rng, a_bits, b_bits, exhaustive)
    if shared:
        a[:, LANES // 2 :] = a[:, : LANES // 2]
    await fed(bench, names, a_bits, b_bits, a, b, latency)


async def fed(bench, names, a_bits, b_bits, a, b, latency):
    """The same operands into every kind; results come ``latency`` enabled cycles later, whatever ``ce`` does."""
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


BLOCKS = ("ecp5_mult18", "ecp5_mult18_pairs")


async def pairs_of_one(bench, names, a_bits, b_bits, latency):
    """Every ``a`` times every pair of ``b``: lanes i and i + LANES / 2 share their ``a``."""
    values = [np.arange(-(1 << (bits - 1)), 1 << (bits - 1)) for bits in (a_bits, b_bits, b_bits)]
    both = np.array(np.meshgrid(*values)).reshape(3, -1, LANES // 2)
    a, b = np.concatenate([both[0], both[0]], axis=1), np.concatenate([both[1], both[2]], axis=1)
    await fed(bench, names, a_bits, b_bits, a, b, latency)


@pytest.mark.parametrize(("a_bits", "b_bits"), [(8, 4), (5, 2), (4, 5), (3, 1)])
def test_all_pairs_of_products_of_one_operand_in_one_mult18x18d(a_bits, b_bits):
    assert pairable(a_bits, b_bits)
    simulate(
        rack(a_bits, b_bits, BLOCKS, 3), pairs_of_one, cases=[Case(1, "all-out")], sources=[ecp5_mult18x18d()],
        names=BLOCKS, a_bits=a_bits, b_bits=b_bits, latency=3,
    )  # fmt: skip


@pytest.mark.parametrize(("a_bits", "b_bits", "latency"), [(8, 4, 4), (11, 3, 3), (18, 18, 2), (16, 12, 3), (8, 8, 2)])
def test_products_in_mult18x18d_at_every_corner_and_at_random_whenever_the_clock_is_enabled(a_bits, b_bits, latency):
    kinds = BLOCKS if pairable(a_bits, b_bits) else BLOCKS[:1]
    simulate(
        rack(a_bits, b_bits, kinds, latency), products, cases=[Case(1, "all-out"), Case(2)], sources=[ecp5_mult18x18d()],
        names=kinds, a_bits=a_bits, b_bits=b_bits, exhaustive=False, latency=latency, shared=True,
    )  # fmt: skip


def test_two_products_fit_a_multiplier_only_with_a_bit_to_spare_for_the_borrow():
    for a_bits, b_bits in ((8, 4), (8, 5), (2, 7), (3, 7), (16, 1), (18, 1)):
        low, high = -(1 << (b_bits - 1)), (1 << (b_bits - 1)) - 1
        packed = [(upper << (a_bits + b_bits)) + lower for upper in (low, high) for lower in (low, high)]
        bits = max(max(value.bit_length() + 1, 1) if value >= 0 else (-value - 1).bit_length() + 1 for value in packed)
        assert pairable(a_bits, b_bits) == (bits <= KINDS["ecp5_mult18"])


def test_what_a_multiplier_cannot_take_is_refused():
    with pytest.raises(ValueError, match="ice40_mac16 multiplies operands of 1 to 16 bits, not 17"):
        Products(1, 17, 8, "ice40_mac16")
    with pytest.raises(ValueError, match="'dsp48' is not a kind of multiplier"):
        Products(1, 8, 8, "dsp48")
    with pytest.raises(ValueError, match="products take 2 cycles at least, not 1"):
        Products(1, 8, 8, latency=1)
    with pytest.raises(ValueError, match="products take 3 cycles at least, not 2"):
        Products(2, 8, 4, "ecp5_mult18_pairs", latency=2)
    for count, b_bits in ((3, 4), (2, 5)):
        with pytest.raises(ValueError, match=f"even numbers of products with .* below 18, not {count} of 8 by {b_bits} bits"):
            Products(count, 8, b_bits, "ecp5_mult18_pairs", latency=3)
    with pytest.raises(ValueError, match="at least one product"):
        Products(0, 8, 8)
