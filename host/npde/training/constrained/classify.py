"""A diffractive classifier trained by the hand-written adjoint: numpy from the image to the gradient of every index plane.

    min_v  1/n Σ -log softmax(W·pool(|ψ_T|²) + b)[label]       subject to ψ_{t+1} = F(ψ_t; v_t)

with :class:`npde.training.wave.Wave`'s program: the image is the amplitude that sets out, v_t the index plane of step t (or one
potential for all), the detectors sum the intensity. Only v is trained, inside the map's format, which holds no value that
is unstable: v = ±2**map_range·(2σ(z) - 1). The descent is Adam (D. P. Kingma and J. Ba, 2015) on z, its rate lowered to zero along half a cosine. The network is the ideal
one; :attr:`Classified.model` has it rounded, and golden's accuracy is that of the board.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npde import golden
from npde.data import Dataset
from npde.model import Model
from npde.program import Dense, Evolve, Pool, Program, Stencil
from npde.training.constrained.adjoint import gradient
from npde.training.constrained.forward import Coefficients, Real, Scheme, Stepper, inward, of_evolve
from npde.training.constrained.parametrise import Interval
from npde.training.errors import TrainingError
from npde.training.parameters import rounded
from npde.training.samples import unit_range
from npde.training.wave import Wave

DECAYS = (0.9, 0.99)
"""Adam's memory of the gradient and of its square."""
TOGETHER = 256


@dataclass(frozen=True)
class Classified:
    """A trained classifier.

    ``tensors`` are real, by name; ``losses`` the mean loss of each epoch; ``accuracy`` the ideal network's on the test samples and
    ``golden_accuracy`` that of the ``model`` of integers, which a board runs.
    """

    program: Program
    tensors: dict[str, Real]
    losses: tuple[float, ...]
    accuracy: float
    model: Model
    golden_accuracy: float


