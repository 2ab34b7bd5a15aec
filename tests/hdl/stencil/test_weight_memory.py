"""Two users of one memory: the bus writes and reads its own region alone, the pipeline reads the rest of the time."""

from __future__ import annotations

import pytest

from npde_hdl.config import READ_LATENCY
from npde_hdl.stencil.weight_memory import WeightMemory
from npde_sim.bench import Case, Mismatch, Rack, simulate

MEMORIES = {"first": (0, 20, 24), "second": (1, 7, 11), "third": (5, 33, 1)}
BUS = 24


def pins(bench, name):
    members = ("select", "region", "address", "write", "write_data", "read_data")
    own = {m: getattr(bench.dut, f"{name}__{m}") for m in ("address", "enable", "word")}
    return {m: getattr(bench.dut, f"{name}__config__{m}") for m in members}, own


async def two_users(bench):
    """The bus is broadcast, as in the pipeline: each memory answers for its region, with zeros for every other."""
    contents = {name: [bench.dice.getrandbits(width) for _ in range(depth)] for name, (_, depth, width) in MEMORIES.items()}
    buses = {name: pins(bench, name)[0] for name in MEMORIES}

    def broadcast(**signals):
        for bus in buses.values():
            for member, value in signals.items():
                bus[member].value = value

    for name, (region, depth, _) in MEMORIES.items():
        for address in range(depth):
            broadcast(select=1, write=1, region=region, address=address, write_data=contents[name][address])
            await bench.cycle()
    broadcast(write=0)
    for name, (region, depth, _) in MEMORIES.items():
        for address in bench.dice.sample(range(depth), min(depth, 6)):
            broadcast(region=region, address=address)
            await bench.cycle(READ_LATENCY + 1)
            for other, bus in buses.items():
                wanted = contents[name][address] if other == name else 0
                check(f"{other} over the bus, region {region}, word {address}", wanted, int(bus["read_data"].value))
    broadcast(select=0)
    held = dict.fromkeys(MEMORIES)
    for _ in range(300):
        after = {}
        for name, (_, depth, _) in MEMORIES.items():
            own = pins(bench, name)[1]
            enable, address = bench.dice.random() < 0.6, bench.dice.randrange(depth)
            own["address"].value, own["enable"].value = address, int(enable)
            after[name] = address if enable else held[name]
        await bench.cycle()
        for name, address in held.items():
            if address is not None:
                check(f"{name} to the pipeline, word {address}", contents[name][address], int(pins(bench, name)[1]["word"].value))
        held = after


def check(what, expected, came):
    if came != expected:
        raise Mismatch(f"{what}: {expected:#x} expected, {came:#x} came")


def test_bus_and_pipeline_share_a_memory():
    rack = Rack({name: WeightMemory(*shape, "generic", BUS) for name, shape in MEMORIES.items()})
    simulate(rack, two_users, cases=[Case(seed) for seed in range(3)])


def test_a_word_wider_than_the_bus_is_refused():
    with pytest.raises(ValueError, match="words of 30 bits do not fit a configuration bus of 24"):
        WeightMemory(0, 4, 30, "generic", 24)
