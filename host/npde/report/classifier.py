"""A classifier's run on a board: its answers beside golden's, its accuracy, its plan, and its place on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npde.golden import Answer
from npde.model import Model
from npde.report.evolution import draw_evolution
from npde.report.page import Refused, counted, heading, resources_in_words, summary, wrong

PICTURED = 4
"""How many samples the picture follows, each of another class."""

EQUATIONS = {
    "digits": "u′ = φ(u + K∗u + b), reaction-diffusion",
    "fashion": "u′ = φ(u + K∗u + b), reaction-diffusion",
    "best": "u′ = φ(u + K∗u + b), reaction-diffusion, normalised while it was learned",
    "cnn": "u′ = φ(K∗u + b), free stencils: a convolutional network",
    "mlp": "u′ = φ(K u + b), full-size kernels: a multilayer perceptron",
    "mlp-fashion": "u′ = φ(K u + b), full-size kernels: a multilayer perceptron",
    "rnn": "uₜ₊₁ = φ(K uₜ + S sₜ + b), the source sₜ a row of the image: a recurrent network",
    "rnn-fashion": "uₜ₊₁ = φ(K uₜ + S sₜ + b), the source sₜ a row of the image: a recurrent network",
    "rnn-oscillations": "uₜ₊₁ = φ(K uₜ + S sₜ + b), the source sₜ a group of readings: a recurrent network",
    "helmholtz": "2ik A_z + ∇⊥²A + 2k²(Δn/n₀)A = 0, Δn trained plane by plane: light through a diffractive network",
    "helmholtz-fashion": "2ik A_z + ∇⊥²A + 2k²(Δn/n₀)A = 0, Δn trained plane by plane: light through a diffractive network",
    "schroedinger": "iψ_t = −½∇²ψ + Vψ, V trained: a wave scattered onto detectors",
}
"""What each shipped model computes."""


@dataclass(frozen=True)
class Classifier:
    """One model's run: the answers of ``board`` and ``golden`` to the first test ``samples`` of the data set ``data``.

    ``labels`` (samples,) are the right ones; golden has ``right`` of the ``tested`` samples of the whole test set.
    ``plan`` has figures by name, ``resources`` (used, available) by kind.
    """

    name: str
    model: Model
    data: str
    samples: NDArray[Any]
    labels: NDArray[np.int64]
    board: Answer
    golden: Answer
    right: int
    tested: int
    plan: Mapping[str, int | float]
    resources: Mapping[str, tuple[int, int]]

    @property
    def compared(self) -> int:
        """Integers the board answered with: outputs and labels."""
        return self.golden.output.size + (0 if self.golden.label is None else self.golden.label.size)

    @property
    def mismatches(self) -> int:
        """Those of them in which the board differs from golden."""
        outputs = int(np.count_nonzero(self.board.output != self.golden.output))
        return outputs + (0 if self.golden.label is None else int(np.count_nonzero(self.board.label != self.golden.label)))

    @property
    def accuracy(self) -> float:
        """The board's, of the samples it was sent."""
        return float(np.mean(_labels(self.board) == self.labels))

    def as_dict(self) -> dict[str, Any]:
        """The figures for a table; accuracies and the multipliers' busy part from 0 to 1."""
        return {
            "model": self.name,
            "data": self.data,
            "samples": len(self.samples),
            "integers compared": self.compared,
            "mismatches": self.mismatches,
            "board accuracy": self.accuracy,
            "golden accuracy": self.right / self.tested,
            "test samples": self.tested,
            **self.plan,
        }


def introduction(rows: Sequence[Classifier | Refused], clock: int) -> list[str]:
    """What was done and the table of it, HTML; ``clock`` in Hz."""
    shown = [row for row in rows if isinstance(row, Classifier)]
    compared, mismatches = sum(row.compared for row in shown), sum(row.mismatches for row in shown)
    heads = (
        "data", "samples", "integers compared", "mismatches", "board accuracy", "golden accuracy", "cycles per frame", "frames/s",
        "multipliers", "busy",
    )  # fmt: skip
    cells = {
        _anchor(row): row if isinstance(row, Refused) else (
            row.name, escape(row.data), f"{len(row.samples):,}", f"{row.compared:,}", wrong(row.mismatches), f"{row.accuracy:.2%}",
            f"{row.right / row.tested:.2%} of {row.tested:,}", f"{row.plan['cycles per frame']:,}", f"{row.plan['frames per second']:,.0f}",
            f"{row.plan['multipliers']:,}", f"{row.plan['multipliers busy']:.1%}",
        )
        for row in rows
    }  # fmt: skip
    return [
        f"<p>{len(shown)} of {len(rows)} classifiers ran on the simulated board over its serial wire: their weights were written and read "
        f"back, and test samples sent. {compared:,} integers, every output and label, were compared with golden; {counted(mismatches)}. "
        f"Cycles, busy multipliers and resources are the plan's, frames a second at its clock of {clock / 1e6:g} MHz, the wire not counted.</p>",
        summary("classifier", heads, cells),
    ]


def section(row: Classifier | Refused, folder: Path) -> str:
    """The classifier's own part of the page, HTML; draws its picture in ``folder``."""
    head = heading(_anchor(row), f"{row.name}, a classifier", EQUATIONS[row.name])
    if isinstance(row, Refused):
        return f"{head}<p>{escape(row.sentence)}</p>"
    picture = f"{_anchor(row)}.png"
    _draw(row, folder / picture)
    program, plan = row.model.program, row.plan
    return (
        f"{head}<p>{escape(str(program.input))} to {program.output.size} outputs in {len(program.steps)} steps with {program.weight_count:,} weights; "
        f"{len(row.samples):,} samples of {escape(row.data)}, {counted(row.mismatches)}. The board has {row.accuracy:.2%} of them right, golden "
        f"{row.right / row.tested:.2%} of all {row.tested:,}. {plan['cycles per frame']:,} cycles a frame, {plan['frames per second']:,.0f} frames a "
        f"second, {plan['multipliers']:,} multipliers {plan['multipliers busy']:.1%} busy. Resources: {resources_in_words(row.resources)}.</p>"
        f'<img src="{escape(picture)}" alt="{escape(row.name)}: the field of some samples, step by step, and the outputs">'
    )


def _draw(row: Classifier, path: Path) -> None:
    """The evolution of the first samples that are each of another class."""
    _, first = np.unique(row.labels, return_index=True)
    shown = np.sort(first)[:PICTURED]
    draw_evolution(row.model, row.samples[shown], path, labels=row.labels[shown], title=row.name)


def _anchor(row: Classifier | Refused) -> str:
    """Another name than an equation's: schroedinger is both."""
    return f"{row.name}-classifier"


def _labels(answer: Answer) -> NDArray[np.int64]:
    return answer.output.reshape(len(answer.output), -1).argmax(axis=1) if answer.label is None else answer.label
