"""Memories, plain and in SB_SPRAM256KA blocks (Yosys' own model of the cell), against a dictionary."""

from __future__ import annotations

import pytest

from npde_hdl.primitive.spram import SinglePortMemory
from npde_sim.bench import Case, Mismatch, Rack, simulate
from npde_sim.bench.cells import ice40

SHAPES = {"narrow": (300, 5), "two_columns": (1000, 21), "two_banks": (20000, 18), "one_word": (1, 16)}
KINDS = ("generic", "block", "spram")


async def accesses(bench, kind):
    """Random reads and writes, dense in a few words of every bank; what was never written is not looked at."""
    written = {name: {} for name in SHAPES}
    expected = dict.fromkeys(SHAPES)
    few = {name: [bench.dice.randrange(depth) for _ in range(12)] + [0, depth - 1] for name, (depth, _) in SHAPES.items()}
    for _ in range(2500):
        after = {}
        for name, (_, width) in SHAPES.items():
            pin = {m: getattr(bench.dut, f"{name}__{m}") for m in ("address", "enable", "write", "write_data")}
            enable = bench.pace == "all-out" or bench.dice.random() < 0.7
            write, address, word = bench.dice.random() < 0.4, bench.dice.choice(few[name]), bench.dice.getrandbits(width)
            pin["address"].value, pin["enable"].value = address, int(enable)
            pin["write"].value, pin["write_data"].value = int(write), word
            after[name] = expected[name]
            if enable and write:
                written[name][address] = word
                after[name] = None  # undefined after a write
            elif enable:
                known = written[name].get(address)
                after[name] = None if known is None else (address, known)
        await bench.cycle()
        for name in SHAPES:
            if expected[name] is not None:
                address, wanted = expected[name]
                came = int(getattr(bench.dut, f"{name}__read_data").value)
                if came != wanted:
                    raise Mismatch(f"{kind} {name}: word {address}: {wanted} expected, {came} came")
        expected = after
    return {name: len(words) for name, words in written.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_gives_back_what_was_written_and_holds_it_while_not_enabled(kind):
    rack = Rack({name: SinglePortMemory(depth, width, kind) for name, (depth, width) in SHAPES.items()})
    sources = [ice40("SB_SPRAM256KA")] if kind == "spram" else []
    for words in simulate(rack, accesses, cases=[Case(1, "all-out"), Case(2), Case(3)], sources=sources, kind=kind):
        assert words["two_banks"] >= 10


def test_shapes_and_kinds_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="'flash' is not a kind of memory"):
        SinglePortMemory(4, 4, "flash")
    with pytest.raises(ValueError, match="0 words of 4 bits"):
        SinglePortMemory(0, 4)
