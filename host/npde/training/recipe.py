"""Training recipes: everything that decides a model, the data and nothing else apart."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from npde.program import Program
from npde.training.architecture import Architecture, Stage
from npde.training.errors import TrainingError
from npde.training.network import Perceptron, Recurrence
from npde.training.wave import Wave

FOLDER = "FOLDER"
"""Stands for a folder of IDX files of 28×28 images, wherever it is."""


class Augmentation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Random changes of each training sample, drawn anew every epoch.

    ``shift``: up to so many cells in each direction, background moving in. ``cutout``: one square
    of that side set to background. ``flip``: mirrored left to right every second time; ``"alike"``, if
    :func:`npde.training.mirror.alike_mirrored` finds of the samples that they may be.
    """

    shift: int = 0
    cutout: int = 0
    flip: bool | Literal["alike"] = False


Strategy = Literal["adam", "lbfgs"]


class Descent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One phase of ``strategy``: Adam with a cosine schedule to zero after a linear warm-up of ``warmup`` of all steps, or L-BFGS.

    ``batch`` samples make a step's objective, all of them if it is 0. L-BFGS takes ``iterations`` steps on each and has no
    ``rate``: its line search finds one. ``decay`` is weight decay on kernels, ``smoothing`` the share of the target
    spread evenly over all classes. ``normalise``: by the moments of each batch (:mod:`npde.training.normalised`), while floats are learned.
    """

    epochs: int
    rate: float
    batch: int = 64
    warmup: float = 0.05
    decay: float = 1e-4
    smoothing: float = 0.05
    augmentation: Augmentation = Augmentation()
    strategy: Strategy = "adam"
    iterations: int = 20
    normalise: bool = False


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A named way to a model: its architecture, the float descent, the quantised descent, the seed.

    ``data`` is the data set it is meant for, :data:`FOLDER` a folder of IDX files. ``validation`` is the share of the training samples, the same of each
    class, that no descent sees: what hyperparameters are chosen by. ``diffusion`` starts every Euler step as isotropic diffusion with that ``D·dt/h²``. Formats come
    from the architecture alone, so retraining keeps the bitstream.
    """

    name: str
    architecture: Architecture | Wave | Perceptron | Recurrence
    descent: Descent
    finetune: Descent
    seed: int = 0
    diffusion: float = 0.0
    validation: float = 0.0
    data: str = "digits"

    def __post_init__(self) -> None:
        for phase in (self.descent, self.finetune):
            if phase.epochs < 0 or phase.batch < 0 or phase.iterations < 1 or not phase.rate > 0:
                raise TrainingError(
                    f"recipe {self.name!r}: epochs, batch, iterations and rate must be positive, "
                    f"not {phase.epochs}, {phase.batch}, {phase.iterations} and {phase.rate}"
                )

        if not 0 <= self.validation <= 0.5:
            raise TrainingError(f"recipe {self.name!r}: validation takes 0 to 0.5 of the training samples, not {self.validation:g}")

    def program(self, shape: tuple[int, int, int], classes: int) -> Program:
        """The program for samples of ``shape`` (height, width, channels)."""
        return self.architecture.program(shape, classes, self.name)

    def by(self, strategy: str) -> Recipe:
        """This recipe descending by ``strategy``: as it stands where it does already, else by L-BFGS on all samples of a small data
        set and on large batches of a folder's; raises :class:`TrainingError` for a strategy there is not.
        """
        if strategy not in get_args(Strategy):
            raise TrainingError(f"no strategy {strategy!r}; there are {', '.join(get_args(Strategy))}")
        if self.descent.strategy == strategy:
            return self
        if strategy == "adam":
            raise TrainingError(f"recipe {self.name!r} has no Adam to go back to")
        many = self.data == FOLDER
        phases = {
            phase: msgspec.structs.replace(
                getattr(self, phase), strategy=strategy, augmentation=Augmentation(), batch=8192 if many else 0,
                epochs=2 if many and phase == "descent" else 1, iterations=10 if many else steps, decay=1e-4,
                normalise=False,
            )
            for phase, steps in (("descent", 200), ("finetune", 40))
        }  # fmt: skip
        return msgspec.structs.replace(self, **phases)


