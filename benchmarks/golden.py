"""The golden model's speed on images like Fashion-MNIST, beside two other exact ways in the same run.

``python benchmarks/golden.py [FOLDER_OF_IDX_FILES] [COUNT]``: the test images of the folder, or random
ones of 28×28 cells; 10,000 by default. The other ways run on fewer images and are given as ratios a
frame: ``int64`` is the same vectorised code with numpy's own integer product in place of BLAS on
exactly representable floats, ``loops`` writes the contract out in Python integers, cell by cell.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from npde import golden
from npde.data import load_data
from npde.golden import steps
from npde.model import Model
from npde.models import load_model
from npde.program import Clip, Dense, Identity, Pool, Stencil

GOAL = 20.0
FEW = 256


def loops(model: Model, frame: list) -> list[int]:
    """One frame's outputs in plain Python; boundary neumann, φ identity or clip, as the shipped models have."""
    for index, (step, grid) in enumerate(zip(model.program.steps, model.program.grids(), strict=False)):
        if isinstance(step, Pool):
            tall, wide = step.tile(grid)
            shift = step.shift(grid)
            half = (1 << shift) >> 1
            frame = [
                [
                    [
                        min(max((sum(frame[y + a][x + b][c] for a in range(tall) for b in range(wide)) + half) >> shift, step.out.low), step.out.high)
                        for c in range(grid.channels)
                    ]
                    for x in range(0, grid.width - wide + 1, wide)
                ]
                for y in range(0, grid.height - tall + 1, tall)
            ]  # fmt: skip
            continue
        if isinstance(step, Dense):
            frame = [[[value for row in frame for cell in row for value in cell]]]
            step, grid = step.as_stencil(), Dense.flatten(grid)
        assert isinstance(step, Stencil)
        assert step.boundary == "neumann"
        assert isinstance(step.phi, Identity | Clip)
        kernel, bias = model.weights[index].kernel.tolist(), (model.weights[index].bias << step.bias_shift(grid)).tolist()
        low, high = (step.phi.low, step.phi.high) if isinstance(step.phi, Clip) else (step.out.low, step.out.high)
        shift = step.shift(grid)
        half = (1 << shift) >> 1
        for _ in range(step.repeat):
            after = []
            for y in range(0, grid.height, step.stride):
                after.append([])
                for x in range(0, grid.width, step.stride):
                    window = [
                        frame[min(max(y + dy, 0), grid.height - 1)][min(max(x + dx, 0), grid.width - 1)] for dy, dx in step.taps
                    ]
                    cell = []
                    for o in range(step.out_channels):
                        acc = bias[o] + (frame[y][x][o] << step.weight.frac if step.skip else 0)
                        for i, weights in enumerate(kernel[o]):
                            for tap, weight in enumerate(weights):
                                acc += weight * window[tap][i]
                        cell.append(min(max((acc + half) >> shift, low), high))
                    after[-1].append(cell)
            frame = after
    return frame[0][0]


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Seconds, and what came of it."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def integer_run(model: Model, fields: NDArray[np.int64]) -> golden.Answer:
    """Golden with every product numpy's int64 one."""
    exact = steps._exact_matmul
    steps._exact_matmul = lambda columns, matrix, q: columns @ matrix
    try:
        return golden.run(model, fields)
    finally:
        steps._exact_matmul = exact


def main(source: str = "", count: str = "10000") -> None:
    """Time, check and print."""
    model = load_model("fashion")
    number = int(count)
    if source:
        data = load_data(source)
        raw = data.test_x[:number]
    else:
        raw = np.random.default_rng(0).integers(0, 256, (number, *model.program.input.shape), np.uint8)
    fields = model.quantise_input(raw)
    seconds, answer = timed(lambda: golden.run(model, fields))
    each = seconds / len(fields)
    print(f"golden, {model.program.name}, {model.program.macs:,} multiply-accumulates a frame, {source or 'random images'}")
    print(f"{len(fields):,} frames in {seconds:.2f} s ({len(fields) / seconds:,.0f} a second; goal {GOAL:g} s for 10,000)")
    few = fields[:FEW]
    slower, exact = timed(lambda: integer_run(model, few))
    slowest, written_out = timed(lambda: loops(model, few[0].tolist()))
    assert np.array_equal(exact.output, answer.output[: len(few)]), "int64 products differ from golden"
    assert written_out == answer.output[0].ravel().tolist(), "the loops differ from golden"
    print(f"int64 products: {slower / len(few) / each:.1f} times as long a frame; loops: {slowest / each:,.0f} times; both equal")
    if source:
        print(f"accuracy {np.mean(answer.label == data.test_y[:number]):.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
