"""A queue gives what it took, in order, whoever stalls, and takes its whole depth with nobody at the other end."""

from __future__ import annotations

import pytest
from amaranth.hdl import signed
from amaranth.lib import data

from npde_hdl.readout.queue import Queue
from npde_sim.bench import Case, Expectation, Mismatch, Rack, simulate
from npde_sim.bench.lanes import Lanes

WORD = data.ArrayLayout(signed(5), 3)
DEPTHS = {"shallow": 2, "odd": 7, "deep": 40}


async def passes(bench, names):
    lanes = Lanes(5, 3)
    for name in names:
        values = bench.rng.integers(-16, 16, 3 * 60)
        bench.feed(f"{name}__i", lanes.words(values))
        bench.sink(f"{name}__o", lanes, Expectation(name, values, ["value"]))
    await bench.settle(patience=2000)


async def fills(bench, name, depth):
    pin = {member: getattr(bench.dut, f"{name}__{member}") for member in ("i__valid", "i__ready", "o__ready")}
    pin["i__valid"].value, pin["o__ready"].value = 1, 0
    taken = 0
    for _ in range(depth + 8):
        await bench.cycle()
        taken += int(pin["i__ready"].value)
    if taken < depth:
        raise Mismatch(f"{name}: {taken} words taken, {depth} promised")


def rack():
    return Rack({name: Queue(WORD, depth) for name, depth in DEPTHS.items()})


def test_words_come_out_in_order_whoever_stalls():
    simulate(rack(), passes, cases=[Case(1, "all-out"), Case(2), Case(3, "bursts"), Case(4, "slow")], names=list(DEPTHS))


@pytest.mark.parametrize("name", DEPTHS)
def test_it_takes_its_depth_while_nobody_takes_from_it(name):
    simulate(rack(), fills, cases=[Case(1, "all-out")], name=name, depth=DEPTHS[name])
