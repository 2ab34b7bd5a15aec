"""Steps: every impossible shape and format is refused in one sentence, and the accumulator's width is what it must be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from npde import golden
from npde.errors import ProgramError
from npde.fixed import signed_width
from npde.model import Weights
from npde.program import CROSS, MOORE, Clip, Dense, Grid, Pool, Q, Relu, Stencil, Table

F = Q(8, 7)
GRID = Grid(6, 5, 3, F)


def stencil(**changes) -> Stencil:
    return Stencil(**{"out_channels": 3, "taps": CROSS, "weight": Q(8, 6), "bias": Q(16, 10), "out": F, **changes})


def one_sentence(error: Exception) -> str:
    text = str(error)
    assert text
    assert "\n" not in text
    return text


@pytest.mark.parametrize(("changes", "says"), [
    ({"out_channels": 0}, "out_channels is 1 to 65535, not 0"),
    ({"out_channels": 65536}, "out_channels is 1 to 65535, not 65536"),
    ({"taps": ()}, "needs at least one tap"),
    ({"taps": ((0, 0), (0, 1), (0, 0))}, "a tap stands twice"),
    ({"taps": ((6, 0),)}, r"tap \(6, 0\) reaches across the whole 6×5 grid"),
    ({"taps": ((0, -5),)}, r"tap \(0, -5\) reaches across the whole 6×5 grid"),
    ({"taps": ((0, 10**30),)}, "reaches across the whole"),
    ({"stride": 0}, "stride 0 on a 6×5 grid"),
    ({"stride": 7}, "stride 7 on a 6×5 grid"),
    ({"repeat": 0}, "repeat is 1 to 65535, not 0"),
    ({"repeat": 65536}, "repeat is 1 to 65535, not 65536"),
    ({"repeat": 2, "stride": 2}, "repeat 2 needs the output grid to equal the input grid"),
    ({"repeat": 2, "out_channels": 4}, "repeat 2 needs the output grid to equal"),
    ({"repeat": 2, "out": Q(8, 6)}, "repeat 2 needs the output grid to equal"),
    ({"skip": True, "stride": 2}, "skip needs stride 1 and as many output as input channels, not stride 2"),
    ({"skip": True, "out_channels": 2}, "skip needs stride 1 .* 3 → 2 channels"),
    ({"skip": True, "weight": Q(8, -1), "bias": Q(8, 0), "out": Q(8, 0)}, "skip needs weights with no negative"),
    ({"weight": Q(1, 0)}, "weights are 2 to 16 bits wide, not 1"),
    ({"weight": Q(17, 6)}, "weights are 2 to 16 bits wide, not 17"),
    ({"out": Q(1, 0)}, "fields are 2 to 18 bits wide, not 1"),
    ({"out": Q(19, 7)}, "fields are 2 to 18 bits wide, not 19"),
    ({"bias": Q(1, 0)}, "biases are 2 to 32 bits wide, not 1"),
    ({"bias": Q(33, 10)}, "biases are 2 to 32 bits wide, not 33"),
    ({"bias": Q(16, 14)}, r"bias Q\(16,14\) is finer than the accumulator, which has 13 fractional bits"),
    ({"out": Q(16, 14)}, r"Q\(16,14\) is finer than the accumulator, which has 13"),
    ({"phi": Table(Q(4, 14), (0,) * 16)}, r"Q\(4,14\) is finer than the accumulator"),
    ({"weight": Q(16, 63), "bias": Q(32, 0)}, "the accumulator would need .* bits; 62 is the most"),
    ({"weight": Q(16, 63), "bias": Q(2, 63), "out": Q(8, -32)}, "the accumulator would need .* bits; 62 is the most"),
    ({"phi": Clip(-129, 5)}, r"clip \[-129, 5\] leaves the range of Q\(8,7\), \[-128, 127\]"),
    ({"phi": Clip(0, 128)}, r"clip \[0, 128\] leaves the range"),
    ({"phi": Table(Q(2, 1), (0, 1, 2, 128))}, r"table entries span \[0, 128\]"),
    ({"phi": Table(Q(2, 1), (-129, 1, 2, 3))}, r"table entries span \[-129, 3\]"),
    ({"boundary": "reflect"}, "boundary 'reflect' is none of periodic, dirichlet and neumann"),
])  # fmt: skip
def test_a_stencil_that_cannot_be_is_refused_in_one_sentence_that_names_the_step(changes, says):
    with pytest.raises(ProgramError, match=says) as caught:
        stencil(**changes).grid_after(GRID, "step 3")
    assert one_sentence(caught.value).startswith("step 3: ")


@pytest.mark.parametrize(("make", "says"), [
    (lambda: Clip(3, 3), "a clip needs low < high, not low=3 and high=3"),
    (lambda: Table(Q(1, 0), (0, 1)), "indexed by 2 to 12 bits, not 1"),
    (lambda: Table(Q(13, 0), (0,) * 8192), "indexed by 2 to 12 bits, not 13"),
    (lambda: Table(Q(3, 0), (0,) * 7), "has 8 entries, not 7"),
    (lambda: Grid(0, 1, 1, F), "a grid's height is 1 to 65535, not 0"),
    (lambda: Grid(1, 65536, 1, F), "a grid's width is 1 to 65535, not 65536"),
    (lambda: Grid(1, 1, 0, F), "a grid's channels is 1 to 65535, not 0"),
    (lambda: Grid(1, 1, 1, Q(19, 0)), "2 to 18 bits wide, not 19"),
])  # fmt: skip
def test_what_cannot_be_by_itself_is_refused_where_it_is_made(make, says):
    with pytest.raises(ProgramError, match=says) as caught:
        make()
    one_sentence(caught.value)


@pytest.mark.parametrize(("changes", "says"), [
    ({"size": 0}, "tiles of 0 cells on a 6×5 grid"),
    ({"size": 7}, "tiles of 7 cells on a 6×5 grid"),
    ({"out": Q(19, 7)}, "2 to 18 bits wide, not 19"),
    ({"out": Q(8, 8)}, r"Q\(8,8\) is finer than the pooled Q\(8,7\)"),
    ({"kind": "mean"}, "a pool takes the sum or the max of a tile, not the 'mean'"),
])  # fmt: skip
def test_a_pool_that_cannot_be_is_refused(changes, says):
    with pytest.raises(ProgramError, match=says) as caught:
        Pool(**{"kind": "sum", "size": 2, "out": F, **changes}).grid_after(GRID, "step 1")
    assert one_sentence(caught.value).startswith("step 1: ")


def test_a_pool_whose_rescale_leaves_64_bits_is_refused():
    grid = Grid(4, 4, 1, Q(18, 63))
    with pytest.raises(ProgramError, match="the accumulator would need 96 bits; 62 is the most"):
        Pool(kind="max", size=2, out=Q(18, -32)).grid_after(grid, "step 0")


@pytest.mark.parametrize(("changes", "says"), [
    ({"out_channels": 0}, "out_channels is 1 to 65535"),
    ({"weight": Q(17, 6)}, "weights are 2 to 16 bits"),
    ({"out": Q(16, 14)}, "is finer than the accumulator"),
])  # fmt: skip
def test_a_dense_step_that_cannot_be_is_refused(changes, says):
    with pytest.raises(ProgramError, match=says):
        Dense(**{"out_channels": 4, "weight": Q(8, 6), "bias": Q(16, 10), "out": F, **changes}).grid_after(GRID, "step 2")


def test_a_dense_step_on_too_large_a_grid_says_which_step():
    with pytest.raises(ProgramError, match="step 2: a dense step sees at most 65535 values, not 90000"):
        Dense(out_channels=4, weight=Q(8, 6), bias=Q(16, 10), out=F).grid_after(Grid(300, 300, 1, F), "step 2")


@pytest.mark.parametrize(("stride", "after"), [(1, (6, 5)), (2, (3, 3)), (3, (2, 2)), (4, (2, 2)), (6, (1, 1))])
def test_a_coarsened_grid_has_as_many_cells_as_start_inside(stride, after):
    grid = stencil(stride=stride).grid_after(GRID, "step 0")
    assert (grid.height, grid.width) == after == (len(range(0, 6, stride)), len(range(0, 5, stride)))


@st.composite
def weighted_steps(draw):
    """A stencil with its grid, of any formats the contract allows."""
    grid = Grid(3, 3, draw(st.integers(1, 3)), Q(draw(st.integers(2, 18)), draw(st.integers(-4, 20))))
    weight = Q(draw(st.integers(2, 16)), draw(st.integers(-4, 20)))
    frac = grid.q.frac + weight.frac
    skip = draw(st.booleans()) and weight.frac >= 0
    step = Stencil(
        out_channels=grid.channels if skip else draw(st.integers(1, 3)), taps=draw(st.sampled_from([((0, 0),), CROSS, MOORE])),
        weight=weight, bias=Q(draw(st.integers(2, 32)), draw(st.integers(max(-32, frac - 30), frac))),
        out=Q(draw(st.integers(2, 18)), draw(st.integers(max(-32, frac - 30), frac))), boundary="periodic", skip=skip,
        phi=draw(st.sampled_from([Relu(), Clip(-1, 1)])),
    )  # fmt: skip
    try:
        step.grid_after(grid, "step 0")
    except ProgramError:
        assume(False)
    return step, grid


COARSE_BIAS = (
    Stencil(out_channels=1, taps=((0, 0), (0, 1), (0, 2), (0, 3), (0, 4)), weight=Q(16, 15), bias=Q(2, -1), out=Q(8, 2)),
    Grid(1, 8, 1, Q(3, 2)),
)


@given(weighted_steps())
@example(COARSE_BIAS)
def test_the_accumulator_width_holds_any_weights_and_inputs_and_is_at_most_one_bit_too_wide(case):
    step, grid = case
    shape = (step.out_channels, grid.channels, len(step.taps))
    extremes = []
    for weight in (step.weight.low, step.weight.high):
        for field in (grid.q.low, grid.q.high):
            for bias in (step.bias.low, step.bias.high):
                weights = Weights(np.full(shape, weight), np.full(shape[0], bias))
                acc = golden.accumulate(step, grid, weights, np.full((1, *grid.shape), field))
                mine = grid.channels * len(step.taps) * weight * field + (bias << step.bias_shift(grid))
                mine += (field << step.weight.frac) if step.skip else 0
                assert set(acc.ravel().tolist()) == {mine}
                extremes += [mine, mine + (1 << max(step.shift(grid) - 1, 0))]
    needed = signed_width(min(extremes), max(extremes))
    assert needed <= step.accumulator_width(grid) <= needed + 1
    assert golden.react(step, grid, acc).dtype == np.int64


@given(st.sampled_from(["sum", "max"]), st.integers(2, 18), st.integers(1, 5), st.integers(0, 9))
def test_the_pooled_width_holds_any_tile(kind, bits, size, shift):
    grid = Grid(5, 5, 1, Q(bits, 9))
    pool = Pool(kind=kind, size=size, out=Q(bits, 9 - shift))
    cells = size * size if kind == "sum" else 1
    rounding = (1 << shift) >> 1
    needed = signed_width(cells * grid.q.low, cells * grid.q.high + rounding)
    assert needed <= pool.accumulator_width(grid) <= needed + 1


def test_multiply_accumulates_count_every_tap_of_every_cell_and_repeat():
    assert stencil(repeat=4).macs(GRID) == 4 * 6 * 5 * 3 * 3 * 5
    assert stencil(stride=2).macs(GRID) == 3 * 3 * 3 * 3 * 5
    assert Dense(out_channels=4, weight=Q(8, 6), bias=Q(16, 10), out=F).macs(GRID) == 4 * 90
    assert Pool(kind="max", size=2, out=F).macs(GRID) == 0
