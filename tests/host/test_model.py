"""Models: their integers are checked, hashed and kept; a file that is not one, or not whole, is refused."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npde import tensorfile
from npde.errors import ProgramError
from npde.model import FORMAT, Model, Preprocess, Weights
from npde.models import load_model
from npde.program import CROSS, Dense, Grid, Pool, Program, Q, Stencil

PROGRAM = Program(name="small", input=Grid(4, 4, 1, Q(8, 7)), argmax=True, steps=(
    Stencil(out_channels=2, taps=CROSS, weight=Q(6, 5), bias=Q(12, 8), out=Q(8, 7)),
    Pool(kind="sum", size=4, out=Q(8, 4)),
    Dense(out_channels=3, weight=Q(4, 2), bias=Q(8, 4), out=Q(12, 4)),
))  # fmt: skip


def integers(seed: int = 0) -> dict[int, Weights]:
    rng = np.random.default_rng(seed)
    return {
        0: Weights(rng.integers(-32, 32, (2, 1, 5)), rng.integers(-2048, 2048, 2)),
        2: Weights(rng.integers(-8, 8, (3, 2, 1)), rng.integers(-128, 128, 3)),
    }


def model(**changes) -> Model:
    return Model(**{"program": PROGRAM, "weights": integers(), "preprocess": Preprocess(0.5, -1.0), "notes": {"seed": "0"}, **changes})


@given(st.integers(0, 1000))
def test_a_model_survives_its_file(tmp_path_factory, seed):
    path = tmp_path_factory.mktemp("model") / "m.npde"
    subject = model(weights=integers(seed))
    subject.save(path)
    read = Model.load(path)
    assert (read.program, read.preprocess, read.notes) == (subject.program, subject.preprocess, subject.notes)
    for index, tensors in subject.weights.items():
        assert np.array_equal(read.weights[index].kernel, tensors.kernel)
        assert np.array_equal(read.weights[index].bias, tensors.bias)
    assert read.content_hash == subject.content_hash


def test_the_hash_changes_with_any_integer_and_with_the_program_and_with_nothing_else():
    hashes = {model().content_hash}
    count = 1
    for index, part in ((0, "kernel"), (0, "bias"), (2, "kernel"), (2, "bias")):
        for place in range(getattr(integers()[index], part).size):
            weights = integers()
            tensor = getattr(weights[index], part)
            tensor.flat[place] += 1 if tensor.flat[place] < 7 else -1
            hashes.add(model(weights=weights).content_hash)
            count += 1
    hashes.add(model(program=msgspec.structs.replace(PROGRAM, argmax=False)).content_hash)
    assert len(hashes) == count + 1
    other = model(notes={}, preprocess=Preprocess(), program=msgspec.structs.replace(PROGRAM, name="other"))
    assert other.content_hash == model().content_hash
    assert len(model().content_hash) == 16


def changed(index: int, **parts) -> dict[int, Weights]:
    weights = integers()
    weights[index] = Weights(**{"kernel": weights[index].kernel, "bias": weights[index].bias, **parts})
    return weights


@pytest.mark.parametrize(("weights", "says"), [
    ({0: integers()[0]}, r"has weights for steps \[0\]; its program has weighted steps \[0, 2\]"),
    ({**integers(), 1: integers()[0]}, r"has weights for steps \[0, 1, 2\]"),
    (changed(0, kernel=np.zeros((2, 1, 4), np.int64)), r"^step 0 kernel has shape \(2, 1, 4\), not \(2, 1, 5\)$"),
    (changed(2, bias=np.zeros(2, np.int64)), r"^step 2 bias has shape \(2,\), not \(3,\)$"),
    (changed(0, kernel=np.full((2, 1, 5), 32)), r"step 0 kernel spans \[32, 32\] and leaves the range of Q\(6,5\)"),
    (changed(0, kernel=np.full((2, 1, 5), -33)), "leaves the range of"),
    (changed(2, bias=np.full(3, 128)), r"step 2 bias spans \[128, 128\] and leaves the range of Q\(8,4\)"),
    (changed(0, kernel=np.zeros((2, 1, 5))), r"step 0 kernel holds float64, not integers of Q\(6,5\)"),
    (changed(0, kernel=np.full((2, 1, 5), np.nan)), "step 0 kernel holds float64, not integers"),
    (changed(0, bias=np.zeros(2, bool)), "step 0 bias holds bool"),
    (changed(0, bias=np.zeros(2, object)), "step 0 bias holds object"),
    (changed(0, bias=np.full(2, 2**64 - 1, np.uint64)), "leaves the range of"),
])  # fmt: skip
def test_weights_that_are_missing_misshapen_or_out_of_range_are_refused(weights, says):
    with pytest.raises(ProgramError, match=says):
        model(weights=weights)


@pytest.mark.parametrize(("scale", "offset"), [(np.nan, 0), (1, np.inf)])
def test_a_preprocess_that_is_not_finite_is_refused(scale, offset):
    with pytest.raises(ProgramError, match="scale and offset are finite numbers, not"):
        model(preprocess=Preprocess(scale, offset))


def test_raw_samples_are_scaled_rounded_and_saturated():
    raw = np.array([0, 1, 2, 3, 4, 2.01] + [0] * 10, float).reshape(1, 4, 4)
    assert model().quantise_input(raw).ravel()[:6].tolist() == [-128, -64, 0, 64, 127, 1]
    assert model().quantise_input(np.zeros((0, 4, 4))).shape == (0, 4, 4, 1)


@pytest.mark.parametrize(("raw", "says"), [
    (np.zeros((1, 4, 5)), r"takes samples of shape \(batch, 4, 4, 1\), not \(1, 4, 5\)"),
    (np.zeros((4, 4)), r"not \(4, 4\)"),
    (np.full((1, 4, 4), np.nan), r"16 value\(s\) to quantise are NaN or infinite"),
])  # fmt: skip
def test_samples_that_do_not_fit_are_refused(raw, says):
    with pytest.raises(ProgramError, match=says):
        model().quantise_input(raw)


def rewritten(tmp_path, tensors=None, **header):
    """A model file with some parts replaced by whoever also knows how to compute the checksum."""
    path = tmp_path / "m.npde"
    model().save(path)
    old, arrays = tensorfile.read(path, FORMAT, "model file")
    tensorfile.write(path, {**old, **header}, arrays if tensors is None else {**arrays, **tensors})
    return path


@pytest.mark.parametrize(("header", "tensors", "says"), [
    ({"program": "{}"}, None, "not a stencil-update program"),
    ({"program": "__import__('os')"}, None, "not a stencil-update program"),
    ({"program": PROGRAM.encode().decode().replace('"width":8', '"width":99', 1)}, None, "not a stencil-update program: .*not 99"),
    ({"preprocess": "[]"}, None, "has a damaged header"),
    ({"preprocess": '{"scale":1e999}'}, None, "has a damaged header"),
    ({"notes": '{"a":1}'}, None, "has a damaged header"),
    ({"hash": "00"}, None, "is damaged: its content does not have the hash it states"),
    ({}, {"0.bias": np.ones(2, np.int32)}, "is damaged: its content does not have the hash"),
    ({}, {"0.bias": np.zeros(2, np.float32)}, "tensor 0.bias is float32, not int32"),
    ({}, {"0.bias": np.full(2, np.nan, np.float32)}, "tensor 0.bias is float32, not int32"),
    ({}, {"0.bias": np.full(2, 1 << 20, np.int32)}, r"step 0 bias spans \[1048576, 1048576\]"),
    ({}, {"0.kernel": np.zeros((2, 5), np.int32)}, "step 0 kernel has shape"),
    ({}, {"7.kernel": np.zeros(1, np.int32)}, r"holds tensors \[.*'7.kernel'\]; its program needs"),
])  # fmt: skip
def test_a_forged_file_is_refused_in_one_sentence(tmp_path, header, tensors, says):
    with pytest.raises(ProgramError, match=says) as caught:
        Model.load(rewritten(tmp_path, tensors, **header))
    assert "\n" not in str(caught.value)


def test_an_unstable_model_loads_only_by_force(tmp_path):
    step = Stencil(out_channels=1, taps=CROSS, weight=Q(8, 3), bias=Q(8, 4), out=Q(8, 7), skip=True, repeat=9)
    program = Program(name="hot", input=Grid(4, 4, 1, Q(8, 7)), steps=(step,))
    weights = {0: Weights(np.array([[[4, 4, -16, 4, 4]]]), np.zeros(1, np.int64))}
    Model(program, weights, force=True).save(tmp_path / "hot.npde")
    with pytest.raises(ProgramError, match="must not exceed 1"):
        Model.load(tmp_path / "hot.npde")
    assert load_model(str(tmp_path / "hot.npde"), force=True).force


def test_an_unknown_model_lists_the_shipped_ones():
    with pytest.raises(ProgramError, match="no model file at mnist; shipped models are digits, fashion"):
        load_model("mnist")
