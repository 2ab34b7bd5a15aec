"""The C runtime against the golden model: every kind of step, on programs that hypothesis draws."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npde import golden
from npde.errors import FitError
from npde.fixed import Q
from npde.model import Model, Weights
from npde.models import NAMES, load_model
from npde.program import (
    CROSS,
    MOORE,
    Clip,
    Dense,
    Evolve,
    Form,
    Grid,
    Pool,
    Program,
    Recurrent,
    Stencil,
    Table,
    Term,
    Update,
)


def _strategies(name: str):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "host" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.models


chains, evolutions = _strategies("test_golden"), _strategies("evolutions")


@st.composite
def recurrences(draw):
    """A recurrent step, then perhaps a dense one, and a batch of sequences."""
    q = Q(draw(st.integers(2, 18)), draw(st.integers(0, 8)))
    grid = Grid(draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(1, 3)), q)
    weight = Q(draw(st.integers(2, 16)), draw(st.integers(0, 8)))
    outputs = draw(st.integers(1, 5))
    steps = [Recurrent(out_channels=outputs, weight=weight, bias=Q(draw(st.integers(2, 32)), 0), out=q, phi=draw(st.sampled_from([Clip(q.low, q.high)])))]
    if draw(st.booleans()):
        steps.append(Dense(out_channels=2, weight=weight, bias=Q(8, 0), out=q))
    program = Program(name="rows", input=grid, steps=tuple(steps), argmax=True)
    return _filled(program, draw(st.integers(0, 2**32 - 1)))


def _filled(program, seed):
    rng = np.random.default_rng(seed)
    weights = {
        index: Weights(**{part: _integers(rng, q, shape) for part, (shape, q) in parts.items()})
        for index, parts in program.tensors().items()
    }
    return Model(program, weights, force=True), _integers(rng, program.input.q, (3, *program.input.shape))


def _integers(rng, q, shape):
    values = rng.integers(q.low, q.high, shape, endpoint=True)
    return np.where(rng.random(shape) < 0.3, rng.choice([q.low, q.high], size=shape), values)


def agrees(compiled, model, fields) -> None:
    wanted = golden.run(model, fields)
    expected = wanted.output.reshape(len(fields), -1)
    if wanted.label is not None:
        expected = np.concatenate([expected, wanted.label[:, None]], axis=1)
    assert np.array_equal(compiled(model).infer(fields), expected)


quick = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
many = settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))


@quick
@given(chains())
def test_any_chain_of_stencils_pools_and_dense_steps_is_golden(compiled, drawn):
    agrees(compiled, *drawn)


@quick
@given(evolutions())
def test_any_evolution_is_golden(compiled, drawn):
    agrees(compiled, *drawn)


@settings(quick, max_examples=20)
@given(recurrences())
def test_any_recurrence_is_golden(compiled, drawn):
    agrees(compiled, *drawn)


@pytest.mark.slow
@many
@given(st.one_of(chains(), evolutions(), evolutions(extreme=True), recurrences()))
def test_many_more_programs_are_golden(compiled, drawn):
    agrees(compiled, *drawn)


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_model_is_golden(compiled, name):
    model = load_model(name)
    q = model.program.input.q
    agrees(compiled, model, np.random.default_rng(0).integers(q.low, q.high, (2, *model.program.input.shape), endpoint=True))


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet", "neumann"])
@pytest.mark.parametrize("taps", [CROSS, MOORE, ((-2, 1), (1, 0)), ((2, 0),), ((-3, -1),)])
@pytest.mark.parametrize("repeat", [1, 2, 9])
def test_repeats_in_rows_and_in_a_frame_are_golden(compiled, boundary, taps, repeat):
    """Nine repeats of a 5-row window take more rows than the frame: those are worked on in place."""
    q = Q(8, 6)
    step = Stencil(out_channels=2, taps=taps, weight=Q(6, 5), bias=Q(8, 6), out=q, phi=Clip(-100, 127), boundary=boundary, skip=True, repeat=repeat)
    program = Program(name="again", input=Grid(7, 5, 2, q), steps=(step, Pool(kind="sum", size=2, out=Q(10, 6))))
    agrees(compiled, *_filled(program, 3))


def test_an_evolution_amid_other_steps_keeps_frames_apart(compiled):
    q, body = Q(8, 6), (Update(forms=(Form(channel=0, taps=((-1, 0), (1, 0)), weights=(1, 2)),), terms=(Term(channel=0, coefficient=0, value=0),), boundary="periodic"),)
    evolve = Evolve(body=body, times=5, coefficients=1, weight=Q(8, 6), bias=Q(8, 6))
    table = Table(Q(4, 3), tuple(range(-8, 8)))
    steps = (Stencil(out_channels=1, taps=CROSS, weight=Q(5, 4), bias=Q(8, 6), out=q, phi=table, stride=2), evolve, Pool(kind="max", size=2, out=q))
    agrees(compiled, *_filled(Program(name="amid", input=Grid(9, 8, 2, q), steps=steps), 4))


def test_a_program_without_weights_is_golden(compiled):
    q = Q(8, 6)
    agrees(compiled, *_filled(Program(name="pool", input=Grid(5, 7, 2, q), steps=(Pool(kind="max", size=2, out=q),)), 5))


def test_a_value_outside_the_format_is_refused_and_leaves_nothing_behind(compiled):
    model = load_model("digits")
    runtime = compiled(model)
    frame, answer = np.zeros(64, np.int32), np.zeros(11, np.int32)
    frame[40] = 128
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (frame, answer)]
    assert runtime.call("npde_infer", *pointers) == -1
    frame[40] = 0
    wanted = golden.run(model, np.zeros((1, 8, 8, 1), np.int64))
    assert np.array_equal(runtime.infer(np.zeros((1, 8, 8, 1), np.int64))[0], [*wanted.output.ravel(), wanted.label[0]])
    assert runtime.call("npde_put", 5) == 1
    assert runtime.call("npde_infer", *pointers) == -2


def test_a_program_of_more_memories_than_a_frame_names_is_refused():
    from npde.firmware.tables import model_source

    q = Q(8, 6)
    step = Stencil(out_channels=1, taps=CROSS, weight=Q(6, 5), bias=Q(8, 6), out=q, repeat=43)
    model, _ = _filled(Program(name="long", input=Grid(3, 3, 1, q), steps=(step,)), 0)
    with pytest.raises(FitError, match="43 weight memories; a board can name 42"):
        model_source(model)
