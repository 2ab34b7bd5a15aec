"""Waves that classify: an image is the amplitude of a field that evolves through trained media onto detectors.

Both equations are iψ_t = -½∇²ψ + Vψ for ψ = a + ib. In the paraxial Helmholtz equation time is the depth z
and V = -k·Δn/n₀ differs from plane to plane (a diffractive network: Lin et al. 2018); in the Schrödinger
equation V is one potential for all times. The scheme is Visscher's leapfrog (1991): a moves by the b there is, then
b by the new a. With c = dt/2h² and v = dt·V of a cell it is stable while |8c + v| < 2, so a map whose format
cannot hold more than that is stable however it is trained.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from npde.fixed import Q
from npde.program import (
    CENTRE,
    CROSS,
    Boundary,
    Dense,
    Evolve,
    Form,
    Grid,
    Pool,
    Product,
    Program,
    Stencil,
    Term,
    Update,
)  # fmt: skip
from npde.training.errors import TrainingError
from npde.training.formats import ANSWER_BITS, BIAS_BITS, INPUT_BITS, ranged

COEFFICIENT = Q(16, 14)
LAPLACIAN = tuple(-4 if tap == CENTRE else 1 for tap in CROSS)


class Wave(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="wave"):
    """Amplitude, ``times`` leapfrog steps, intensity, sums over detector tiles, the brightest class.

    ``planes``: a trained map for each time step (paraxial Helmholtz) or one for all (Schrödinger). ``diffraction``
    is c = dt/2h². Fields of ``field_bits`` span ±2**``field_range``, map values of ``map_bits`` ±2**``map_range``.
    The wave starts on cells of ``coarsen × coarsen`` averaged samples. It goes 2·c cells a time step at most, so that
    much of the grid comes together in ``times`` of them. The last grid is summed in ``regions × regions`` tiles. With ``differential`` the answer of class k is tile k's
    intensity less that of tile ``classes + k`` (Li et al. 2019), without tile k's alone; both weights are fixed at
    ``gain``. With ``readout`` the weights of the tiles are trained, in ``readout_bits`` bits.
    """

    times: int
    planes: bool
    diffraction: float = 0.125
    coarsen: int = 1
    boundary: Boundary = "dirichlet"
    field_bits: int = 16
    field_range: int = 3
    map_bits: int = 12
    map_range: int = -1
    regions: int = 4
    pool_range: int = 6
    differential: bool = False
    readout: bool = False
    readout_bits: int = 8
    gain: float = 1.0

    def __post_init__(self) -> None:
        for sign in (1, -1):
            if abs(4 * self.diffraction * (1 + sign) + sign * 2.0**self.map_range) > 2:
                raise TrainingError(
                    f"a leapfrog with diffraction {self.diffraction:g} and maps of ±{2.0**self.map_range:g} is unstable: "
                    f"8·diffraction + map may reach 2, not {8 * self.diffraction + 2.0**self.map_range:g}"
                )

    def program(self, shape: tuple[int, int, int], classes: int, name: str) -> Program:
        """The program for images of ``shape`` (height, width, 1) in Q(8,7); raises :class:`TrainingError` for others."""
        height, width, channels = shape
        rows, cols = -(-height // self.coarsen), -(-width // self.coarsen)
        size = min(rows, cols) // self.regions
        tiles = (rows // size) * (cols // size) if size else 0
        needed = classes * (1 + self.differential)
        if channels != 1 or height < 2 or width < 2:
            raise TrainingError(f"a wave starts as one image of at least 2×2 cells, not {height}×{width}×{channels}")
        if tiles < needed and not (self.readout and tiles):
            raise TrainingError(
                f"{needed} detectors for {classes} classes, but {self.regions}×{self.regions} regions on a "
                f"{rows}×{cols} grid make {tiles}"
            )
        field, pooled = ranged(self.field_bits, self.field_range), ranged(self.field_bits, self.pool_range)
        reader = ranged(self.readout_bits, 1)
        answer = Q(ANSWER_BITS, min(ranged(ANSWER_BITS, self.pool_range + 1).frac, reader.frac + pooled.frac))
        return Program(
            name=name,
            input=Grid(height, width, 1, Q(INPUT_BITS, INPUT_BITS - 1)),
            steps=(self._amplitude(field), self._evolve(field), _intensity(field, self.boundary),
                   Pool(kind="sum", size=size, out=pooled),
                   Dense(out_channels=classes, weight=reader, bias=Q(BIAS_BITS, 8), out=answer)),
            argmax=True,
        )  # fmt: skip

    def start(self, program: Program, seed: int) -> Mapping[str, NDArray[np.float32]]:
        """The tensors physics prescribes: amplitude, coefficients and detectors; small random maps."""
        c, classes = self.diffraction, program.steps[-1].out_channels  # type: ignore[union-attr]
        tiles = program.grids()[-2]
        detectors = np.zeros((classes, tiles.height * tiles.width, 2))
        for label in range(classes):
            detectors[label, label % detectors.shape[1], 0] = self.gain
            if self.differential:
                detectors[label, classes + label, 0] = -self.gain
        rng = np.random.default_rng(seed)
        shape = program.tensors()[1]["maps"][0]
        tensors = {
            "0.kernel": np.array([0.5, 0]).reshape(2, 1, 1) * np.full(self.coarsen**2, 1 / self.coarsen**2),
            "0.bias": np.array([0.5, 0]),
            "1.kernel": np.array([-c, 1, c, -1]).reshape(4, 1, 1),
            "1.maps": rng.normal(size=shape) * 2.0**self.map_range / 8,
            "2.kernel": np.ones((1, 1, 1)),
            "4.kernel": detectors.reshape(classes, -1, 1),
        }
        return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}

    def frozen(self) -> frozenset[str]:
        """The tensors training leaves alone: all but the maps, and the readout where it is trained."""
        fixed = {f"{index}.{part}" for index in (0, 1, 2) for part in ("kernel", "bias")}
        return frozenset(fixed if self.readout else fixed | {"4.kernel", "4.bias"})

    def _amplitude(self, field: Q) -> Stencil:
        """Samples in [-1, 1) to the real part in [0, 1); the imaginary part is zero."""
        taps = tuple((dy, dx) for dy in range(self.coarsen) for dx in range(self.coarsen))
        return Stencil(
            out_channels=2, taps=taps, weight=Q(10, 9), bias=Q(16, 14), out=field, boundary=self.boundary, stride=self.coarsen
        )  # fmt: skip

    def _evolve(self, field: Q) -> Evolve:
        product = Q(field.width, field.frac + 1)

        def half(told: int, seen: int, first: int) -> Update:
            forms = (
                Form(channel=seen, taps=CROSS, weights=LAPLACIAN, shift=max(0, field.width + 3 - 18)),
                Form(channel=seen, taps=(CENTRE,), weights=(1,)),
                Form(channel=2, taps=(CENTRE,), weights=(1,)),
            )
            terms = (Term(channel=told, coefficient=first, value=0), Term(channel=told, coefficient=first + 1, value=3))
            return Update(forms=forms, products=(Product(left=1, right=2, out=product),), terms=terms, boundary=self.boundary)

        return Evolve(
            body=(half(0, 1, 0), half(1, 0, 2)), times=self.times, coefficients=4, weight=COEFFICIENT,
            bias=Q(BIAS_BITS, 8), maps=1, map=ranged(self.map_bits, self.map_range), planes=self.planes,
        )  # fmt: skip


def _intensity(field: Q, boundary: Boundary) -> Evolve:
    """|ψ|² in channel 0; what is left in channel 1 no detector looks at."""
    forms = tuple(Form(channel=channel, taps=(CENTRE,), weights=(1,)) for channel in (0, 1))
    products = tuple(Product(left=channel, right=channel, out=field) for channel in (0, 1))
    terms = tuple(Term(channel=0, coefficient=0, value=value) for value in (2, 3))
    update = Update(forms=forms, products=products, terms=terms, boundary=boundary, skip=False)
    return Evolve(body=(update,), times=1, coefficients=1, weight=COEFFICIENT, bias=Q(BIAS_BITS, 8))
