"""Golden's evolutions against loops over Python integers, written from the docstrings of ``npde.program.evolve``."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npde import golden
from npde.fixed import Q
from npde.model import Model, Weights
from npde.program import Evolve, Form, Grid, Product, Program, Term, Update

_spec = importlib.util.spec_from_file_location("evolutions", Path(__file__).parent / "evolutions.py")
evolutions = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(evolutions)
models = evolutions.models


def rounded(value: int, shift: int) -> int:
    return (value + (1 << (shift - 1))) >> shift if shift else value


def clamped(value: int, width: int) -> int:
    return max(-(1 << (width - 1)), min((1 << (width - 1)) - 1, value))


def place(index: int, cells: int, boundary: str) -> int | None:
    if 0 <= index < cells:
        return index
    return {"periodic": index % cells, "neumann": min(max(index, 0), cells - 1), "dirichlet": None}[boundary]


class Plain:
    """One frame as nested lists of Python integers; records the widest accumulator it meets."""

    def __init__(self, model: Model, frame: np.ndarray) -> None:
        self.evolve, self.grid, self.weights = model.program.steps[0], model.program.input, model.weights[0]
        self.u = frame.tolist()
        self.widest: dict[tuple[int, int], int] = {}

    def at(self, channel: int, y: int, x: int, time: int, boundary: str) -> int:
        row, column = place(y, self.grid.height, boundary), place(x, self.grid.width, boundary)
        if row is None or column is None:
            return 0
        if channel < self.grid.channels:
            return self.u[row][column][channel]
        return int(self.weights.maps[time if self.evolve.planes else 0, row, column, channel - self.grid.channels])

    def frac(self, channel: int) -> int:
        return self.grid.q.frac if channel < self.grid.channels else self.evolve.map.frac

    def update(self, number: int, time: int, biases: list[int]) -> None:
        step = self.evolve.body[number]
        after = [[list(cell) for cell in row] for row in self.u]
        for y in range(self.grid.height):
            for x in range(self.grid.width):
                values, fracs = [], []
                for form in step.forms:
                    total = sum(
                        w * self.at(form.channel, y + dy, x + dx, time, step.boundary)
                        for (dy, dx), w in zip(form.taps, form.weights, strict=True)
                    )
                    values.append(rounded(total, form.shift))
                    fracs.append(self.frac(form.channel) - form.shift)
                for product in step.products:
                    shift = fracs[product.left] + fracs[product.right] - product.out.frac
                    values.append(
                        clamped(rounded(values[product.left] * values[product.right], shift), product.out.width)
                    )
                    fracs.append(product.out.frac)
                frac = self.evolve.weight.frac + max(fracs[term.value] for term in step.terms)
                for channel in {term.channel for term in step.terms}:
                    acc = sum(
                        int(self.weights.kernel[t.coefficient, 0, 0]) * values[t.value] << (frac - self.evolve.weight.frac - fracs[t.value])
                        for t in step.terms if t.channel == channel
                    )  # fmt: skip
                    if channel in step.biased:
                        acc += biases[step.biased.index(channel)] << (frac - self.evolve.bias.frac)
                    if step.skip:
                        acc += self.u[y][x][channel] << (frac - self.grid.q.frac)
                    shift = frac - self.grid.q.frac
                    with_half = acc + (1 << shift >> 1)
                    self.widest[number, channel] = max(
                        self.widest.get((number, channel), 0), width(acc), width(with_half)
                    )
                    after[y][x][channel] = clamped(rounded(acc, shift), self.grid.q.width)
        self.u = after

    def run(self) -> list:
        for time in range(self.evolve.times):
            biases = self.weights.bias.tolist()
            for number, step in enumerate(self.evolve.body):
                own, biases = biases[: len(step.biased)], biases[len(step.biased) :]
                self.update(number, time, own)
        return self.u


def width(value: int) -> int:
    return (value if value >= 0 else ~value).bit_length() + 1


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(models())
def test_golden_is_the_docstrings_arithmetic(drawn):
    model, frames = drawn
    assert golden.run(model, frames).output.tolist() == [Plain(model, frame).run() for frame in frames]


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(models(extreme=True))
def test_the_accumulators_stated_width_holds_the_ends_of_every_format(drawn):
    model, frames = drawn
    evolve, grid = model.program.steps[0], model.program.input
    for frame in frames:
        plain = Plain(model, frame)
        plain.run()
        for (number, channel), widest in plain.widest.items():
            assert widest <= evolve.accumulator_width(evolve.body[number], channel, grid)


@pytest.mark.slow
@settings(deadline=None, max_examples=1500, suppress_health_check=list(HealthCheck))
@given(st.booleans().flatmap(lambda extreme: models(extreme=extreme)))
def test_golden_is_the_docstrings_arithmetic_for_many_more(drawn):
    model, frames = drawn
    assert golden.run(model, frames).output.tolist() == [Plain(model, frame).run() for frame in frames]


def test_the_second_update_of_a_time_step_sees_the_first_ones_result():
    def copy(source, target):
        return Update(
            forms=(Form(channel=source, taps=((0, 0),), weights=(1,)),),
            terms=(Term(channel=target, coefficient=0, value=0),),
            skip=False,
        )

    evolve = Evolve(body=(copy(0, 1), copy(1, 2)), times=1, coefficients=1, weight=Q(4, 0), bias=Q(8, 0))
    model = Model(
        Program(name="relay", input=Grid(1, 2, 3, Q(8, 0)), steps=(evolve,)),
        {0: Weights(np.array([[[1]]]), np.zeros(0, np.int64))},
    )
    assert golden.run(model, np.array([[[[5, 0, 0], [7, 1, 2]]]])).output.tolist() == [[[[5, 5, 5], [7, 7, 7]]]]


def test_planes_are_used_one_a_time_step_and_products_saturate():
    update = Update(
        forms=(Form(channel=0, taps=((0, 0),), weights=(1,)), Form(channel=1, taps=((0, 0),), weights=(1,))),
        products=(Product(left=0, right=1, out=Q(6, 0)),), terms=(Term(channel=0, coefficient=0, value=2),), skip=False,
    )  # fmt: skip
    evolve = Evolve(
        body=(update,), times=3, coefficients=1, weight=Q(4, 0), bias=Q(8, 0), maps=1, map=Q(8, 0), planes=True
    )
    maps = np.array([2, 3, 50]).reshape(3, 1, 1, 1) * np.ones((1, 1, 2, 1), np.int64)
    model = Model(
        Program(name="planes", input=Grid(1, 2, 1, Q(8, 0)), steps=(evolve,)),
        {0: Weights(np.array([[[1]]]), np.zeros(0, np.int64), maps)},
    )
    fields = [field[0, 0, :, 0].tolist() for field in golden.trace(model, np.array([[[[1], [-4]]]]))]
    assert fields == [[1, -4], [2, -8], [6, -24], [31, -32]]
