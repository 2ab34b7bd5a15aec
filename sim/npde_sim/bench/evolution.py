"""Small evolutions by name, and how a bench loads one and knows what must come out."""

from __future__ import annotations

import numpy as np

from npde import golden
from npde.link.evolve_packing import packings
from npde.model import Weights
from npde.program import CENTRE, CROSS, MOORE, Evolve, Form, Grid, Product, Q, Term, Update
from npde_hdl.evolve.cascade import Regions
from npde_sim.bench import draw
from npde_sim.bench.bench import Bench
from npde_sim.bench.scoreboard import Mismatch

NEIGHBOURS = tuple(tap for tap in CROSS if tap != CENTRE)
FAR = tuple((dy, dx) for dy in (-2, 0, 2) for dx in (-2, 0, 1))


def form(channel, taps=(CENTRE,), weights=None, shift=0):
    return Form(channel=channel, taps=tuple(taps), weights=tuple(weights or (1,) * len(taps)), shift=shift)


def gray_scott(boundary="periodic", times=5):
    """u and v of 16 bits, u·v² in two products."""
    wide = Q(18, 16)
    update = Update(
        forms=(form(0, NEIGHBOURS), form(0), form(1, NEIGHBOURS), form(1)),
        products=(Product(left=3, right=3, out=wide), Product(left=4, right=1, out=wide)),
        terms=tuple(Term(channel=c, coefficient=k, value=v) for c, k, v in
                    ((0, 0, 0), (0, 1, 1), (0, 4, 5), (1, 2, 2), (1, 3, 3), (1, 5, 5))),
        biased=(0,), boundary=boundary,
    )  # fmt: skip
    return Evolve(body=(update,), times=times, coefficients=6, weight=wide, bias=Q(18, 17))


def leapfrog(boundary="periodic", times=4, planes=False):
    """Re by Im, then Im by the new Re, each with the potential of its cell (Visscher)."""
    updates = tuple(
        Update(
            forms=(form(1 - real, NEIGHBOURS), form(1 - real), form(2)),
            products=(Product(left=1, right=2, out=Q(16, 13)),),
            terms=(Term(channel=real, coefficient=0 + 3 * real, value=0), Term(channel=real, coefficient=1 + 3 * real, value=1),
                   Term(channel=real, coefficient=2 + 3 * real, value=3)),
            boundary=boundary,
        )
        for real in (0, 1)
    )  # fmt: skip
    return Evolve(body=updates, times=times, coefficients=6, weight=Q(16, 14), bias=Q(16, 10), maps=1, map=Q(12, 9), planes=planes)


def linear(taps, weights=None, boundary="periodic", times=3, shift=0, skip=True, biased=(0,)):
    """One channel, one form, one coefficient."""
    update = Update(forms=(form(0, taps, weights, shift),), terms=(Term(channel=0, coefficient=0, value=0),),
                    biased=biased, boundary=boundary, skip=skip)  # fmt: skip
    return Evolve(body=(update,), times=times, coefficients=1, weight=Q(10, 8), bias=Q(12, 8))


FIELD = Q(10, 7)
EVOLUTIONS = {
    "gray-scott": (gray_scott(), Grid(6, 7, 2, Q(16, 14))),
    "gray-scott, dirichlet": (gray_scott("dirichlet", 3), Grid(5, 4, 2, Q(16, 14))),
    "leapfrog": (leapfrog(), Grid(7, 5, 2, Q(16, 13))),
    "leapfrog, planes": (leapfrog("dirichlet", 5, True), Grid(4, 6, 2, Q(16, 13))),
    "far": (linear(FAR, (1, -2, 3, 5, -7, 20, 1, 1, -1), shift=2), Grid(6, 5, 1, FIELD)),
    "moore, neumann": (linear(MOORE, (1, 4, 1, 4, -20, 4, 1, 4, 1), "neumann"), Grid(4, 5, 1, Q(8, 7))),
    "line": (linear(((0, -1), (0, 0), (0, 1)), (1, -2, 1)), Grid(1, 9, 1, FIELD)),
    "line, far, dirichlet": (linear(((0, -2), (0, 2)), boundary="dirichlet"), Grid(1, 7, 1, FIELD)),
    "column": (linear(((-1, 0), (1, 0)), (1, -1)), Grid(6, 1, 1, FIELD)),
    "cell": (linear((CENTRE,), (-1,), skip=False), Grid(1, 1, 1, FIELD)),
    "two by two": (linear(NEIGHBOURS), Grid(2, 2, 1, FIELD)),
    "three, reach two": (linear(((-2, 0), (0, 2), (1, 0))), Grid(3, 3, 1, FIELD)),
    "narrow": (linear(NEIGHBOURS, boundary="neumann"), Grid(5, 2, 1, FIELD)),
    "late": (linear(((-2, -2), (2, 2)), boundary="neumann"), Grid(3, 4, 1, FIELD)),
}


def regions_of(evolve: Evolve, grid: Grid, copies: int, first: int = 0) -> Regions:
    """Consecutive regions for one evolution."""
    count = len(list(packings(evolve, grid, copies)))
    return Regions(first, tuple(range(first + 1, first + count)))


def weights_of(evolve: Evolve, grid: Grid, rng: np.random.Generator) -> Weights:
    """Random weights and maps over their whole range."""
    maps = None
    if evolve.maps:
        shape = (evolve.times if evolve.planes else 1, grid.height, grid.width, evolve.maps)
        maps = draw.integers(rng, evolve.map, shape)
    return Weights(draw.integers(rng, evolve.weight, (evolve.coefficients, 1, 1)), draw.integers(rng, evolve.bias, (evolve.biases,)), maps)


async def configure(bench: Bench, prefix: str, evolve: Evolve, grid: Grid, copies: int, weights: Weights) -> None:
    """Write every region of one evolution over the bus at ``prefix``, and read every word back."""
    bus = {member: getattr(bench.dut, f"{prefix}__{member}") for member in ("select", "region", "address", "write", "write_data", "read_data")}
    bus["select"].value = 1
    for region, (_, packing) in enumerate(packings(evolve, grid, copies)):
        packed, size = packing.pack(weights), -(-packing.width // 8)
        words = [int.from_bytes(packed[at : at + size], "little") for at in range(0, len(packed), size)]
        bus["region"].value, bus["write"].value = region, 1
        for address, word in enumerate(words):
            bus["address"].value, bus["write_data"].value = address, word
            await bench.cycle()
        bus["write"].value = 0
        for address, word in enumerate(words):
            bus["address"].value = address
            await bench.cycle(3)
            if (back := int(bus["read_data"].value)) != word:
                raise Mismatch(f"{prefix}: region {region}, word {address}: {word:#x} expected, {back:#x} came")
    bus["select"].value = 0


def evolved(evolve: Evolve, grid: Grid, weights: Weights, fields: np.ndarray) -> np.ndarray:
    """Golden's field after all time steps."""
    return list(golden.evolution.advance(evolve, grid, weights, fields))[-1]
