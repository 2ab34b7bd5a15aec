"""Two models learned together, as detectors of anomalies and removers of noise: ``python benchmarks/synergetic.py [FOLDER] [SEEDS]``.

FOLDER holds Fashion-MNIST's IDX files; without it the digits alone are learned. Every score of a pair is of golden's
integers, on test images; principal components, as many as the code has values and fitted to the same training images,
are float64. Each row is the area under the ROC curve for one kind of anomaly: a class no training sample is of, or
images with a piece of another in them. It has every seed's area, then mean ± standard deviation over SEEDS (3) seeds. PSNR is of
images with noise, a fifth of their range, taken away in the components' row by the best linear pair (reduced-rank
regression). Progress goes to standard error.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from npde.data import Dataset, load_data
from npde.training.synergetic.anomaly import trial
from npde.training.synergetic.configuration import Synergy, Terms, synergy
from npde.training.synergetic.learn import learn
from npde.training.synergetic.measure import Measured, measure, measure_components, psnr_of_noise

WAYS = {
    "together": {},
    "in turns": {"schedule": "alternating"},
    "together, no labels": {"terms": Terms(label=0.0)},
    "apart": {"schedule": "apart"},
}
"""How a pair is learned; ``apart`` is B for the labels alone, then A on its code."""
CLASSES = {"digits": tuple(range(10)), "fashion": (0, 4, 8)}
"""Those held out, each in its turn."""


def main(folder: str = "", seeds: str = "3") -> None:
    """The areas of each data set, then its PSNR and accuracies."""
    for name, source in (("digits", "digits"), ("fashion", folder)):
        if source:
            _data(synergy(name), load_data(source), CLASSES[name], int(seeds))


def _data(base: Synergy, data: Dataset, classes: Sequence[int], seeds: int) -> None:
    print(f"\n{data.name}: code of {base.code} values, {seeds} seeds\n\n| strange | learned | score | AUC per seed | mean ± sd |")
    print("| --- | --- | --- | ---: | ---: |", flush=True)
    means: dict[tuple[str, str], list[list[float]]] = {}
    whole: dict[str, list[Measured]] = {}
    for label in (None, *classes):
        for way, found in _trial(base, data, label, seeds):
            for what in found[0].scores:
                areas = [one.areas[what] for one in found]
                kind = "patched" if label is None else f"class {label}"
                print(f"| {kind} | {way} | {what} | {' '.join(f'{area:.4f}' for area in areas)} | {_spread(areas)} |", flush=True)
                if label is not None:
                    means.setdefault((way, what), []).append(areas)
            if label is None:
                whole[way] = found
    for (way, what), areas in means.items():
        seed_means = np.mean(np.array(np.broadcast_arrays(*areas)), axis=0)
        print(f"| mean of classes | {way} | {what} | {' '.join(f'{area:.4f}' for area in seed_means)} | {_spread(seed_means)} |")
    print(f"\n| noisy {psnr_of_noise(data):.2f} dB, taken away by | PSNR per seed, dB | mean ± sd | accuracy of A's labels |")
    print("| --- | ---: | ---: | ---: |")
    for way, found in whole.items():
        decibels = [one.psnr for one in found]
        right = [one.accuracy for one in found if one.accuracy is not None]
        print(
            f"| {'linear' if way == 'components' else way} | {' '.join(f'{value:.2f}' for value in decibels)} | {_spread(decibels, 2)} | {_spread(right) if right else '–'} |",
            flush=True,
        )


def _trial(base: Synergy, data: Dataset, label: int | None, seeds: int):
    """Each way to learn with what its seeds measured; components, which draw nothing, once."""
    found = trial(data, label)
    yield "components", [measure_components(base.code, found)]
    for way, changes in WAYS.items():
        measured = []
        for seed in range(seeds):
            began = time.perf_counter()
            measured.append(measure(learn(_changed(base, changes, seed), found.learned), found))
            areas = {what: round(area, 4) for what, area in measured[-1].areas.items()}
            print(f"{data.name}, {found.name}, {way}, seed {seed}: {areas}, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        yield way, measured


def _changed(base: Synergy, changes: Mapping[str, object], seed: int) -> Synergy:
    return msgspec.structs.replace(base, **changes, seed=seed)  # type: ignore[arg-type]


def _spread(values: Sequence[float], digits: int = 4) -> str:
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


if __name__ == "__main__":
    main(*sys.argv[1:])
