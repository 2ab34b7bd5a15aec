"""The paper's classical networks as neural PDEs: the MLP (its Figure 4) and the RNN (its Figure 5).

Guo, Huang and Xu 2021: a kernel as large as the grid is a full connection, several channels of it a layer; one time
step repeated with the input as its source is a recurrent network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from npde.fixed import Q
from npde.program import Clip, Dense, Grid, Phi, Program, Recurrent, Relu, Step, Table
from npde.training.errors import TrainingError
from npde.training.formats import ANSWER_BITS, INPUT_BITS, biased, ranged

Reaction = Literal["relu", "clip", "tanh"]
TABLE_BITS = 8


class Perceptron(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="perceptron"):
    """Full-size kernels: ``hidden`` layers of that many values with φ, then the answers.

    Weights span ±2**``weight_range`` (one exponent for all layers), hidden fields ±2**``field_range``.
    """

    hidden: tuple[int, ...]
    weight_bits: int = 8
    field_bits: int = 8
    weight_range: int = 0
    field_range: int = 0
    answer_range: int = 5
    phi: Reaction = "relu"

    def program(self, shape: tuple[int, int, int], classes: int, name: str) -> Program:
        """The program for samples of ``shape`` (height, width, channels) in Q(8,7)."""
        start = grid = Grid(*shape, Q(INPUT_BITS, INPUT_BITS - 1))
        weight = ranged(self.weight_bits, self.weight_range)
        steps: list[Step] = []
        for channels in self.hidden:
            out = ranged(self.field_bits, self.field_range)
            step = Dense(
                out_channels=channels, weight=weight, bias=biased(3, weight.frac + grid.q.frac), out=out, phi=reaction(self.phi, out)
            )
            grid = step.grid_after(grid, f"step {len(steps)}")
            steps.append(step)
        steps.append(_answers(classes, weight, grid, self.answer_range))
        return Program(name=name, input=start, steps=tuple(steps), argmax=True)

    def start(self, program: Program, seed: int) -> Mapping[str, NDArray[np.float32]]:
        """Nothing but the common start."""
        return {}

    def frozen(self) -> frozenset[str]:
        """Nothing."""
        return frozenset()


class Recurrence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="recurrence"):
    """A state of ``hidden`` values that takes in one row of the sample each time step, then the answers."""

    hidden: int
    weight_bits: int = 8
    field_bits: int = 8
    weight_range: int = 0
    answer_range: int = 5
    phi: Reaction = "clip"

    def __post_init__(self) -> None:
        if self.field_bits != INPUT_BITS:
            raise TrainingError(f"a recurrent state has the input's {INPUT_BITS} bits, not {self.field_bits}")

    def program(self, shape: tuple[int, int, int], classes: int, name: str) -> Program:
        """The program for samples of ``shape`` (time steps, width, channels) in Q(8,7)."""
        grid = Grid(*shape, Q(INPUT_BITS, INPUT_BITS - 1))
        weight = ranged(self.weight_bits, self.weight_range)
        step = Recurrent(
            out_channels=self.hidden, weight=weight, bias=biased(3, weight.frac + grid.q.frac), out=grid.q, phi=reaction(self.phi, grid.q)
        )
        state = step.grid_after(grid, "step 0")
        return Program(name=name, input=grid, steps=(step, _answers(classes, weight, state, self.answer_range)), argmax=True)

    def start(self, program: Program, seed: int) -> Mapping[str, NDArray[np.float32]]:
        """An orthogonal map from state to state (Saxe et al. 2014), so that early rows are not forgotten at once."""
        rng = np.random.default_rng(seed)
        sources = program.kernel_shapes()[0][1] - self.hidden
        turn, _ = np.linalg.qr(rng.normal(size=(self.hidden, self.hidden)))
        seen = rng.normal(size=(self.hidden, sources)) / np.sqrt(self.hidden + sources)
        return {"0.kernel": np.concatenate([seen, turn], axis=1)[:, :, None].astype(np.float32)}

    def frozen(self) -> frozenset[str]:
        """Nothing."""
        return frozenset()


def reaction(phi: Reaction, out: Q) -> Phi:
    """The φ of that name on fields of ``out``: a clip is the piecewise linear tanh, a table the true one."""
    match phi:
        case "relu":
            return Relu()
        case "clip":
            return Clip(-out.high, out.high)
        case "tanh":
            index = ranged(TABLE_BITS, 2)
            values = np.tanh(index.real(np.arange(index.low, index.high + 1)))
            return Table(index, tuple(int(value) for value in out.quantise(values)))


def _answers(classes: int, weight: Q, grid: Grid, answer_range: int) -> Dense:
    finest = weight.frac + grid.q.frac
    answer = Q(ANSWER_BITS, min(ranged(ANSWER_BITS, answer_range).frac, finest))
    return Dense(out_channels=classes, weight=weight, bias=biased(answer_range, finest), out=answer)
