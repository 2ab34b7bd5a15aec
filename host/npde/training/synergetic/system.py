"""A learned pair of models of integers, its two files, and what golden answers for images."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from npde import golden
from npde.errors import ProgramError
from npde.model import Model
from npde.training.synergetic.configuration import Synergy

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What a system makes of images, in real numbers that its integers stand for.

    ``images`` (n, height, width, channels) are those it was given, as B's input has them, ``generated`` (the same shape)
    A's, held to the images' range; ``code`` (n, code) in [-1, 1), ``logits`` (n, classes).
    """

    images: Real
    code: Real
    generated: Real
    logits: Real


@dataclass(frozen=True)
class System:
    """``b`` reduces, ``a`` generates: two models that ran together only while they learned. Raises :class:`ProgramError` where they do not fit."""

    a: Model
    b: Model
    synergy: Synergy

    def __post_init__(self) -> None:
        code, image = self.b.program.output, self.b.program.input
        if self.a.program.input != code:
            raise ProgramError(f"B leaves {code}, A takes {self.a.program.input}: the two are no pair")
        if self.a.program.output.size <= image.size:
            raise ProgramError(f"A leaves {self.a.program.output.size} values, too few for an image of {image.size} and its logits")
        try:
            sigma = float(self.a.notes.get("sigma", ""))
        except ValueError as error:
            raise ProgramError("A's notes do not say its sigma: it was not learned in a pair") from error
        if not sigma > 0:
            raise ProgramError(f"A's sigma is above 0, not {sigma:g}")

    @property
    def sigma(self) -> float:
        """The standard deviation of a value of the image around A's, as learned."""
        return float(self.a.notes["sigma"])

    def answer(self, raw: NDArray) -> Answers:
        """Golden's answers to ``raw`` images (n, height, width[, channels]): B's, then A's to B's."""
        fields = self.b.quantise_input(raw)
        code = golden.run(self.b, fields).output
        return self.read(fields, code, golden.run(self.a, code).output)

    def read(self, fields: NDArray[np.integer], code: NDArray[np.integer], out: NDArray[np.integer]) -> Answers:
        """The integers of B's input, B's answer and A's, whoever gave them, as real numbers."""
        image, last = self.b.program.input, self.a.program.output
        values = last.q.real(out).reshape(len(out), last.size)
        ends = image.q.real([image.q.low, image.q.high])
        return Answers(
            image.q.real(fields),
            self.b.program.output.q.real(code).reshape(len(code), -1),
            np.clip(values[:, : image.size], *ends).reshape(fields.shape),
            values[:, image.size :],
        )

    def save(self, folder: str | os.PathLike[str]) -> None:
        """``A.npde`` and ``B.npde``, each a model like any other."""
        self.a.save(Path(folder) / "A.npde")
        self.b.save(Path(folder) / "B.npde")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> System:
        """Read what :meth:`save` wrote; raises :class:`ProgramError` for models that were not learned together."""
        a, b = (Model.load(Path(folder) / f"{side}.npde") for side in "AB")
        try:
            synergies = [msgspec.json.decode(model.notes.get("synergy", ""), type=Synergy) for model in (a, b)]
        except (msgspec.DecodeError, ValueError) as error:
            raise ProgramError(f"the notes of A.npde and B.npde in {folder} do not say how they were learned: {error}") from error
        if synergies[0] != synergies[1]:
            raise ProgramError(f"A.npde and B.npde in {folder} were not learned together")
        return cls(a, b, synergies[0])
