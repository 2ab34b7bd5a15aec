"""Boards that are wrong on purpose: what breaks between a step's weight memory and its lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Const, Mux, Value

from npde.errors import ProgramError
from npde.link.packing import Packing


@dataclass(frozen=True)
class StuckBit:
    """Of the words of weight memory ``region``, wire ``bit`` always has this ``value``; the memory reads back well."""

    region: int
    bit: int
    value: bool


@dataclass(frozen=True)
class DeadLane:
    """Multiplier ``lane`` of the step with weight memory ``region`` always gives zero."""

    region: int
    lane: int


Defect = StuckBit | DeadLane


def spoilt(word: Value, bias: Value, packing: Packing, defects: Sequence[Defect]) -> Value:
    """What the lanes see of ``word``, which holds biases where ``bias``; raises :class:`ProgramError` for a wire or lane that is not there."""
    for defect in defects:
        match defect:
            case StuckBit(bit=bit, value=value):
                if not 0 <= bit < packing.width:
                    raise ProgramError(f"a word of region {defect.region} has bits 0 to {packing.width - 1}, not {bit}")
                mask = Const(1 << bit, packing.width)
                word = word | mask if value else word & ~mask
            case DeadLane(lane=lane):
                if not 0 <= lane < packing.fold.multipliers:
                    raise ProgramError(f"the step of region {defect.region} has lanes 0 to {packing.fold.multipliers - 1}, not {lane}")
                bits = packing.stencil.weight.width
                word = Mux(bias, word, word & ~Const((1 << bits) - 1 << lane * bits, packing.width))
    return word[: packing.width]
