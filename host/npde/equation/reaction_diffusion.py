"""Reaction-diffusion, u_t = D∇²u + R(u): Laplacian stencils and the explicit Euler limit, in exact fractions.

A neural PDE's Euler step is u' = φ(u + dt·(K∗u + b)); K = D·∇² on each field is the start from
which a learned stencil departs, φ and b are its reaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from npde.errors import ProgramError
from npde.program import CROSS, MOORE, Tap

StencilWeights = Mapping[Tap, Fraction]


def laplacian() -> dict[Tap, Fraction]:
    """The 5-point Laplacian of unit cells: 1 on the four neighbours, -4 in the centre; error O(h²)."""
    return {tap: Fraction(-4 if tap == (0, 0) else 1) for tap in CROSS}


def isotropic_laplacian() -> dict[Tap, Fraction]:
    """The 9-point Laplacian of unit cells, (4, 1, -20)/6: its O(h²) error has no preferred direction.

    Patra and Karttunen 2006; also Collatz's "Mehrstellen" left-hand side.
    """
    weight = {0: Fraction(-20, 6), 1: Fraction(4, 6), 2: Fraction(1, 6)}
    return {(dy, dx): weight[abs(dy) + abs(dx)] for dy, dx in MOORE}


def diffusion_limit(stencil: StencilWeights) -> Fraction:
    """The greatest D·dt/h² at which explicit Euler with a symmetric Laplacian ``stencil`` is stable.

    The symbol λ(θ) = Σ k·cos(θ·tap) has its minimum at a checkerboard wave number θ ∈ {0, π}² for
    both Laplacians above; stability needs 1 + D·dt/h²·λ ≥ -1, so the limit is 2/max(-λ): 1/4 for
    the 5-point stencil, 3/8 for the 9-point one.
    """
    worst = min(
        sum((weight * (-1) ** ((a * dy + b * dx) % 2) for (dy, dx), weight in stencil.items()), Fraction(0))
        for a in (0, 1)
        for b in (0, 1)
    )
    if worst >= 0:
        raise ProgramError("the stencil is no Laplacian: it damps no checkerboard mode")
    return Fraction(2) / -worst


def euler_stencil(
    stencil: StencilWeights, *, diffusivity: Fraction, dt: Fraction, h: Fraction = Fraction(1), force: bool = False
) -> dict[Tap, Fraction]:
    """``dt·D/h²`` times ``stencil``: the K of u' = u + K∗u, exactly.

    Raises :class:`ProgramError` naming the limit when D·dt/h² exceeds it (``force`` allows it), or
    when a number is not positive.
    """
    if diffusivity < 0 or dt <= 0 or h <= 0:
        raise ProgramError(f"diffusion needs D ≥ 0, dt > 0 and h > 0, not D={diffusivity}, dt={dt}, h={h}")
    number = Fraction(diffusivity) * Fraction(dt) / Fraction(h) ** 2
    limit = diffusion_limit(stencil)
    if number > limit and not force:
        raise ProgramError(f"D·dt/h² = {number} exceeds {limit}, the stability limit of this Laplacian")
    return {tap: number * weight for tap, weight in stencil.items()}
