"""PLL settings: the ones icepll and ecppll give, and legal ones for every clock that can be made."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from npde.errors import BuildError
from npde_hdl.build.pll import TOLERANCE, ecp5_dividers, ice40_dividers

MHZ = 1_000_000


# What `icepll -i 12 -o CLOCK` prints.
@pytest.mark.parametrize(
    ("clock", "divr", "divf", "divq", "filter_range"), [(24, 0, 63, 5, 1), (48, 0, 63, 4, 1), (96, 0, 63, 3, 1)]
)
def test_an_ice40_gets_the_dividers_that_icepll_prints(clock, divr, divf, divq, filter_range):
    found = ice40_dividers(12 * MHZ, clock * MHZ)
    assert (found.divr, found.divf, found.divq, found.filter_range) == (divr, divf, divq, filter_range)


@given(st.integers(10 * MHZ, 50 * MHZ), st.integers(16 * MHZ, 200 * MHZ))
def test_ice40_dividers_are_legal_and_make_the_clock(oscillator, clock):
    try:
        found = ice40_dividers(oscillator, clock)
    except BuildError:
        assume(False)
    compared = oscillator / (found.divr + 1)
    vco = compared * (found.divf + 1)
    assert 10e6 <= compared <= 133e6
    assert 533e6 <= vco <= 1066e6
    assert 0 <= found.divr <= 15
    assert 0 <= found.divf <= 63
    assert 1 <= found.divq <= 6
    assert abs(vco / 2**found.divq - clock) <= TOLERANCE * clock


@given(st.sampled_from([12, 25, 48, 50, 100]), st.integers(10 * MHZ, 300 * MHZ))
def test_ecp5_dividers_are_legal_and_make_the_clock(oscillator, clock):
    try:
        found = ecp5_dividers(oscillator * MHZ, clock)
    except BuildError:
        assume(False)
    made = oscillator * MHZ / found.clki * found.clkfb
    assert 400e6 <= made * found.clkop <= 800e6
    assert all(1 <= divider <= 128 for divider in (found.clki, found.clkfb, found.clkop))
    assert abs(made - clock) <= TOLERANCE * clock


def test_a_clock_no_pll_makes_is_refused_with_the_nearest_one():
    with pytest.raises(BuildError, match=r"no PLL setting makes 1 MHz from 12 MHz; the nearest is 8\.25 MHz|nearest is 8"):
        ice40_dividers(12 * MHZ, 1 * MHZ)
    with pytest.raises(BuildError, match="no PLL setting makes 900 MHz from 25 MHz; the nearest is 400 MHz"):
        ecp5_dividers(25 * MHZ, 900 * MHZ)
