"""The pair of programs: B from the image to the code, A from the code to the image and the logits."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from npde.program import Grid, Pool, Program, Q
from npde.training.formats import INPUT_BITS
from npde.training.synergetic.configuration import Synergy

CODE = Q(INPUT_BITS, INPUT_BITS - 1)
"""A code's values are what any program takes as its input: B's answer is A's input, integer for integer."""


@dataclass(frozen=True)
class Pair:
    """Two programs that fit: ``b`` leaves the 1×1 grid that ``a`` takes; ``a`` leaves the image's values, then ``classes`` logits."""

    a: Program
    b: Program
    classes: int

    @property
    def image(self) -> Grid:
        """The grid both are about."""
        return self.b.input


def programs(synergy: Synergy, shape: tuple[int, int, int], classes: int) -> Pair:
    """The pair of ``synergy`` for images of ``shape`` (height, width, channels) in Q(8,7).

    B is the classifier's program with its last step asked for the code: the same kernels, another output format. A's last
    step is the full-size kernel from its last layer to every value of the image, in (y, x, channel) order, and to each
    class's logit. Raises :class:`npde.errors.ProgramError` where steps do not fit the grid.
    """
    whole = synergy.reduction.program(shape, synergy.code, f"{synergy.name} B")
    *steps, last = (step for step in whole.steps if not (isinstance(step, Pool) and step.size == 1))
    b = msgspec.structs.replace(whole, steps=(*steps, msgspec.structs.replace(last, out=CODE)), argmax=False)
    values = shape[0] * shape[1] * shape[2]
    answering = synergy.generation.program((1, 1, synergy.code), values + classes, f"{synergy.name} A")
    return Pair(msgspec.structs.replace(answering, argmax=False), b, classes)
