"""Skip, rescale, φ, saturate: golden's integers for every φ, and a kit that catches what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from npde import golden
from npde.program import CENTRE, Clip, Grid, Identity, Q, Relu, Stencil, Table
from npde_hdl.stencil import reaction as gateware
from npde_hdl.stencil.reaction import Reaction
from npde_sim.bench import Case, Expectation, Mismatch, Rack, simulate
from npde_sim.bench.lanes import Lanes

OUT, IN = Q(8, 5), Q(8, 6)
ENTRIES = tuple(int(v) for v in OUT.quantise(np.sin(Q(6, 3).real(np.arange(-32, 32)))))
REACTIONS = {
    "identity": (Identity(), OUT, False, 4, 1),
    "identity_skip": (Identity(), OUT, True, 4, 2),
    "relu": (Relu(), OUT, False, 3, 3),
    "symmetric_clip": (Clip(-127, 127), OUT, True, 2, 1),
    "clip": (Clip(-100, 37), OUT, False, 6, 2),
    "negative_clip": (Clip(-90, -3), OUT, False, 1, 1),
    "table": (Table(Q(6, 3), ENTRIES), OUT, False, 4, 2),
    "table_skip": (Table(Q(6, 3), ENTRIES), OUT, True, 2, 2),
    "no_shift": (Identity(), Q(16, 12), False, 2, 1),
    "wide": (Relu(), Q(16, 7), True, 2, 2),
}
CELLS = 60


def stencil(name):
    phi, out, skip, pe, lanes = REACTIONS[name]
    step = Stencil(out_channels=pe, taps=(CENTRE,), weight=Q(8, 6), bias=Q(16, 12), out=out, phi=phi, skip=skip)
    return step, Grid(1, CELLS, pe, IN), pe, lanes


def accumulators(rng, step, grid, pe):
    """Accumulators of every magnitude, to the last that cannot overflow with skip and rounding; and centres."""
    width = step.accumulator_width(grid)
    spare = ((-IN.low << step.weight.frac) if step.skip else 0) + (1 << step.shift(grid) >> 1)
    most = (1 << (width - 1)) - 1 - spare
    size = (1, 1, CELLS, pe)
    sums = rng.integers(-most, most + 1, size=size) >> rng.integers(0, width, size=size)
    sums = np.where(rng.random(size) < 0.1, rng.choice([-most, most, 0, -1, 1], size=size), sums)
    return sums, rng.integers(IN.low, IN.high + 1, size=size)


async def reacts(bench, names):
    """Accumulators into each reaction whenever it is ready (and not always then), against golden."""
    for name in names:
        step, grid, pe, lanes = stencil(name)
        sums, centres = accumulators(bench.rng, step, grid, pe)
        wanted = golden.react(step, grid, sums + (centres << step.weight.frac if step.skip else 0))
        bench.start(load(bench, name, step, grid, sums, centres))
        bench.sink(f"{name}__values", Lanes(step.out.width, lanes), Expectation(name, wanted))
    await bench.settle(patience=2000)


async def load(bench, name, step, grid, sums, centres):
    pin = {member: getattr(bench.dut, f"{name}__{member}") for member in ("load", "ready", "sums", "centre")}
    wide, narrow = Lanes(step.accumulator_width(grid)), Lanes(IN.width)
    pin["load"].value = 0
    for cell in range(CELLS):
        while bench.pace != "all-out" and bench.dice.random() < 0.4:
            await bench.cycle()
        pin["load"].value = 1
        pin["sums"].value = Lanes(wide.bits, sums.shape[-1]).pack(sums[0, 0, cell])
        pin["centre"].value = Lanes(narrow.bits, sums.shape[-1]).pack(centres[0, 0, cell])
        await bench.cycle()
        while not int(pin["ready"].value):
            await bench.cycle()
        pin["load"].value = 0


def rack(names):
    steps = {name: stencil(name) for name in names}
    return Rack({name: Reaction(step, grid, pe, lanes) for name, (step, grid, pe, lanes) in steps.items()})


def test_every_reaction_is_goldens():
    cases = [Case(seed, pace) for seed in range(3) for pace in ("all-out", "random", "bursts")]
    simulate(rack(REACTIONS), reacts, cases=cases, names=list(REACTIONS))


def test_a_wrong_rounding_is_caught_at_its_cell_and_leaves_a_waveform(monkeypatch):
    """The kit's own test: a reaction that rounds down must not pass."""
    monkeypatch.setattr(gateware, "rescaled", lambda acc, shift: acc >> shift)
    with pytest.raises(Mismatch) as caught:
        simulate(rack(["clip"]), reacts, cases=[Case(5)], names=["clip"])
    message = str(caught.value)

    # Where it must first differ, worked out from golden and from the fault.
    step, grid, pe, _ = stencil("clip")
    sums, _ = accumulators(np.random.default_rng(5), step, grid, pe)
    wanted = golden.react(step, grid, sums)
    faulty = np.clip(sums >> step.shift(grid), step.phi.low, step.phi.high)
    frame, y, x, channel = (int(i) for i in np.argwhere(wanted != faulty)[0])
    expected, actual = wanted[frame, y, x, channel], faulty[frame, y, x, channel]
    assert f"clip: frame {frame}, cell ({y}, {x}), channel {channel}: {expected} expected, {actual} came" in message
    assert "seed 5, pace random" in message
    waveform = Path(message.rpartition("waveform: ")[2])
    assert waveform.stat().st_size > 1000
    assert waveform.read_text().startswith("$version")


def test_lanes_that_do_not_divide_are_refused():
    step, grid, _, _ = stencil("identity")
    with pytest.raises(ValueError, match="3 lanes do not divide 4 accumulators"):
        Reaction(step, grid, 4, 3)
