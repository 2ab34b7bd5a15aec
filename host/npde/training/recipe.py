"""Training recipes: everything that decides a model, the data and nothing else apart."""

from __future__ import annotations

import msgspec

from npde.program import Program
from npde.training.architecture import Architecture, Stage, build_program
from npde.training.errors import TrainingError


class Augmentation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Random changes of each training sample, drawn anew every epoch.

    ``shift``: up to so many cells in each direction, background moving in. ``cutout``: one square
    of that side set to background. ``flip``: mirrored left to right every second time.
    """

    shift: int = 0
    cutout: int = 0
    flip: bool = False


class Descent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One phase of Adam with a cosine schedule to zero after a linear warm-up of ``warmup`` of all steps.

    ``decay`` is decoupled weight decay on kernels (Loshchilov and Hutter 2019), ``smoothing`` the
    share of the target spread evenly over all classes.
    """

    epochs: int
    rate: float
    batch: int = 64
    warmup: float = 0.05
    decay: float = 1e-4
    smoothing: float = 0.05
    augmentation: Augmentation = Augmentation()


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A named way to a model: its architecture, the float descent, the quantised descent, the seed.

    ``diffusion`` starts every Euler step as isotropic diffusion with that ``D·dt/h²``. Formats come
    from the architecture alone, so retraining keeps the bitstream.
    """

    name: str
    architecture: Architecture
    descent: Descent
    finetune: Descent
    seed: int = 0
    diffusion: float = 0.0

    def __post_init__(self) -> None:
        for phase in (self.descent, self.finetune):
            if phase.epochs < 0 or phase.batch < 1 or not phase.rate > 0:
                raise TrainingError(
                    f"recipe {self.name!r}: epochs, batch and rate must be positive, "
                    f"not {phase.epochs}, {phase.batch} and {phase.rate}"
                )

    def program(self, shape: tuple[int, int, int], classes: int) -> Program:
        """The program for samples of ``shape`` (height, width, channels)."""
        return build_program(self.architecture, shape, classes, self.name)


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
    ),
}


def recipe(name: str) -> Recipe:
    """The built-in recipe of that name; raises :class:`TrainingError` listing the names there are."""
    if name not in RECIPES:
        raise TrainingError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]
