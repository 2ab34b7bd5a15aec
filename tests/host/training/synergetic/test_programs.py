"""The pair of programs: they fit each other, the image and the boards' contract; configurations that cannot be say why."""

from __future__ import annotations

import msgspec
import pytest

from npde.errors import ProgramError
from npde.program import Dense, Pool, Stencil
from npde.training.errors import TrainingError
from npde.training.network import Perceptron
from npde.training.recipe import Descent
from npde.training.synergetic.configuration import SYNERGIES, Synergy, Terms, synergy
from npde.training.synergetic.programs import programs


@pytest.mark.parametrize(("name", "shape", "steps"), [("digits", (8, 8, 1), [Stencil, Stencil, Dense]), ("fashion", (28, 28, 1), [Dense, Dense])])
def test_bs_answer_is_as_input_and_a_answers_with_the_image_and_the_logits(name, shape, steps):
    pair = programs(synergy(name), shape, 10)
    assert pair.a.input == pair.b.output
    assert pair.b.output.shape == (1, 1, SYNERGIES[name].code)
    assert pair.a.output.shape == (1, 1, shape[0] * shape[1] * shape[2] + 10)
    assert not pair.a.argmax
    assert not pair.b.argmax
    assert [type(step) for step in pair.b.steps] == steps, "a pool of one cell is no step"


def test_a_pool_that_sums_stays(small):
    pooled = msgspec.structs.replace(small, reduction=msgspec.structs.replace(small.reduction, pool_size=2))
    assert [type(step) for step in programs(pooled, (8, 8, 1), 3).b.steps] == [Stencil, Pool, Dense]


def test_full_size_kernels_reduce_as_well(small):
    pair = programs(msgspec.structs.replace(small, reduction=Perceptron(hidden=(20,))), (4, 6, 2), 3)
    assert pair.b.kernel_shapes() == {0: (20, 48, 1), 1: (10, 20, 1)}
    assert pair.a.kernel_shapes()[1] == (51, 40, 1)


def test_a_configuration_survives_json_and_unknown_keys_do_not():
    for known in SYNERGIES.values():
        assert msgspec.json.decode(msgspec.json.encode(known), type=Synergy) == known
    text = msgspec.json.encode(SYNERGIES["digits"]).replace(b'"noise"', b'"noises"')
    with pytest.raises(msgspec.ValidationError, match="noises"):
        msgspec.json.decode(text, type=Synergy)


@pytest.mark.parametrize(("changes", "says"), [
    ({"code": 0}, "at least one value, not 0"),
    ({"prior": 0.0}, "the prior is above 0"),
    ({"noise": -0.1}, "noise not negative"),
    ({"validation": 0.7}, "validation 0 to 0.5"),
    ({"terms": Terms(label=-1.0)}, "counts less than 0 times"),
    ({"schedule": "never"}, "no schedule 'never'; there are joint, alternating, apart"),
    ({"descent": Descent(epochs=1, rate=1e-3, strategy="lbfgs")}, "descends by adam"),
    ({"finetune": Descent(epochs=1, rate=1e-3, batch=0)}, "a positive batch"),
    ({"finetune": Descent(epochs=1, rate=1e-3, normalise=True)}, "neither normalise"),
])  # fmt: skip
def test_what_cannot_be_learned_is_refused(small, changes, says):
    with pytest.raises(TrainingError, match=says):
        msgspec.structs.replace(small, **changes)


def test_names_are_listed():
    with pytest.raises(TrainingError, match="no synergy 'mnist'; there are digits, fashion"):
        synergy("mnist")


def test_a_code_no_grid_holds_is_refused(small):
    with pytest.raises(ProgramError):
        programs(msgspec.structs.replace(small, code=70000), (8, 8, 1), 10)
