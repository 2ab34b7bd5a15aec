"""The golden model against the contract's text, written out once more in Python's unbounded integers, cell by cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from npde import golden
from npde.errors import ProgramError
from npde.model import Model, Weights
from npde.program import CROSS, MOORE, Clip, Dense, Grid, Identity, Pool, Program, Q, Relu, Stencil, Table

Frame = list[list[list[int]]]
"""``frame[y][x][channel]``."""


def clamp(value: int, low: int, high: int) -> int:
    return low if value < low else high if value > high else value


def cell(frame: Frame, y: int, x: int, boundary: str) -> list[int]:
    """The field at a cell that may lie outside the grid."""
    height, width = len(frame), len(frame[0])
    if boundary == "periodic":
        return frame[y % height][x % width]
    if boundary == "neumann":
        return frame[clamp(y, 0, height - 1)][clamp(x, 0, width - 1)]
    return frame[y][x] if 0 <= y < height and 0 <= x < width else [0] * len(frame[0][0])


def shifted(value: int, shift: int) -> int:
    """Half up."""
    return (value + 2**shift // 2) // 2**shift if shift else value


def reacted(step, value: int, accumulator_frac: int) -> int:
    phi, out = step.phi, step.out
    if isinstance(phi, Table):
        index = clamp(shifted(value, accumulator_frac - phi.input.frac), phi.input.low, phi.input.high)
        value = phi.entries[index - phi.input.low]
    else:
        value = shifted(value, accumulator_frac - out.frac)
        if isinstance(phi, Relu):
            value = max(value, 0)
        if isinstance(phi, Clip):
            value = clamp(value, phi.low, phi.high)
    return clamp(value, out.low, out.high)


def stepped(step: Stencil, q: Q, weights: Weights, frame: Frame) -> Frame:
    kernel, bias, after = weights.kernel.tolist(), weights.bias.tolist(), []
    frac = q.frac + step.weight.frac
    for y in range(0, len(frame), step.stride):
        after.append([])
        for x in range(0, len(frame[0]), step.stride):
            values = []
            for o in range(step.out_channels):
                acc = bias[o] * 2 ** (frac - step.bias.frac)
                for i in range(len(frame[0][0])):
                    for k, (dy, dx) in enumerate(step.taps):
                        acc += kernel[o][i][k] * cell(frame, y + dy, x + dx, step.boundary)[i]
                if step.skip:
                    acc += frame[y][x][o] * 2**step.weight.frac
                values.append(reacted(step, acc, frac))
            after[-1].append(values)
    return after


def pooled(step: Pool, q: Q, frame: Frame) -> Frame:
    tall, wide = min(step.size, len(frame)), min(step.size, len(frame[0]))
    after = []
    for top in range(0, len(frame) - tall + 1, tall):
        after.append([])
        for left in range(0, len(frame[0]) - wide + 1, wide):
            tile = [frame[y][x] for y in range(top, top + tall) for x in range(left, left + wide)]
            values = [sum(column) if step.kind == "sum" else max(column) for column in zip(*tile, strict=True)]
            after[-1].append([clamp(shifted(v, q.frac - step.out.frac), step.out.low, step.out.high) for v in values])
    return after


def naive(model: Model, frame: Frame) -> list[Frame]:
    """Every field of the evolution of one frame, the input first."""
    frames = [frame]
    for index, (step, grid) in enumerate(zip(model.program.steps, model.program.grids(), strict=False)):
        if isinstance(step, Pool):
            frames.append(pooled(step, grid.q, frames[-1]))
        elif isinstance(step, Dense):
            flat = [[[v for row in frames[-1] for values in row for v in values]]]
            frames.append(stepped(step.as_stencil(), grid.q, model.weights[index], flat))
        else:
            for _ in range(step.repeat):
                frames.append(stepped(step, grid.q, model.weights[index], frames[-1]))
    return frames


small = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@st.composite
def formats(draw, widest: int, low: int = -2, high: int = 16):
    return Q(draw(st.integers(2, widest)), draw(st.integers(low, high)))


@st.composite
def models(draw):
    """A random program of one to four steps with random integers, extremes among them."""

    def coarser(frac: int, most: int) -> int:
        """Four steps that all took the most would end below the 32 places before the point that a format may lack."""
        least = max(0, frac - 63)
        return frac - draw(st.integers(least, max(least, min(most, frac + 16))))

    grid = start = Grid(draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(formats(18)))
    steps = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["stencil"] * 4 + ["pool", "dense"]))
        if kind == "pool":
            out = Q(draw(st.integers(2, 18)), coarser(grid.q.frac, 6))
            step = Pool(kind=draw(st.sampled_from(["sum", "max"])), size=draw(st.integers(1, 5)), out=out)
        else:
            weight = draw(formats(16))
            frac = weight.frac + grid.q.frac
            bias, out = (Q(draw(st.integers(2, top)), coarser(frac, 12)) for top in (32, 18))
            phis = [Identity(), Relu(), Clip(out.low + 1, draw(st.integers(out.low + 2, out.high)))]
            entries = draw(st.lists(st.integers(out.low, out.high), min_size=8, max_size=8))
            phi = draw(st.sampled_from([*phis, Table(Q(3, coarser(frac, 12)), tuple(entries))]))
            channels = draw(st.sampled_from([grid.channels, 1, 2, 3]))
            keeps = kind == "stencil" and channels == grid.channels and draw(st.booleans())
            if kind == "dense":
                step = Dense(out_channels=channels, weight=weight, bias=bias, out=out, phi=phi)
            else:
                taps = draw(st.sampled_from([CROSS, MOORE, ((0, 0),), ((-2, 1), (1, -1), (0, 2)), ((0, 1),), ((2, 2),)]))
                step = Stencil(
                    out_channels=channels, taps=tuple(t for t in taps if abs(t[0]) < grid.height and abs(t[1]) < grid.width) or ((0, 0),),
                    weight=weight, bias=bias, out=out, phi=phi, boundary=draw(st.sampled_from(["periodic", "dirichlet", "neumann"])),
                    stride=1 if keeps else draw(st.integers(1, max(grid.height, grid.width))), skip=keeps and weight.frac >= 0,
                    repeat=draw(st.integers(1, 3)) if keeps and out == grid.q else 1,
                )  # fmt: skip
        try:
            grid = step.grid_after(grid, "step")
        except ProgramError:
            assume(False)
        steps.append(step)
    program = Program(name="random", input=start, steps=tuple(steps), argmax=(grid.height, grid.width) == (1, 1))
    rng = draw(small)

    def integers(q: Q, shape):
        values = rng.integers(q.low, q.high + 1, size=shape)
        return np.where(rng.random(shape) < 0.3, rng.choice([q.low, q.high], size=shape), values)

    weights = {
        index: Weights(integers(step.weight, shape), integers(step.bias, shape[:1]))
        for (index, step, _), shape in zip(program.weighted(), program.kernel_shapes().values(), strict=True)
    }
    return Model(program, weights, force=True), integers(start.q, (3, *start.shape))


@settings(max_examples=400, deadline=None)
@given(models())
def test_any_program_gives_the_integers_of_the_contract_s_text(case):
    model, fields = case
    fast = golden.trace(model, fields)
    slow = [naive(model, frame) for frame in fields.tolist()]
    for place, field in enumerate(fast):
        assert field.tolist() == [frames[place] for frames in slow]
    answer = golden.run(model, fields)
    assert np.array_equal(answer.output, fast[-1])
    if model.program.argmax:
        assert answer.label.tolist() == [f[-1][0][0].index(max(f[-1][0][0])) for f in slow]
    else:
        assert answer.label is None


@settings(max_examples=40, deadline=None)
@given(models())
def test_a_batch_is_answered_as_its_frames_are_one_by_one_and_whatever_the_chunk(case):
    model, fields = case
    told = []
    whole = golden.run(model, fields, batch=2, progress=told.append)
    alone = np.concatenate([golden.run(model, fields[i : i + 1]).output for i in range(len(fields))])
    assert np.array_equal(whole.output, alone)
    assert told == [2, 1]


@pytest.mark.parametrize("repeat", [1, 7])
def test_repeats_are_the_same_step_written_out(repeat):
    step = Stencil(out_channels=2, taps=CROSS, weight=Q(6, 5), bias=Q(8, 6), out=Q(8, 7), phi=Clip(-127, 127), skip=True, repeat=repeat)
    once = Stencil(out_channels=2, taps=CROSS, weight=Q(6, 5), bias=Q(8, 6), out=Q(8, 7), phi=Clip(-127, 127), skip=True)
    rng, grid = np.random.default_rng(0), Grid(4, 4, 2, Q(8, 7))
    weights = Weights(rng.integers(-32, 32, (2, 2, 5)), rng.integers(-128, 128, 2))
    fields = rng.integers(-128, 128, (2, *grid.shape))
    together = Model(Program(name="r", input=grid, steps=(step,)), {0: weights})
    apart = Model(Program(name="r", input=grid, steps=(once,) * repeat), dict.fromkeys(range(repeat), weights))
    assert all(np.array_equal(a, b) for a, b in zip(golden.trace(together, fields), golden.trace(apart, fields), strict=True))


MODES = {"periodic": "wrap", "dirichlet": "constant", "neumann": "nearest"}


@pytest.mark.parametrize("boundary", MODES)
def test_a_stencil_is_scipy_s_correlation(boundary):
    rng, grid = np.random.default_rng(0), Grid(9, 11, 1, Q(8, 7))
    step = Stencil(out_channels=1, taps=MOORE, weight=Q(8, 7), bias=Q(16, 14), out=Q(18, 14), boundary=boundary)
    weights = Weights(rng.integers(-128, 128, (1, 1, 9)), np.array([5]))
    u = rng.integers(-128, 128, (1, *grid.shape))
    wanted = ndimage.correlate(u[0, :, :, 0], weights.kernel.reshape(3, 3), mode=MODES[boundary]) + 5
    assert np.array_equal(golden.accumulate(step, grid, weights, u)[0, :, :, 0], wanted)


def test_the_widest_formats_do_not_overflow():
    """16-bit weights on 18-bit fields, 512 channels and 25 taps, every product the greatest there is."""
    taps = tuple((dy, dx) for dy in range(-2, 3) for dx in range(-2, 3))
    q, weight = Q(18, 17), Q(16, 15)
    step = Stencil(out_channels=1, taps=taps, weight=weight, bias=Q(32, 31), out=Q(18, 2), boundary="periodic", phi=Identity())
    grid = Grid(5, 5, 512, q)
    model = Model(Program(name="wide", input=grid, steps=(step,)), {0: Weights(np.full((1, 512, 25), weight.low), np.array([2**31 - 1]))})
    acc = golden.accumulate(step, grid, model.weights[0], np.full((1, *grid.shape), q.low))
    exact = 512 * 25 * 2**32 + (2**31 - 1) * 2
    assert set(acc.ravel().tolist()) == {exact}
    assert exact.bit_length() + 1 <= step.accumulator_width(grid)
    assert set(golden.run(model, np.full((1, *grid.shape), q.low)).output.ravel().tolist()) == {min(shifted(exact, 30), q.high)}


def digits_like() -> Model:
    grid = Grid(2, 2, 1, Q(8, 7))
    steps = (
        Stencil(out_channels=1, taps=CROSS, weight=Q(8, 4), bias=Q(8, 4), out=Q(8, 7), skip=True),
        Pool(kind="max", size=2, out=Q(8, 3)),
        Dense(out_channels=3, weight=Q(8, 0), bias=Q(8, 0), out=Q(16, 3)),
    )
    weights = {
        0: Weights(np.full((1, 1, 5), 1), np.array([1])),
        2: Weights(np.array([1, 2, 2]).reshape(3, 1, 1), np.zeros(3, np.int64)),
    }
    return Model(Program(name="tiny", input=grid, steps=steps, argmax=True), weights)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_narrow_integers_are_answered_as_wide_ones(dtype):
    fields = np.array([[[[120], [-128]], [[127], [3]]]])
    wanted = golden.run(digits_like(), fields)
    answer = golden.run(digits_like(), fields.astype(dtype))
    assert np.array_equal(answer.output, wanted.output)
    assert all(np.array_equal(a, b) for a, b in zip(golden.trace(digits_like(), fields.astype(dtype)), golden.trace(digits_like(), fields), strict=True))


def test_of_equal_outputs_the_first_is_the_label():
    answer = golden.run(digits_like(), np.full((1, 2, 2, 1), 100))
    outputs = answer.output.ravel().tolist()
    assert outputs[1] == outputs[2] > outputs[0]
    assert answer.label.tolist() == [1]


def test_no_frames_have_no_answers():
    answer = golden.run(digits_like(), np.zeros((0, 2, 2, 1), np.int64))
    assert answer.output.shape == (0, 1, 1, 3)
    assert answer.label.shape == (0,)


@pytest.mark.parametrize(("fields", "says"), [
    (np.zeros((2, 2, 1), np.int64), r"takes fields of shape \(batch, \*\(2, 2, 1\)\), not \(2, 2, 1\)"),
    (np.zeros((1, 2, 3, 1), np.int64), r"not \(1, 2, 3, 1\)"),
    (np.zeros((1, 2, 2, 1)), r"takes integers of Q\(8,7\), not float64"),
    (np.full((1, 2, 2, 1), 128), r"input spans \[128, 128\] and leaves the range of Q\(8,7\)"),
    (np.full((1, 2, 2, 1), -129), "leaves the range"),
])  # fmt: skip
def test_fields_that_do_not_fit_are_refused(fields, says):
    with pytest.raises(ProgramError, match=says):
        golden.run(digits_like(), fields)