RECIPES = {
    "digits": Recipe(
        name="digits",
        architecture=Architecture(
            stages=(Stage(channels=8, residual=2), Stage(channels=16, stride=2, residual=1)),
            pool_size=2,
            pool_range=2,
        ),
        descent=Descent(epochs=80, rate=3e-3, batch=32, augmentation=Augmentation(shift=1)),
        finetune=Descent(epochs=20, rate=1e-3, batch=32, augmentation=Augmentation(shift=1)),
        diffusion=0.05,
    ),
    "fashion": Recipe(
        name="fashion",
        architecture=Architecture(
            stages=(Stage(channels=16, stride=2, residual=2), Stage(channels=32, stride=2, residual=1)),
            rectify=True,
        ),
        descent=Descent(epochs=40, rate=5e-3, batch=128, smoothing=0.02, augmentation=Augmentation(flip=True)),
        finetune=Descent(epochs=8, rate=1e-3, batch=128, smoothing=0.02, augmentation=Augmentation(flip=True)),
        data=FOLDER,
    ),
    "best": Recipe(
        name="best",
        architecture=Architecture(
            stages=(Stage(channels=12), Stage(channels=24, stride=2, residual=1), Stage(channels=40, stride=2, residual=1)),
            rectify=True, weight_range=(1, 0, 0, 0, 0),
        ),
        descent=Descent(epochs=45, rate=5e-3, batch=128, augmentation=Augmentation(shift=1, flip="alike"), normalise=True),
        finetune=Descent(epochs=12, rate=1e-3, batch=128, augmentation=Augmentation(shift=1, flip="alike")),
        data=FOLDER,
    ),
    "cnn": Recipe(
        name="cnn",
        architecture=Architecture(
            stages=(Stage(channels=12), Stage(channels=16, stride=2), Stage(channels=24)),
            rectify=True, boundary="dirichlet", pool_size=2, pool_range=2,
        ),
        descent=Descent(epochs=60, rate=5e-3, batch=32, augmentation=Augmentation(shift=1)),
        finetune=Descent(epochs=15, rate=1e-3, batch=32, augmentation=Augmentation(shift=1)),
        validation=0.15,
    ),
    "mlp": Recipe(
        name="mlp",
        architecture=Perceptron(hidden=(48, 32), field_range=2),
        descent=Descent(epochs=80, rate=5e-3, batch=32, decay=1e-2),
        finetune=Descent(epochs=20, rate=1e-3, batch=32, decay=1e-2),
        validation=0.15,
    ),
    "rnn": Recipe(
        name="rnn",
        architecture=Recurrence(hidden=48, phi="relu"),
        descent=Descent(epochs=100, rate=5e-3, batch=32, augmentation=Augmentation(shift=1)),
        finetune=Descent(epochs=20, rate=1e-3, batch=32, augmentation=Augmentation(shift=1)),
        validation=0.15,
    ),
    "mlp-fashion": Recipe(
        name="mlp-fashion",
        architecture=Perceptron(hidden=(40,), field_range=2),
        descent=Descent(epochs=30, rate=3e-3, batch=100, decay=1e-2),
        finetune=Descent(epochs=4, rate=5e-4, batch=100, decay=1e-2),
        validation=0.1,
        data=FOLDER,
    ),
    "rnn-fashion": Recipe(
        name="rnn-fashion",
        architecture=Recurrence(hidden=96),
        descent=Descent(epochs=8, rate=2e-3, batch=100),
        finetune=Descent(epochs=2, rate=5e-4, batch=100),
        validation=0.1,
        data=FOLDER,
    ),
    "rnn-oscillations": Recipe(
        name="rnn-oscillations",
        architecture=Recurrence(hidden=32, phi="relu"),
        descent=Descent(epochs=25, rate=5e-3, batch=32),
        finetune=Descent(epochs=6, rate=1e-3, batch=32),
        validation=0.15,
        data="oscillations",
    ),
    "helmholtz": Recipe(
        name="helmholtz",
        architecture=Wave(times=48, planes=True),
        descent=Descent(epochs=40, rate=3e-2, batch=32, augmentation=Augmentation(shift=1)),
        finetune=Descent(epochs=6, rate=3e-3, batch=32, augmentation=Augmentation(shift=1)),
        validation=0.15,
        data="digits@16x16",
    ),
    "helmholtz-fashion": Recipe(
        name="helmholtz-fashion",
        architecture=Wave(times=48, planes=True, coarsen=2),
        descent=Descent(epochs=5, rate=3e-2, batch=100),
        finetune=Descent(epochs=1, rate=2e-3, batch=100),
        validation=0.1,
        data=FOLDER,
    ),
    "schroedinger": Recipe(
        name="schroedinger",
        architecture=Wave(times=64, planes=False, gain=1.98),
        descent=Descent(epochs=60, rate=3e-2, batch=32),
        finetune=Descent(epochs=6, rate=3e-3, batch=32),
        validation=0.15,
        data="digits@24x24",
    ),
}


def recipe(name: str) -> Recipe:
    """The built-in recipe of that name; raises :class:`TrainingError` listing the names there are."""
    if name not in RECIPES:
        raise TrainingError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]
