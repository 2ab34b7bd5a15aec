"""A queue gives what it took, in order, whoever stalls, and takes its whole depth with nobody at the other end."""

from __future__ import annotations

import pytest
from amaranth.hdl import signed
from amaranth.lib import data

from npde_hdl.readout.queue import Queue
from npde_sim.bench import Case, Expectation, Mismatch, Rack, simulate
from npde_sim.bench.lanes import Lanes
from npde_sim.bench.pace import Pace
from npde_sim.bench.scoreboard import compare

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
    """Fill it with nobody at the other end, then empty it, twice: its addresses have gone round, and it was full."""
    members = [f"{end}__{member}" for end in "io" for member in ("valid", "ready", "payload")]
    pin = {member: getattr(bench.dut, f"{name}__{member}") for member in members}
    moves = Pace(bench.pace, bench.dice.getrandbits(32)).moves
    for _ in range(2):
        taken, came = [], []
        pin["o__ready"].value = 0
        for _ in range(4 * depth + 8):
            word, valid = bench.dice.getrandbits(15), moves()
            pin["i__payload"].value, pin["i__valid"].value = word, int(valid)
            await bench.cycle()
            if valid and int(pin["i__ready"].value):
                taken.append(word)
        pin["i__valid"].value = 0
        for _ in range(5 * depth + 8):
            ready = moves()
            pin["o__ready"].value = int(ready)
            await bench.cycle()
            if ready and int(pin["o__valid"].value):
                came.append(int(pin["o__payload"].value))
        if len(taken) < depth:
            raise Mismatch(f"{name}: {len(taken)} words taken, {depth} promised")
        compare(f"{name}, emptied", taken, came, ["word"])


def rack():
    return Rack({name: Queue(WORD, depth) for name, depth in DEPTHS.items()})


def test_words_come_out_in_order_whoever_stalls():
    simulate(rack(), passes, cases=[Case(1, "all-out"), Case(2), Case(3, "bursts"), Case(4, "slow")], names=list(DEPTHS))


@pytest.mark.parametrize("name", DEPTHS)
def test_it_takes_its_depth_while_nobody_takes_from_it_and_gives_all_of_it(name):
    simulate(rack(), fills, cases=[Case(1, "all-out"), Case(2)], name=name, depth=DEPTHS[name])
