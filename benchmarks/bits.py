"""Accuracy against bits: ``python benchmarks/bits.py [FASHION [BEST.float [EPOCHS]]]`` prints the table and draws the plot.

For each width every stencil step's weights and fields get that many bits, each step's range is the power of two that rounds its kernel
best, and the recipe's quantised descent starts from the same float network. Pooled sums and the answer's few weights keep 8 bits. The
digits run over three seeds; with Fashion-MNIST's FOLDER and the float parameters that ``npde train --recipe best`` left, the best recipe's
model too, by one descent of EPOCHS a width. Golden judges each model by the test samples, once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from npde.data import Dataset, load_data
from npde.report.bits import draw, markdown
from npde.training.learn import quantise, train
from npde.training.narrow import narrowed
from npde.training.parameters import FloatModel
from npde.training.recipe import recipe

WIDTHS = (2, 3, 4, 6, 8, 16)
SEEDS = 3
TARGET = Path("build/bits")


def main(fashion: str = "", best: str = "", epochs: str = "4") -> None:
    """The digits, and Fashion-MNIST where its folder is given."""
    data = load_data("digits")
    studies = {"digits": _study([train(msgspec.structs.replace(recipe("digits"), seed=seed), data) for seed in range(SEEDS)], data)}
    if fashion:
        trained, data = FloatModel.load(best), load_data(fashion)
        phase = msgspec.structs.replace(trained.recipe.finetune, epochs=int(epochs))
        trained = FloatModel(
            trained.program, trained.tensors, trained.preprocess, msgspec.structs.replace(trained.recipe, finetune=phase), trained.notes
        )
        studies[data.name] = _study([trained], data)
    table = markdown(studies)
    print(table)
    draw(studies, TARGET / "bits.png")
    (TARGET / "bits.md").write_text(table + "\n")


def _study(trained: list[FloatModel], data: Dataset) -> tuple[list[float], dict[int, list[float]]]:
    by_width: dict[int, list[float]] = {width: [] for width in WIDTHS}
    for width, shares in by_width.items():
        for model in trained:
            shares.append(float(quantise(narrowed(model, width), data).notes["quantised accuracy"]))
            print(f"{data.name}, {width} bit, seed {model.recipe.seed}: {shares[-1]:.2%}", file=sys.stderr, flush=True)
    return [float(model.notes["float accuracy"]) for model in trained], by_width


if __name__ == "__main__":
    main(*sys.argv[1:])
