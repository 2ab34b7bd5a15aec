"""Between foldings: the same values in the same order, whatever the ratio."""

from __future__ import annotations

from itertools import pairwise

import pytest

from npde_hdl.readout.refold import Refold
from npde_sim.bench import Case, Expectation, Rack, simulate
from npde_sim.bench.lanes import Lanes

RATIOS = [(1, 4), (4, 1), (2, 6), (6, 2), (3, 2), (2, 3), (4, 6), (5, 1), (3, 3)]
BITS = 7


def name(ratio):
    return f"from{ratio[0]}to{ratio[1]}"


async def refolds(bench, ratios):
    """Every ratio at once; a word count both sides divide."""
    for ratio in ratios:
        lanes_in, lanes_out = (Lanes(BITS, lanes) for lanes in ratio)
        values = bench.rng.integers(-64, 64, size=40 * ratio[0] * ratio[1])
        bench.feed(f"{name(ratio)}__i", lanes_in.words(values))
        bench.sink(f"{name(ratio)}__o", lanes_out, Expectation(name(ratio), values))
    await bench.settle(patience=400)


def test_every_ratio_keeps_the_values_in_order():
    rack = Rack({name(ratio): Refold(BITS, *ratio) for ratio in RATIOS})
    simulate(rack, refolds, cases=[Case(1, "all-out"), Case(2), Case(3, "bursts"), Case(4, "slow")], ratios=RATIOS)


async def full_rate(bench, ratios):
    """The interval between words on the narrow side, once running."""
    gaps = {}
    for lanes_in, lanes_out in ratios:
        values = bench.rng.integers(-64, 64, size=40 * lanes_in * lanes_out)
        expectation = Expectation("values", values)
        source = bench.feed(f"{name((lanes_in, lanes_out))}__i", Lanes(BITS, lanes_in).words(values))
        sink = bench.sink(f"{name((lanes_in, lanes_out))}__o", Lanes(BITS, lanes_out), expectation)
        gaps[lanes_in, lanes_out] = (source, sink)
    await bench.settle(patience=400)
    return {
        ratio: (sink.came_at if ratio[0] >= ratio[1] else source.sent_at) for ratio, (source, sink) in gaps.items()
    }


def test_where_one_side_divides_the_other_the_narrow_one_never_waits():
    ratios = [(1, 4), (4, 1), (2, 6), (6, 2), (5, 1)]
    rack = Rack({name(ratio): Refold(BITS, *ratio) for ratio in ratios})
    (moves,) = simulate(rack, full_rate, cases=[Case(1, "all-out")], ratios=ratios)
    for ratio, cycles in moves.items():
        steps = {after - before for before, after in pairwise(cycles)}
        assert steps == {1}, f"{ratio}: the narrow side moves in steps of {sorted(steps)} cycles"


def test_no_lanes_are_refused():
    with pytest.raises(ValueError, match="cannot refold 0 to 4 lanes"):
        Refold(8, 0, 4)
