"""Fixed-point formats against exact fractions: nearest, half up, saturated, and never anything else."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from npde.errors import ProgramError
from npde.fixed import Q, signed_width

formats = st.builds(Q, st.integers(1, 64), st.integers(-32, 63))
reals = st.floats(allow_nan=False, allow_infinity=False)


def nearest(q: Q, value: float) -> int:
    """The contract in exact arithmetic: floor(v·2^f + 1/2), clamped."""
    return min(max(math.floor(Fraction(value) / q.step + Fraction(1, 2)), q.low), q.high)


@given(formats, st.one_of(reals, st.floats(-300, 300)))
@example(Q(8, 0), 0.49999999999999994)
@example(Q(8, 0), -0.5)
@example(Q(8, 0), -5e-324)
@example(Q(60, 0), float(2**52 + 1))
@example(Q(64, 0), 1e300)
@example(Q(64, 63), -1e300)
@example(Q(60, 0), 1e18)
@example(Q(1, 0), 0.7)
def test_quantising_is_the_nearest_integer_half_up_and_saturated(q, value):
    assert int(q.quantise(value)) == nearest(q, value)


@given(formats, st.data())
def test_every_halfway_value_is_rounded_up(q, data):
    integer = data.draw(st.integers(max(q.low, -(1 << 40)), min(q.high, 1 << 40)))
    assert int(q.quantise(math.ldexp(integer + 0.5, -q.frac))) == min(integer + 1, q.high)


@given(formats, st.data())
def test_integers_survive_the_way_to_reals_and_back(q, data):
    limit = (1 << 53) - 1
    integer = data.draw(st.integers(max(q.low, -limit), min(q.high, limit)))
    assert int(q.quantise(q.real(integer))) == integer
    assert Fraction(float(q.real(integer))) == integer * q.step


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_and_counted(bad):
    with pytest.raises(ProgramError, match=r"^2 value\(s\) to quantise are NaN or infinite$"):
        Q(8, 7).quantise([0.5, bad, bad])


@given(formats)
def test_a_format_is_read_back_as_it_is_written(q):
    assert Q.parse(str(q)) == q
    assert (q.low, q.high) == (-(2 ** (q.width - 1)), 2 ** (q.width - 1) - 1)


@pytest.mark.parametrize("text", ["", "Q(8)", "Q8,7", "Q(8,7", "q(8,7)", "Q(8,7) ", "Q(8;7)", f"Q({'9' * 5000},1)"])
def test_what_is_no_format_is_refused(text):
    with pytest.raises(ProgramError, match="is not a format; one is written"):
        Q.parse(text)


@pytest.mark.parametrize(("width", "frac", "says"), [
    (0, 0, "1 to 64 bits wide, not 0"), (65, 0, "not 65"), (8, -33, "-32 to 63 fractional bits, not -33"), (8, 64, "not 64"),
])  # fmt: skip
def test_an_impossible_format_is_refused_with_its_number(width, frac, says):
    with pytest.raises(ProgramError, match=says):
        Q(width, frac)


@given(st.integers(-(1 << 80), 1 << 80), st.integers(-(1 << 80), 1 << 80))
@example(-1, 0)
@example(-128, 127)
@example(-129, 127)
@example(0, 128)
def test_the_signed_width_holds_both_ends_and_one_bit_less_does_not(low, high):
    width = signed_width(low, high)

    def holds(bits: int) -> bool:
        return all(-(2 ** (bits - 1)) <= v < 2 ** (bits - 1) for v in (low, high))

    assert holds(width)
    assert width == 1 or not holds(width - 1)
