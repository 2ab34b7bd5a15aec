"""Weight memories: what is packed is found again, bit by bit, by a reader written from the layout's text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npde.errors import ProgramError
from npde.link.packing import Fold, Packing
from npde.model import Weights
from npde.program import CROSS, MOORE, Grid, Q, Stencil


def divisors(number: int) -> list[int]:
    return [d for d in range(1, number + 1) if number % d == 0]


@st.composite
def packed_steps(draw):
    skip = draw(st.booleans())
    inputs = draw(st.sampled_from([1, 2, 3, 4, 6, 12]))
    outputs = inputs if skip else draw(st.sampled_from([1, 2, 3, 4, 6, 10]))
    weight, bias = Q(draw(st.integers(2, 16)), 4), Q(draw(st.integers(2, 32)), 2)
    taps = draw(st.sampled_from([((0, 0),), CROSS, MOORE, ((0, 1),), ((-1, 0), (1, 0))]))
    step = Stencil(out_channels=outputs, taps=taps, weight=weight, bias=bias, out=Q(8, 3), skip=skip)
    packing = Packing(step, Grid(3, 3, inputs, Q(8, 7)), Fold(draw(st.sampled_from(divisors(outputs))), draw(st.sampled_from(divisors(inputs)))))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return packing, Weights(
        rng.integers(weight.low, weight.high + 1, (outputs, inputs, len(taps))), rng.integers(bias.low, bias.high + 1, outputs)
    )


@settings(max_examples=150, deadline=None)
@given(case=packed_steps())
def test_packed_weights_are_unpacked_to_the_same_integers(unpack, case):
    packing, weights = case
    memory = packing.pack(weights)
    assert len(memory) == packing.depth * -(-packing.width // 8)
    back = unpack(packing, memory)
    assert np.array_equal(back.kernel, weights.kernel)
    assert np.array_equal(back.bias, weights.bias)


@given(case=packed_steps())
def test_every_weight_has_its_own_place(case):
    """Flipping the sign of one weight changes bits of one word; no two weights share one."""
    packing, weights = case
    zero = Weights(np.zeros_like(weights.kernel), np.zeros_like(weights.bias))
    occupied: set[int] = set()
    for place in range(0, weights.kernel.size, max(1, weights.kernel.size // 12)):
        kernel = np.zeros_like(weights.kernel)
        kernel.flat[place] = -1
        bits = np.unpackbits(np.frombuffer(packing.pack(Weights(kernel, zero.bias)), np.uint8), bitorder="little")
        mine = set(np.flatnonzero(bits).tolist())
        assert len(mine) == packing.stencil.weight.width
        assert not mine & occupied
        occupied |= mine


@given(case=packed_steps())
def test_depth_width_and_interval_fit_together(case):
    packing, _ = case
    assert packing.depth * packing.fold.multipliers >= packing.stencil.out_channels * packing.grid.channels * len(packing.stencil.taps)
    assert packing.initiation_interval == 9 * packing.depth
    assert packing.beat_taps[packing.centre_tap] == (0, 0) if packing.stencil.skip else True


@pytest.mark.parametrize(("fold", "says"), [
    (Fold(0, 1), "0 output lanes do not divide 4 output channels"), (Fold(3, 1), "3 output lanes do not divide 4"),
    (Fold(1, 0), "0 input lanes do not divide 6 input channels"), (Fold(1, 4), "4 input lanes do not divide 6"),
    (Fold(-1, 1), "-1 output lanes"),
])  # fmt: skip
def test_lanes_that_do_not_divide_the_channels_are_refused(fold, says):
    step = Stencil(out_channels=4, taps=CROSS, weight=Q(8, 4), bias=Q(8, 2), out=Q(8, 3))
    with pytest.raises(ProgramError, match=says):
        Packing(step, Grid(3, 3, 6, Q(8, 7)), fold)
