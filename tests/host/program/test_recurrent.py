"""The recurrent step: golden against the definition in Python integers and against its own cell; what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from npde import golden
from npde.errors import ProgramError
from npde.model import Model, Weights
from npde.program import Clip, Dense, Grid, Identity, Program, Q, Recurrent, Relu, Table

F = Q(8, 7)
SIN = Table(Q(6, 3), tuple(int(v) for v in F.quantise(np.sin(np.arange(-32, 32) / 8))))


def recurrent(**changes) -> Recurrent:
    return Recurrent(**{"out_channels": 4, "weight": Q(6, 4), "bias": Q(12, 9), "out": F, **changes})


def model_of(step: Recurrent, grid: Grid, seed: int = 3) -> Model:
    rng = np.random.default_rng(seed)
    program = Program(name="r", input=grid, steps=(step,), argmax=True)
    weights = {
        index: Weights(*(rng.integers(q.low, q.high + 1, shape) for shape, q in parts.values()))
        for index, parts in program.tensors().items()
    }
    return Model(program, weights)


def by_hand(model: Model, frame: np.ndarray) -> list[int]:
    """The docstring, value by value, in unbounded integers."""
    step, weights = model.program.steps[0], model.weights[0]
    state = [0] * step.out_channels
    for row in frame:
        seen = [int(v) for cell in row for v in cell] + state
        after = []
        for o in range(step.out_channels):
            frac = step.weight.frac + F.frac
            acc = (int(weights.bias[o]) << (frac - step.bias.frac)) + sum(int(k) * v for k, v in zip(weights.kernel[o, :, 0], seen, strict=True))
            target = step.phi.input.frac if isinstance(step.phi, Table) else step.out.frac
            value = (acc + 2 ** (frac - target) // 2) // 2 ** (frac - target)
            match step.phi:
                case Relu():
                    value = max(value, 0)
                case Clip(low=low, high=high):
                    value = min(max(value, low), high)
                case Table(input=q, entries=entries):
                    value = entries[min(max(value, q.low), q.high) - q.low]
            after.append(min(max(value, step.out.low), step.out.high))
        state = after
    return state


@pytest.mark.parametrize("phi", [Identity(), Relu(), Clip(-100, 90), SIN])
@pytest.mark.parametrize("shape", [(7, 1, 3), (5, 4, 2), (1, 3, 1)])
def test_golden_is_the_definition(phi, shape):
    model = model_of(recurrent(phi=phi), Grid(*shape, F))
    x = np.random.default_rng(0).integers(F.low, F.high + 1, (3, *shape))
    answer = golden.run(model, x)
    assert answer.output.shape == (3, 1, 1, 4)
    assert answer.output.reshape(3, -1).tolist() == [by_hand(model, frame) for frame in x]


def test_one_stencil_on_its_cell_with_the_output_fed_back_does_it():
    grid = Grid(6, 2, 3, F)
    step = recurrent(phi=Clip(-127, 127))
    model = model_of(step, grid)
    cell = Model(Program(name="cell", input=step.cell(grid), steps=(step.as_stencil(),)), model.weights)
    x = np.random.default_rng(1).integers(F.low, F.high + 1, (5, 6, 2, 3))
    state = np.zeros((5, 1, 1, 4), np.int64)
    fields = golden.trace(model, x)
    for row in range(6):
        state = golden.run(cell, np.concatenate([x[:, row].reshape(5, 1, 1, 6), state], axis=-1)).output
        assert np.array_equal(fields[row + 1], state)


def test_a_program_with_one_survives_its_json_and_its_file(tmp_path):
    grid = Grid(4, 2, 1, F)
    steps = (recurrent(phi=SIN), Dense(out_channels=2, weight=Q(4, 2), bias=Q(8, 5), out=Q(10, 6)))
    program = Program(name="r", input=grid, steps=steps, argmax=True)
    assert Program.decode(program.encode()) == program
    assert program.kernel_shapes() == {0: (4, 6, 1), 1: (2, 4, 1)}
    assert program.macs == 4 * 4 * 6 + 4 * 2
    model = model_of(recurrent(), grid)
    model.save(tmp_path / "r.npde")
    assert Model.load(tmp_path / "r.npde").content_hash == model.content_hash


@pytest.mark.parametrize(("changes", "grid", "says"), [
    ({"out_channels": 0}, Grid(4, 1, 3, F), "out_channels is 1 to 65535, not 0"),
    ({"out": Q(8, 6)}, Grid(4, 1, 3, F), r"share one format, but the state is Q\(8,6\) and the grid Q\(8,7\)"),
    ({"out_channels": 65000}, Grid(4, 28, 28, F), "at most 65535 values, state and row together, not 65784"),
    ({"weight": Q(17, 4)}, Grid(4, 1, 3, F), "weights are 2 to 16 bits wide, not 17"),
    ({"bias": Q(16, 14)}, Grid(4, 1, 3, F), "finer than the accumulator"),
    ({"phi": Clip(-200, 3)}, Grid(4, 1, 3, F), "leaves the range"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_one_sentence(changes, grid, says):
    with pytest.raises(ProgramError, match=says) as caught:
        Program(name="r", input=grid, steps=(recurrent(**changes),))
    assert "\n" not in str(caught.value)
