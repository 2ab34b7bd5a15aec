"""What decides a pair of models, the data and nothing else apart: as :class:`npde.training.recipe.Recipe` does for one model."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from npde.training.architecture import Architecture, Stage
from npde.training.errors import TrainingError
from npde.training.network import Perceptron
from npde.training.recipe import FOLDER, Descent

Schedule = Literal["joint", "alternating", "apart"]


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often each part of the free energy counts: 1, 1, 1 is minus the evidence bound of image and label together."""

    reconstruction: float = 1.0
    label: float = 1.0
    complexity: float = 1.0


class Synergy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A named way to a pair: the architecture of both, the free energy, the descent in real numbers and the quantised one.

    ``reduction`` is B, whose last step leaves ``code`` values in place of answers (a ``pool_size`` of 1 is no pool);
    ``generation`` is A, from the code to the image's values and a logit a class. ``prior`` is the standard deviation τ
    of a code's value: the code's format spans [-1, 1), so 1/4 puts four of them into it. ``noise`` is the greatest
    standard deviation of the noise that B's input has while learning, in units in which an image spans [-1, 1); A has to
    give the image without it.

    ``schedule``: ``joint`` moves both on every batch, ``alternating`` first B with A as it is, then A with B as it now is;
    ``apart`` learns B for label and complexity alone, then A on what B's code happens to tell. ``validation`` is the
    share of training samples that no descent sees.
    """

    name: str
    reduction: Architecture | Perceptron
    generation: Perceptron
    code: int
    descent: Descent
    finetune: Descent
    terms: Terms = Terms()
    prior: float = 0.25
    noise: float = 0.0
    schedule: Schedule = "joint"
    seed: int = 0
    validation: float = 0.0
    data: str = "digits"

    def __post_init__(self) -> None:
        for phase in (self.descent, self.finetune):
            if phase.strategy != "adam" or phase.batch < 1 or phase.epochs < 0 or not phase.rate > 0:
                raise TrainingError(
                    f"synergy {self.name!r}: noise is drawn anew for every batch, so a pair descends by adam with a positive batch and rate, "
                    f"not by {phase.strategy} with {phase.batch} and {phase.rate:g} for {phase.epochs} epochs"
                )
            if phase.normalise or phase.augmentation.flip == "alike":
                raise TrainingError(f"synergy {self.name!r}: a pair's descents neither normalise nor ask the samples whether to mirror them")
        if not self.code >= 1:
            raise TrainingError(f"synergy {self.name!r}: a code has at least one value, not {self.code}")
        if not 0 < self.prior <= 1 or not self.noise >= 0 or not 0 <= self.validation <= 0.5:
            raise TrainingError(
                f"synergy {self.name!r}: the prior is above 0 and at most 1, noise not negative, validation 0 to 0.5 of the samples, "
                f"not {self.prior:g}, {self.noise:g} and {self.validation:g}"
            )
        if min(self.terms.reconstruction, self.terms.label, self.terms.complexity) < 0:
            raise TrainingError(f"synergy {self.name!r}: no term of the free energy counts less than 0 times, as in {self.terms}")
        if self.schedule not in get_args(Schedule):
            raise TrainingError(f"no schedule {self.schedule!r}; there are {', '.join(get_args(Schedule))}")


SYNERGIES = {
    "digits": Synergy(
        name="digits",
        reduction=Architecture(stages=(Stage(channels=8), Stage(channels=16, stride=2)), pool_size=1),
        generation=Perceptron(hidden=(96,), field_range=1),
        code=16,
        descent=Descent(epochs=120, rate=5e-3, batch=32),
        finetune=Descent(epochs=10, rate=1e-3, batch=32),
        noise=0.4,
    ),
    "fashion": Synergy(
        name="fashion",
        reduction=Perceptron(hidden=(112,), field_range=1),
        generation=Perceptron(hidden=(112,), field_range=1),
        code=32,
        descent=Descent(epochs=15, rate=4e-3, batch=100),
        finetune=Descent(epochs=3, rate=5e-4, batch=100),
        noise=0.4,
        data=FOLDER,
    ),
}


def synergy(name: str) -> Synergy:
    """The built-in pair of that name; raises :class:`TrainingError` listing the names there are."""
    if name not in SYNERGIES:
        raise TrainingError(f"no synergy {name!r}; there are {', '.join(SYNERGIES)}")
    return SYNERGIES[name]
