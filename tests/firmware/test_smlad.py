"""The Cortex-M4's own multiplications against golden, where they have tails: odd numbers of outputs, of channels, of taps."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from npde import golden
from npde.firmware.launch import RunningFirmware, build
from npde.fixed import Q
from npde.link.board import Board
from npde.model import Model, Weights
from npde.program import CROSS, MOORE, Dense, Grid, Program, Stencil

pytestmark = pytest.mark.skipif(
    not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")),
    reason="needs gcc-arm-none-eabi, picolibc-arm-none-eabi and qemu-system-arm, Debian's packages",
)


def odd_model(weight: Q, field: Q) -> Model:
    bias = Q(12, weight.frac + field.frac - 4)
    steps = tuple(
        Stencil(out_channels=outputs, taps=taps, weight=weight, bias=bias, out=field)
        for outputs, taps in ((3, CROSS), (5, MOORE), (1, ((0, 0), (1, 1))), (7, MOORE))
    )
    program = Program(name="odd", input=Grid(5, 6, 1, field), steps=(*steps, Dense(out_channels=3, weight=weight, bias=bias, out=field)))
    rng = np.random.default_rng(1)
    weights = {
        index: Weights(**{part: rng.choice([q.low, q.high, 1, -3, 5], shape) for part, (shape, q) in parts.items()})
        for index, parts in program.tensors().items()
    }
    return Model(program, weights)


@pytest.mark.parametrize("field", [Q(8, 6), Q(12, 6)])
@pytest.mark.parametrize("weight", [Q(5, 7), Q(8, 9), Q(10, 10)])
def test_outputs_channels_and_taps_of_odd_number_are_golden(weight, field):
    model = odd_model(weight, field)
    assert all(stencil.accumulator_width(grid) <= 32 for _, stencil, grid in model.program.weighted()), "else SMLAD is not used"
    integers = np.random.default_rng(2).choice([field.low, field.high, 7, -9], (6, *model.program.input.shape))
    with RunningFirmware(model, "mps2-an386") as firmware, Board.open(firmware.port) as board:
        board.load(model)
        answer = board.infer(field.real(integers))
    wanted = golden.run(model, integers)
    assert len(np.unique(wanted.output)) > 3, "an answer that is saturated everywhere would compare nothing"
    assert np.array_equal(answer.output, wanted.output)


def test_smlad_is_what_was_compiled():
    model = odd_model(Q(8, 9), Q(8, 6))
    plain, tuned = (build(model, "mps2-an386", more=more).read_bytes() for more in ("-DNPDE_PLAIN", ""))
    assert plain != tuned
