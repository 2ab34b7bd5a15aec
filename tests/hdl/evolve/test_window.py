"""The window alone: every boundary and reach, lines, columns and tiny grids, whatever comes behind a frame."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npde.golden.contract import PAD
from npde.program import Form, Grid, Q, Term, Update
from npde_hdl.evolve.note import Note
from npde_hdl.evolve.streamed import Streamed
from npde_hdl.evolve.window import Window
from npde_sim.bench import Case, Expectation, Rack, draw, simulate
from npde_sim.bench.lanes import Lanes

Q8 = Q(8, 0)
CROSS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
CORNERS = ((-1, -1), (1, 1), (1, -1), (-1, 1))
FAR = ((-2, 0), (2, 1), (0, 2), (1, -2))
SHAPES = {
    "square": (5, 6, CROSS), "corners": (4, 4, CORNERS), "far": (5, 7, FAR), "far, tight": (3, 3, FAR), "line": (1, 8, ((0, -2), (0, 1))),
    "column": (7, 1, ((-1, 0), (2, 0))), "two": (2, 2, CORNERS), "two rows": (2, 5, CROSS), "cell": (1, 1, ((0, 0),)), "wide": (3, 12, CROSS),
    "one-sided": (4, 5, ((0, 1), (1, 0))), "two columns": (4, 2, ((0, 1), (-1, -1))),
}  # fmt: skip


class Taps(wiring.Component):
    """A window whose taps are the output, in the order of the form."""

    def __init__(self, taps, grid, boundary, far=False):
        form = Form(channel=0, taps=taps, weights=(1,) * len(taps))
        self.taps = taps
        update = Update(forms=(form,), terms=(Term(channel=0, coefficient=0, value=0),), boundary=boundary)
        self.window = Window(update, grid, 8, 1, far)
        self.delay = self.window.delay
        super().__init__(
            {"ce": In(1), "cell": In(8), "first": In(1), "note": In(Note(1)), "o": Out(8 * len(taps)), "o_first": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.window = window = self.window
        m.d.comb += [
            window.ce.eq(self.ce), window.cell.eq(self.cell), window.first.eq(self.first), window.note.eq(self.note),
            self.o.eq(Cat(window.tap(tap) for tap in self.taps)), self.o_first.eq(window.o_first),
        ]  # fmt: skip
        return m


def port(name):
    return name.translate(str.maketrans(" ,-", "___"))


def neighbours(fields, taps, boundary):
    """(frame, y, x, tap): what numpy's padding puts there."""
    _, height, width = fields.shape
    rows, cols = min(2, height - 1), min(2, width - 1)
    padded = np.pad(fields, ((0, 0), (rows, rows), (cols, cols)), mode=PAD[boundary])
    return np.stack([padded[:, rows + dy : rows + dy + height, cols + dx : cols + dx + width] for dy, dx in taps], axis=-1)


async def windows(bench, boundary, rolls):
    for name, (height, width, taps) in SHAPES.items():
        fields = draw.integers(bench.rng, Q8, (4, height, width))
        wanted = np.roll(neighbours(fields, taps, boundary), [-roll for roll in rolls[name]], axis=(1, 2))
        bench.feed(f"{port(name)}__i", Lanes(8).words(fields.ravel()))
        bench.sink(f"{port(name)}__o", Lanes(8, len(taps)), Expectation(f"{name}, {boundary}, rolled by {rolls[name]}", wanted))
    await bench.settle(patience=2000)


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("boundary", ["periodic", "dirichlet", "neumann"])
def test_every_tap_is_there_at_once(boundary, far):
    components, rolls = {}, {}
    for name, (height, width, taps) in SHAPES.items():
        core = Taps(taps, Grid(height, width, 1, Q8), boundary, far)
        components[port(name)] = Streamed(core, height * width, whole_frames=boundary == "periodic")
        rolls[name] = core.window.roll
    cases = [Case(1, "all-out"), Case(2), Case(3, "bursts"), Case(4, "slow")]
    simulate(Rack(components), windows, cases=cases, boundary=boundary, rolls=rolls)


@pytest.mark.parametrize(("shape", "rows"), [((5, 6, CROSS), 2), ((6, 8, FAR), 4), ((1, 8, ((0, 1),)), 0)])
def test_no_more_rows_are_held_than_the_reach_asks_for(shape, rows):
    height, width, taps = shape
    for boundary, times in (("neumann", 1), ("periodic", 2)):
        window = Taps(taps, Grid(height, width, 1, Q8), boundary).window
        held = window.vertical.late // width if boundary == "periodic" else 2 * window.vertical.reach
        assert held == rows, times
