"""Learning a pair: both take part, schedules differ, seeds repeat, and what comes out scores and cleans by integers."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from npde.data import Dataset
from npde.training.errors import TrainingError
from npde.training.recipe import Descent
from npde.training.samples import fields_of, unit_range
from npde.training.synergetic import score
from npde.training.synergetic.anomaly import trial
from npde.training.synergetic.configuration import Terms
from npde.training.synergetic.descent import descend
from npde.training.synergetic.learn import epochs, learn, start
from npde.training.synergetic.measure import measure, measure_components, psnr_of_noise
from npde.training.synergetic.programs import programs


def test_a_small_pair_finds_patches_and_removes_noise_better_than_components_do(digits, system):
    found = measure(system, trial(digits))
    components = measure_components(system.synergy.code, trial(digits))
    assert found.areas["reconstruction error"] > components.areas["reconstruction error"] + 0.01
    assert found.areas["free energy"] > 0.85
    assert found.psnr > psnr_of_noise(digits) + 0.5
    assert found.psnr > components.psnr
    assert found.accuracy > 0.85


def test_sigma_is_about_the_error_it_says(digits, system):
    """Learned with noise and a drawn code, so above the error of clean images, not below."""
    error = np.sqrt(score.reconstruction_error(system.answer(digits.train_x)).mean())
    assert error < system.sigma < 2 * error


def test_the_same_seed_gives_the_same_integers_and_another_seed_or_schedule_does_not(digits, brief):
    def hashes(**changes):
        told = learn(msgspec.structs.replace(brief, **changes), digits)
        return told.a.content_hash, told.b.content_hash

    first = hashes()
    assert first == hashes()
    for changes in ({"seed": 1}, {"schedule": "alternating"}):
        assert not set(first) & set(hashes(**changes)), changes


@pytest.mark.parametrize(("turn", "moves"), [("A", "A"), ("B", "B"), ("AB", "AB")])
def test_only_whose_turn_it_is_moves(digits, small, turn, moves):
    pair = programs(small, digits.sample_shape, digits.classes)
    begin = start(small, pair)
    fields = fields_of(pair.b, unit_range(digits), digits.train_x[:128])
    once = Descent(epochs=1, rate=1e-3, batch=32)
    end = descend(
        pair, begin, small, once, fields, digits.train_y[:128], turns=(turn,), terms=Terms(), quantised=False, background=-128,
    )  # fmt: skip
    for name, tensor in end.items():
        assert np.array_equal(tensor, begin[name]) == (name[0] not in moves), name


def test_the_free_energy_falls_and_progress_counts_every_phase(digits, small, brief):
    told: list[tuple[float, float]] = []
    apart = msgspec.structs.replace(brief, schedule="apart")
    assert (epochs(small), epochs(brief)) == (28, 2)
    learn(apart, digits, progress=lambda done, nats: told.append((done, nats)))
    assert told[-1][0] == epochs(apart) == 4
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[1][1] < told[0][1], "B and its readout"
    assert told[3][1] < told[2][1], "A on B's code"


def test_what_cannot_be_learned_from_is_refused(small, digits):
    few = Dataset("few", digits.train_x[:20], digits.train_y[:20], digits.test_x[:5], digits.test_y[:5], 10, digits.raw_range)
    with pytest.raises(TrainingError, match="20 training samples do not fill one batch of 45"):
        learn(small, few)
    wild = msgspec.structs.replace(small, descent=Descent(epochs=3, rate=1e30, batch=32))
    with pytest.raises(TrainingError, match=r"diverged in epoch 1: the free energy is .*; lower the rate"):
        learn(wild, digits)
