"""Rescaling and saturation: equal to what they mean, for every accumulator there is.

The specification says nothing of shifts: the rescaled value is the integer nearest to acc / 2**shift, the greater of
two equally near; the saturated one is the bound where the value lies beyond it, and else the value.
"""

from __future__ import annotations

from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Array, Assert, Module, Mux, Signal, Value, signed

from npde.program import CENTRE, Clip, Grid, Identity, Q, Relu, Stencil
from npde_sim.formal import Proof, Twin, keeps_offers, module, patient

REACTION = "npde_hdl.stencil.reaction"


def nearest(m, value, acc, shift):
    """``value`` is the integer nearest to acc / 2**shift: 2·acc lies in [2·value - 1, 2·value + 1) · 2**shift."""
    twice, unit = acc + acc, 1 << shift
    m.d.comb += [Assert(twice >= (value + value - 1) * unit), Assert(twice < (value + value + 1) * unit)]


def limited(m, after, value, low, high):
    """``after`` is the number of [low, high] nearest to ``value``."""
    with m.If(value > high):
        m.d.comb += Assert(after == high)
    with m.Elif(value < low):
        m.d.comb += Assert(after == low)
    with m.Else():
        m.d.comb += Assert(after == value)


def rescaling(twin):
    """Every shift of an accumulator of the widest there is, and beyond its width."""
    m = Module()
    rescaled = module(REACTION, twin).rescaled
    acc = Signal(signed(40))
    m.d.comb += acc.eq(AnySeq(40))
    for shift in range(40):
        value = Signal(signed(41), name=f"by{shift}")
        m.d.comb += value.eq(rescaled(acc, shift))
        if shift:
            nearest(m, value, acc, shift)
        else:
            m.d.comb += Assert(value == acc)
    return m


def evolving(twin):
    """The same of an evolution's, also where nothing but the sign is left."""
    m = Module()
    rescaled = module("npde_hdl.evolve.arithmetic", twin)._rescaled
    for width in (3, 9):
        for shift in (*range(1, width + 3), 20):
            acc, value = (
                Signal(signed(width), name=f"acc{width}by{shift}"),
                Signal(signed(width + 1), name=f"value{width}by{shift}"),
            )
            m.d.comb += [acc.eq(AnySeq(width)), value.eq(rescaled(acc, shift))]
            nearest(m, value, acc, shift)
    return m


BOUNDS = [
    (-128, 127),
    (-127, 127),
    (0, 127),
    (-100, 37),
    (-90, -3),
    (5, 90),
    (-1, 0),
    (-2, 1),
    (0, 1),
    (-32768, 32767),
    (-2048, 2047),
]


def clamping(twin):
    """Every pair of bounds a step may have: a word's, one value less, its positive half, and any."""
    m = Module()
    clamped = module(REACTION, twin).clamped
    for low, high in BOUNDS:
        for width in (2, 8, 9, 12, 20):
            value, after = Signal(signed(width), name=f"value{width}"), Signal(signed(33), name=f"after{width}")
            m.d.comb += [value.eq(AnySeq(width)), after.eq(clamped(value, low, high))]
            limited(m, after, value, low, high)
    return m