def classify(
    data: Dataset, wave: Wave, *, epochs: int = 10, rate: float = 0.05, batch: int = 32, seed: int = 0,
    progress: Callable[[int, float], None] | None = None,
) -> Classified:  # fmt: skip
    """``wave``'s classifier trained on ``data``; ``progress`` is told each epoch and its mean loss.

    The test samples are looked at once, at the end. Raises :class:`TrainingError` for a wave or images that do not
    fit, for fewer samples than a batch, and for a loss that is not finite.
    """
    if epochs < 1 or not 1 <= batch <= len(data.train_x) or not rate > 0:
        raise TrainingError(
            f"a descent has 1 or more epochs, a positive rate and batches of 1 to {len(data.train_x)} samples, "
            f"not {epochs}, {rate:g} and {batch}"
        )
    program = wave.program(data.sample_shape, data.classes, "wave")
    tensors = _start(wave, program, seed)
    preprocess = unit_range(data)
    x = data.train_x * preprocess.scale + preprocess.offset
    interval = Interval(-(2.0**wave.map_range), 2.0**wave.map_range)
    z = interval.inverse(tensors["1.maps"])
    memory, losses, step = [np.zeros_like(z), np.zeros_like(z)], [], 0
    rng = np.random.default_rng((seed, 1))
    batches = epochs * (len(x) // batch)
    for epoch in range(epochs):
        order, total = rng.permutation(len(x)), 0.0
        for first in range(0, len(x) - batch + 1, batch):
            chosen = order[first : first + batch]
            told, slope = loss(program, {**tensors, "1.maps": interval.value(z)}, x[chosen], data.train_y[chosen])
            total, step = total + told, step + 1
            z = z - rate * np.cos(np.pi / 2 * (step - 1) / batches) * _adam(memory, interval.slope(z) * slope, step)
        losses.append(total / (len(x) // batch))
        if progress is not None:
            progress(epoch + 1, losses[-1])
    tensors["1.maps"] = interval.value(z)
    model = Model(program, rounded(program, tensors), preprocess)
    label = golden.run(model, model.quantise_input(data.test_x)).label
    answers = outputs(program, tensors, data.test_x * preprocess.scale + preprocess.offset)
    return Classified(
        program, tensors, tuple(losses), float(np.mean(answers.argmax(axis=1) == data.test_y)), model, float(np.mean(label == data.test_y))
    )  # fmt: skip


def loss(program: Program, tensors: Mapping[str, Real], x: ArrayLike, labels: NDArray[np.integer]) -> tuple[float, Real]:
    """The mean cross-entropy of samples ``x`` (n, height, width) in [-1, 1), and its derivative by ``1.maps`` (1 or times, height, width, 1)."""
    evolve, scheme, coefficients, start = _evolution(program, tensors, x)

    def objective(time: int, state: Real) -> tuple[float, Real] | None:
        if time < evolve.times:
            return None
        logits = _read(program, tensors, state)
        logits = logits - logits.max(axis=1, keepdims=True)
        each = np.arange(len(logits))
        chances = np.exp(logits)
        chances /= chances.sum(axis=1, keepdims=True)
        told = -float(np.mean(np.log(np.maximum(chances[each, labels], np.finfo(float).tiny))))
        chances[each, labels] -= 1
        return told, _read_transposed(program, tensors, state, chances / len(logits))

    told = gradient(scheme, coefficients, start, evolve.times, objective)
    return told.value, told.maps


def outputs(program: Program, tensors: Mapping[str, Real], x: ArrayLike) -> Real:
    """The answers (n, classes) of the ideal network for samples ``x`` (n, height, width) in [-1, 1)."""
    found = []
    samples = np.asarray(x, np.float64)
    for first in range(0, len(samples), TOGETHER):
        evolve, scheme, coefficients, start = _evolution(program, tensors, samples[first : first + TOGETHER])
        state = Stepper(scheme, coefficients).run(inward(start), range(evolve.times))
        found.append(_read(program, tensors, inward(state)))
    return np.concatenate(found)


def _evolution(
    program: Program, tensors: Mapping[str, Real], x: ArrayLike
) -> tuple[Evolve, Scheme, Coefficients, Real]:
    """The evolution, its scheme and coefficients, and the amplitudes that set out."""
    stencil, evolve = program.steps[:2]
    assert isinstance(stencil, Stencil)
    assert isinstance(evolve, Evolve)
    samples = np.asarray(x, np.float64)
    height, width = program.input.height, program.input.width
    if samples.ndim != 3 or samples.shape[1:] != (height, width):
        raise TrainingError(f"samples have the shape (n, {height}, {width}), not {samples.shape}")
    c = stencil.stride
    if height % c or width % c:
        raise TrainingError(f"{height}×{width} samples are no whole number of {c}×{c} cells")
    cells = samples.reshape(len(samples), height // c, c, width // c, c)
    start = np.einsum("nyixj,oij->nyxo", cells, tensors["0.kernel"].reshape(2, c, c)) + tensors["0.bias"]
    coefficients = Coefficients(tensors["1.kernel"].ravel(), tensors["1.bias"], tensors["1.maps"])
    return evolve, of_evolve(evolve, program.grids()[1]), coefficients, start


def _read(program: Program, tensors: Mapping[str, Real], state: Real) -> Real:
    """Intensity (and im, which no detector weighs), summed over tiles, weighed: (n, classes)."""
    seen = np.stack([tensors["2.kernel"].item() * (state**2).sum(axis=-1), state[..., 1]], axis=-1)
    pooled = _tiles(program, seen).sum(axis=(2, 4))
    return pooled.reshape(len(state), -1) @ tensors["4.kernel"][..., 0].T + tensors["4.bias"]


def _read_transposed(program: Program, tensors: Mapping[str, Real], state: Real, slope: Real) -> Real:
    """The derivative by the state (n, height, width, 2) of answers whose derivative is ``slope`` (n, classes)."""
    spread = np.zeros_like(state)
    tiles = _tiles(program, spread)  # a view
    tiles += (slope @ tensors["4.kernel"][..., 0]).reshape(len(state), tiles.shape[1], 1, tiles.shape[3], 1, 2)
    told = 2 * tensors["2.kernel"].item() * spread[..., :1] * state
    told[..., 1] += spread[..., 1]
    return told


def _tiles(program: Program, field: Real) -> Real:
    """A view of the whole tiles of ``field`` (n, height, width, 2): (n, rows, size, columns, size, 2)."""
    pool, dense = program.steps[3:5]
    assert isinstance(pool, Pool)
    assert isinstance(dense, Dense)
    rows, columns = field.shape[1] // pool.size, field.shape[2] // pool.size
    n, _, _, channels = field.shape
    shape = (n, rows, pool.size, columns, pool.size, channels)
    a, b, c, d = field.strides
    return np.lib.stride_tricks.as_strided(field, shape, (a, b * pool.size, b, c * pool.size, c, d))


def _start(wave: Wave, program: Program, seed: int) -> dict[str, Real]:
    """Every tensor of the program: what physics prescribes, small random maps, and zero biases."""
    zeros = {
        f"{index}.{part}": np.zeros(shape) for index, parts in program.tensors().items() for part, (shape, _) in parts.items()
    }
    return {**zeros, **{name: np.asarray(tensor, np.float64) for name, tensor in wave.start(program, seed).items()}}


def _adam(memory: list[Real], slope: Real, step: int) -> Real:
    """Adam's direction; ``memory`` holds its two running means."""
    for number, (decay, now) in enumerate(zip(DECAYS, (slope, slope**2), strict=True)):
        memory[number] = decay * memory[number] + (1 - decay) * now
    first, second = (mean / (1 - decay**step) for mean, decay in zip(memory, DECAYS, strict=True))
    return first / (np.sqrt(second) + 1e-12)
