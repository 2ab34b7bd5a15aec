"""A learned pair as two model files, and what stands in for one that is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from npde import golden
from npde.errors import ProgramError
from npde.model import Model
from npde.models import load_model
from npde.training.synergetic.learn import learn
from npde.training.synergetic.system import System


def test_two_files_bring_back_the_same_answers(system, digits, tmp_path):
    system.save(tmp_path)
    again = System.load(tmp_path)
    assert (again.a.content_hash, again.b.content_hash, again.synergy) == (system.a.content_hash, system.b.content_hash, system.synergy)
    assert again.sigma == system.sigma
    one, other = system.answer(digits.test_x[:9]), again.answer(digits.test_x[:9])
    assert np.array_equal(one.generated, other.generated)
    assert np.array_equal(one.logits, other.logits)


def test_as_raw_input_is_bs_integers(system, digits):
    """So that a board with A takes what a board with B answers, as it is."""
    code = golden.run(system.b, system.b.quantise_input(digits.test_x[:50])).output
    assert np.array_equal(system.a.quantise_input(code), code)
    assert len(np.unique(code)) > 20


def test_answers_are_in_the_images_order_and_range(system, digits):
    answers = system.answer(digits.test_x[:60])
    assert answers.images.shape == answers.generated.shape == (60, 8, 8, 1)
    assert answers.logits.shape == (60, 10)
    assert np.array_equal(answers.images[..., 0], np.minimum(digits.test_x[:60] / 8 - 1, 127 / 128))
    assert answers.generated.min() >= -1
    assert answers.generated.max() < 1
    turned = answers.generated.transpose(0, 2, 1, 3)
    assert ((answers.images - answers.generated) ** 2).mean() < ((answers.images - turned) ** 2).mean() / 2


def test_models_that_are_no_pair_are_refused(system, brief, digits, tmp_path):
    with pytest.raises(ProgramError, match="the two are no pair"):
        System(load_model("digits"), system.b, system.synergy)
    bare = Model(system.a.program, system.a.weights, system.a.preprocess)
    with pytest.raises(ProgramError, match="do not say its sigma"):
        System(bare, system.b, system.synergy)
    with pytest.raises(ProgramError, match="above 0, not -1"):
        System(replace(bare, notes={"sigma": "-1"}), system.b, system.synergy)
    system.save(tmp_path)
    learn(brief, digits).a.save(tmp_path / "A.npde")
    with pytest.raises(ProgramError, match="were not learned together"):
        System.load(tmp_path)
    bare.save(tmp_path / "A.npde")
    with pytest.raises(ProgramError, match="do not say how they were learned"):
        System.load(tmp_path)