def reaction(phi, skip, pe, lanes):
    """The whole component: each accumulator it took leaves once, in order, skipped, rescaled, limited."""
    grid = Grid(1, 1, pe, Q(3, 1))
    step = Stencil(out_channels=pe, taps=(CENTRE,), weight=Q(3, 2), bias=Q(3, 2), out=Q(3, 1), phi=phi, skip=skip)
    low, high = {Relu: (0, step.out.high), Identity: (step.out.low, step.out.high)}.get(type(phi)) or (
        phi.low,
        phi.high,
    )
    acc_bits, field = step.accumulator_width(grid), grid.q.width

    def top(twin):
        m = Module()
        m.submodules.reaction = dut = module(REACTION, twin).Reaction(step, grid, pe, lanes)
        for value in (dut.load, dut.sums, dut.centre, dut.values.ready):
            m.d.comb += Value.cast(value).eq(AnySeq(len(Value.cast(value))))
        keeps_offers(m, dut.values)
        # Nothing is asserted of sums that cannot occur: those to which skip or rounding adds more than the width holds.
        spare = ((-grid.q.low << step.weight.frac) if skip else 0) + (1 << step.shift(grid) >> 1)
        most = (1 << (acc_bits - 1)) - 1 - spare
        which, value, centre, waits, ahead = (
            Signal(range(pe)),
            Signal(signed(acc_bits)),
            Signal(signed(field)),
            Signal(),
            Signal(range(3 * pe + 1)),
        )
        inside = Signal(range(4 * pe + 1))
        enters, leaves = dut.load & dut.ready, dut.values.valid & dut.values.ready
        after = Signal.like(inside)
        m.d.comb += [which.eq(AnyConst(len(which))), after.eq(inside - Mux(leaves, lanes, 0))]
        m.d.sync += inside.eq(after + Mux(enters, pe, 0))
        m.d.comb += Assert(inside <= 3 * pe)
        with m.If(leaves):
            m.d.comb += Assert(inside >= lanes)
        with m.If(~waits & enters & AnySeq(1)):
            m.d.sync += [
                waits.eq(1),
                ahead.eq(after + which),
                value.eq(Array(dut.sums)[which]),
                centre.eq(Array(dut.centre)[which]),
            ]
        with m.If(waits):
            m.d.comb += Assert(ahead < inside)
        with m.If(waits & leaves):
            m.d.sync += ahead.eq(ahead - lanes)
            with m.If(ahead < lanes):
                m.d.sync += waits.eq(0)
                came = Signal(signed(step.out.width))
                m.d.comb += came.eq(Array(dut.values.payload)[ahead])
                with m.If((value <= most) & (value >= -most)):
                    told(m, came, value + (centre << step.weight.frac if skip else 0))
        patient(m, (inside != 0) & ~dut.values.valid, 4)
        return m

    def told(m, came, acc):
        """The value nearest to the accumulator, limited: without shifting anything down."""
        unit = 1 << step.shift(grid)
        twice = acc + acc
        with m.If(twice >= (2 * high + 1) * unit):
            m.d.comb += Assert(came == high)
        with m.Elif(twice < (2 * low - 1) * unit):
            m.d.comb += Assert(came == low)
        with m.Else():
            nearest(m, came, acc, step.shift(grid))

    return top


ROUNDS = Twin("+ acc[shift - 1]", "", "what is dropped is not rounded but cut off")
PROOFS = [
    Proof("rescale, 40 bits by 0 to 39", rescaling, ROUNDS, engine="stateless"),
    Proof(
        "rescale beyond the width",
        evolving,
        Twin("value[-1].replicate(short)", "Const(0, short)", "the sign is not extended"),
        engine="stateless",
    ),
    Proof(
        "saturate, 11 pairs of bounds",
        clamping,
        Twin("spare.all() | ~spare.any()", "spare.all()", "a positive value does not fit"),
        engine="stateless",
    ),
    Proof(
        "reaction, identity",
        reaction(Identity(), False, 2, 1),
        Twin("low, high = self._bounds()", "low, high = -3, 3", "the lowest value is left out"),
        slow=True,
    ),
    Proof(
        "reaction, skip, clip",
        reaction(Clip(-3, 3), True, 2, 2),
        Twin("<< stencil.weight.frac", "<< 1", "the centre is added at the wrong binary point"),
        slow=True,
    ),
    Proof(
        "reaction, relu",
        reaction(Relu(), False, 2, 1),
        Twin(
            "if low == 0:\n        return Mux(negative, 0,",
            "if low == 0:\n        return Mux(0, 0,",
            "negative values pass",
        ),
        slow=True,
    ),
]


def test_it_is_the_specification_and_its_twin_is_not(proof, holds):
    holds(proof)
