"""How coefficients, biases and maps travel, and fields with their headers."""

from __future__ import annotations

import numpy as np
import pytest

from npde.fixed import Q
from npde.link.evolve_packing import CoefficientPacking, MapPacking, packings
from npde.link.field import MOST_STEPS, header, steps_in_turn, wire_of
from npde.model import Weights
from npde.program import CENTRE, Evolve, Form, Grid, Term, Update

GRID = Grid(2, 3, 1, Q(10, 7))


def evolve(times=5, maps=2, planes=True):
    forms = (Form(channel=0, taps=(CENTRE,), weights=(1,)), *(Form(channel=1 + n, taps=(CENTRE,), weights=(1,)) for n in range(maps)))
    update = Update(forms=forms, terms=tuple(Term(channel=0, coefficient=n, value=n) for n in range(len(forms))), biased=(0,))
    return Evolve(body=(update,), times=times, coefficients=len(forms), weight=Q(12, 8), bias=Q(18, 8), maps=maps, map=Q(5, 2), planes=planes)


def test_coefficients_come_before_biases_each_in_its_own_bits():
    packing = CoefficientPacking(evolve(maps=1))
    packed = packing.pack(Weights(np.array([-1, 5]).reshape(-1, 1, 1), np.array([-2])))
    assert (packing.depth, packing.width) == (3, 18)
    assert packed == bytes([0xFF, 0x0F, 0, 5, 0, 0, 0xFE, 0xFF, 0x03])


def test_a_copy_has_the_planes_of_its_own_time_steps():
    maps = np.random.default_rng(0).integers(-16, 16, (5, 2, 3, 2))
    weights = Weights(np.zeros((3, 1, 1), int), np.zeros(1, int), maps)
    regions = dict(packings(evolve(), GRID, 2))
    assert sorted(regions) == [0, 1, 2]
    for copy in range(2):
        packing = regions[1 + copy]
        assert isinstance(packing, MapPacking)
        assert (packing.depth, packing.width) == (3 * 6, 10)
        words = np.frombuffer(packing.pack(weights), "<u2").reshape(3, 6)
        for plane in range(3):
            wanted = np.zeros((6, 2), int) if copy + 2 * plane >= 5 else maps[copy + 2 * plane].reshape(6, 2)
            assert (words[plane] == (wanted[:, 0] & 31) | ((wanted[:, 1] & 31) << 5)).all()


def test_one_set_of_maps_is_one_region_whatever_the_copies():
    assert [number for number, _ in packings(evolve(planes=False), GRID, 7)] == [0, 1]


def test_a_field_travels_value_by_value():
    assert wire_of(np.array([[[[1, -2]]]]), Q(12, 4)) == [bytes([1, 0, 0xFE, 0xFF])]
    assert wire_of(np.zeros((0, 1, 1, 2), int), Q(12, 4)) == []


def test_a_header_is_flags_and_time_steps():
    assert header(3, 0x01020304) == bytes([3, 4, 3, 2, 1])


@pytest.mark.parametrize("times", [0, 1, MOST_STEPS, MOST_STEPS + 1])
def test_every_number_of_time_steps_is_run_in_turns(times):
    turns = list(steps_in_turn(times))
    assert sum(turns) == times
    assert all(turn <= MOST_STEPS for turn in turns)
    assert turns
