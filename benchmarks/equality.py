"""Six levels of one program, every output integer compared: golden, jax, the design, its gates, its bits, C.

``python benchmarks/equality.py [--frames N] [--programs N] [--boards BOARD …]`` prints a Markdown table. Golden is what each other
level is compared with: the quantised graph that training differentiates (jax), the design simulated (``virtual:``), the netlist
as placed and routed (``gates:``), the circuit decompiled from the bitstream (``bits:``, iCE40 alone), and the C firmware
(``firmware:posix``); all but jax over their serial line, by the host's own code. First the shipped digits on every test
sample, then programs drawn at random with random weights, on frames over the input's whole range. What is not built yet is
placed and routed first: minutes for each program and board. Exits with 1 where any integer differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npde import golden
from npde.data import load_data
from npde.errors import NpdeError
from npde.link.board import BAUD
from npde.model import Model
from npde.models import load_model
from npde.program import CROSS, MOORE, Clip, Dense, Grid, Pool, Program, Q, Relu, Stencil
from npde.training.evolution import outputs
from npde.training.parameters import reals
from npde_hdl import board as boards
from npde_sim.bench import draw
from npde_sim.verify import compare

RANDOM_FRAMES = 40


def main(frames: int, count: int, names: list[str], seed: int) -> int:
    """One row a level and program; how many levels differ from golden anywhere."""
    print("| program | level | frames | integers compared | that differ | seconds |")
    print("| --- " * 6 + "|")
    wrong = rows("digits", "digits", load_model("digits"), load_data("digits").test_x[:frames], names) if frames else 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            rng = np.random.default_rng([seed, number])
            model = draw.model(program(rng, number), rng)
            file = Path(folder) / f"{model.program.name}.npde"
            model.save(file)
            fields = draw.fields(model.program, rng, RANDOM_FRAMES)
            raw = (model.program.input.q.real(fields) - model.preprocess.offset) / model.preprocess.scale
            wrong += rows(model.program.name, str(file), model, raw, names[:1])
    return wrong


def rows(title: str, source: str, model: Model, samples: NDArray, names: list[str]) -> int:
    """One program at every level; how many of them differ."""
    wrong = 0
    for level, count, differing, said in levels(source, model, samples, names):
        wrong += bool(differing) or differing is None
        print(f"| {title} | {level} | {len(samples)} | {count:,} | {'–' if differing is None else differing} | {said} |", flush=True)
    return wrong


def levels(source: str, model: Model, samples: NDArray, names: list[str]) -> Iterator[tuple[str, int, int | None, str]]:
    """Each level's name, integers compared, how many differ (None: it could not be run), and seconds or why not."""
    fields = model.quantise_input(samples)
    wanted = golden.run(model, fields)
    began = time.monotonic()
    graph = outputs(model.program, reals(model), fields, quantised=True)
    yield "jax, quantised graph", wanted.output.size, int((graph != wanted.output).sum()), f"{time.monotonic() - began:.0f}"
    ports = [f"{kind}:{name}:{source}" for name in names for kind in kinds(name)] + [f"firmware:posix:{source}"]
    for port in ports:
        began = time.monotonic()
        shown = port.removesuffix(f":{source}")
        try:
            outcome = compare(port, BAUD, model, samples)
        except NpdeError as error:
            yield shown, 0, None, str(error)
            continue
        yield shown, outcome.values, outcome.mismatches, f"{time.monotonic() - began:.0f}"


def kinds(board: str) -> tuple[str, ...]:
    """The levels a board is simulated at."""
    return ("virtual", "gates", "bits") if boards.get(board).family == "ice40" else ("virtual", "gates")


def program(rng: np.random.Generator, number: int) -> Program:
    """A few steps with formats, taps and boundaries at random, small enough for a device without multipliers."""
    grid = Grid(int(rng.integers(3, 6)), int(rng.integers(3, 6)), int(rng.integers(1, 3)), Q(8, 7))
    steps, middle = [], Q(8, 6)
    for _ in range(rng.integers(1, 3)):
        weight = Q(int(rng.integers(3, 9)), int(rng.integers(2, 6)))
        steps.append(
            Stencil(
                out_channels=int(rng.integers(1, 4)), taps=(CROSS, MOORE)[rng.integers(2)], weight=weight, bias=Q(10, 6), out=middle,
                boundary=("periodic", "dirichlet", "neumann")[rng.integers(3)], phi=(Relu(), Clip(-90, 90))[rng.integers(2)],
            )
        )  # fmt: skip
    steps.append(Pool(kind=("sum", "max")[rng.integers(2)], size=2, out=Q(10, 6)))
    steps.append(Dense(out_channels=int(rng.integers(2, 6)), weight=Q(6, 4), bias=Q(12, 8), out=Q(16, 6)))
    return Program(name=f"random{number}", input=grid, steps=tuple(steps), argmax=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=445, help="test samples of digits, 0 for none of it")
    parser.add_argument("--programs", type=int, default=2, help="random programs, on the first board")
    parser.add_argument("--boards", nargs="+", default=["hx8k", "icebreaker"], choices=boards.BOARDS, metavar="BOARD")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.exit(min(1, main(given.frames, given.programs, given.boards, given.seed)))
