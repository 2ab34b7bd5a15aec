"""A pair small enough to learn the digits in seconds."""

from __future__ import annotations

import msgspec
import pytest

from npde.data import load_data
from npde.training.architecture import Architecture, Stage
from npde.training.network import Perceptron
from npde.training.recipe import Descent
from npde.training.synergetic.configuration import Synergy
from npde.training.synergetic.learn import learn
from npde.training.synergetic.system import System

SMALL = Synergy(
    name="small",
    reduction=Architecture(stages=(Stage(channels=6, stride=2),), pool_size=1),
    generation=Perceptron(hidden=(40,), field_range=1),
    code=10,
    descent=Descent(epochs=25, rate=1e-2, batch=45),
    finetune=Descent(epochs=3, rate=1e-3, batch=45),
    noise=0.3,
)


@pytest.fixture(scope="session")
def digits():
    return load_data("digits")


@pytest.fixture(scope="session")
def small() -> Synergy:
    return SMALL


@pytest.fixture(scope="session")
def system(digits) -> System:
    return learn(SMALL, digits)


@pytest.fixture(scope="session")
def brief() -> Synergy:
    """Two epochs in real numbers, then rounded: enough to tell schedules and seeds apart."""
    short = msgspec.structs.replace(SMALL.descent, epochs=2)
    return msgspec.structs.replace(SMALL, descent=short, finetune=msgspec.structs.replace(SMALL.finetune, epochs=0))
