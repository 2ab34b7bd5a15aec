"""Networks solved by pseudoinverses: ``python benchmarks/pseudoinverse.py FOLDER`` prints a Markdown table.

FOLDER holds Fashion-MNIST's IDX files; without it the digits alone are learned. Every hyperparameter is chosen by
validation samples; each row looks at the test samples once in real numbers and once by golden, after everything is
chosen. Seconds are those of learning, from raw samples to a float model, on the wall and on the processors; a machine
that does other things as well is best measured with OMP_NUM_THREADS=1, for BLAS threads wait for each other busily.
"""

from __future__ import annotations

import sys
import time

from npde.data import Dataset, load_data
from npde.model import Model
from npde.training.architecture import Architecture, Stage
from npde.training.errors import TrainingError
from npde.training.learn import golden_accuracy, golden_share
from npde.training.network import Perceptron
from npde.training.parameters import rounded
from npde.training.pseudoinverse import Strategy, learn
from npde.training.pseudoinverse.real import accuracy
from npde.training.recipe import Descent, Recipe
from npde.training.samples import fields_of, held_out

ROUND_ONLY = Descent(epochs=0, rate=1e-3)


def stencils(first: int, then: int, *strides: int) -> Architecture:
    """3×3 stencils to ``first`` and to ``then`` channels of fields in [0, 1), 2×2 sums, the answers."""
    stages = (Stage(channels=first, stride=strides[0]), Stage(channels=then, stride=strides[1]))
    return Architecture(stages=stages, rectify=True, pool_size=2, pool_range=2)


def dense(*hidden: int) -> Perceptron:
    """Full-size kernels with ReLU; the weights' format is fine, for solved ones are small."""
    return Perceptron(hidden=hidden, field_range=2, weight_range=-3)


DIGITS: list[tuple[str, Perceptron | Architecture, tuple[Strategy, ...]]] = [
    ("3×3 stencils 1 → 8 → 16", stencils(8, 16, 1, 1), ("pil", "pilae", "random")),
    ("dense 64 → 48", dense(48), ("pil", "pilae", "random")),
]
FASHION: list[tuple[str, Perceptron | Architecture, tuple[Strategy, ...]]] = [
    ("3×3 stencils 1 → 16 → 48, the first of stride 2", stencils(16, 48, 2, 1), ("pilae",)),
    ("3×3 stencils 1 → 8 → 48, the first of stride 2", stencils(8, 48, 2, 1), ("pil", "random")),
    ("3×3 stencils 1 → 8 → 32, the second of stride 2", stencils(8, 32, 1, 2), ("pil", "pilae", "random")),
    ("dense 784 → 40", dense(40), ("pil", "pilae", "random")),
    ("dense 784 → 1000", dense(1000), ("pil", "random")),
]


def row(what: str, architecture: Perceptron | Architecture, strategy: Strategy, data: Dataset) -> str:
    """Learn one network and say how it did."""
    recipe = Recipe(name="solved", architecture=architecture, descent=ROUND_ONLY, finetune=ROUND_ONLY, validation=0.1)
    began, worked = time.perf_counter(), time.process_time()
    try:
        solved = learn(recipe, data, strategy, test=False)
    except TrainingError as error:  # too little rank is an answer too
        return f"| {data.name} | {strategy} | {what} | {error} |"
    seconds, busy = time.perf_counter() - began, time.process_time() - worked
    fields = fields_of(solved.program, solved.preprocess, data.test_x)
    ideal = accuracy(solved.program, solved.tensors, fields, data.test_y)
    model = Model(solved.program, rounded(solved.program, solved.tensors), solved.preprocess)
    held = held_out(data.train_y, recipe.validation)
    validation = golden_share(model, data.train_x[held], data.train_y[held])
    return (
        f"| {data.name} | {strategy} | {what} | {solved.program.weight_count:,} | {seconds:.1f} | {busy:.1f} "
        f"| {float(solved.notes['float validation accuracy']):.2%} | {ideal:.2%} | {validation:.2%} "
        f"| {golden_accuracy(model, data):.2%} | {solved.notes['settings']} |"
    )


def main(folder: str = "") -> None:
    """One row a network and strategy."""
    print(
        "| data | strategy | program | weights | seconds | of processors | float validation | float test "
        "| quantised validation | quantised test | chosen |"
    )
    print("| --- " * 11 + "|")
    for source, networks in (("digits", DIGITS), (folder, FASHION)):
        if source:
            data = load_data(source)
            for what, architecture, strategies in networks:
                for strategy in strategies:
                    print(row(what, architecture, strategy, data), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
