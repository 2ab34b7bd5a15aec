"""Float parameters and checkpoints: kept whole, and refused when they are not what they claim."""

from __future__ import annotations

import os
import resource

import numpy as np
import pytest

from npde import tensorfile
from npde.errors import FileError, ProgramError
from npde.model import Preprocess
from npde.training import checkpoint
from npde.training.parameters import FORMAT, FloatModel, initialise
from npde.training.recipe import recipe

CHOSEN = recipe("digits")
PROGRAM = CHOSEN.program((8, 8, 1), 10)


def parameters(**changes) -> dict[str, np.ndarray]:
    return {**initialise(PROGRAM, seed=0), **changes}


def float_model(**changes) -> FloatModel:
    return FloatModel(PROGRAM, parameters(**changes), Preprocess(0.125, -1.0), CHOSEN, {"seed": "0"})


def test_float_parameters_survive_their_file(tmp_path):
    subject = float_model()
    subject.save(tmp_path / "x.float")
    read = FloatModel.load(tmp_path / "x.float")
    assert (read.program, read.recipe, read.preprocess, read.notes) == (subject.program, subject.recipe, subject.preprocess, subject.notes)
    assert all(np.array_equal(read.tensors[name], tensor) for name, tensor in subject.tensors.items())


@pytest.mark.parametrize(("changes", "says"), [
    ({"0.bias": np.full(8, np.nan, np.float32)}, r"0\.bias hold 8 value\(s\) that are NaN or infinite"),
    ({"0.bias": np.array([0, np.inf] + [0] * 6, np.float32)}, r"0\.bias hold 1 value\(s\) that are NaN or infinite"),
    ({"0.bias": np.zeros(8)}, r"0\.bias are float64, not float32"),
    ({"0.bias": np.zeros(7, np.float32)}, "do not fit program 'digits'"),
    ({"9.bias": np.zeros(7, np.float32)}, "do not fit program 'digits'"),
])  # fmt: skip
def test_parameters_that_cannot_be_are_refused(changes, says):
    with pytest.raises(ProgramError, match=says):
        float_model(**changes)


@pytest.mark.parametrize("header", [{"recipe": "{}"}, {"recipe": "x"}, {"preprocess": "[]"}, {"notes": "1"}, {"program": "{}"}])
def test_a_forged_header_is_refused_in_one_sentence(tmp_path, header):
    path = tmp_path / "x.float"
    float_model().save(path)
    old, tensors = tensorfile.read(path, FORMAT, "float parameter file")
    tensorfile.write(path, {**old, **header}, tensors)
    with pytest.raises(ProgramError, match=r"not a (readable float parameter file|stencil-update program)") as caught:
        FloatModel.load(path)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_on_a_full_disk_keeps_the_one_before(tmp_path):
    path = tmp_path / "c.npz"
    checkpoint.save(path, "key", 3, [np.arange(4)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(FileError, match=r"c\.npz cannot be written: File too large"):
            checkpoint.save(path, "key", 4, [np.zeros(100_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == ["c.npz"]
    epoch, leaves = checkpoint.load(path, "key", [np.arange(4)])
    assert (epoch, leaves[0].tolist()) == (3, [0, 1, 2, 3])
