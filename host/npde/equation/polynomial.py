"""Right-hand sides on the grid: polynomials in linear forms of neighbouring cells, with exact coefficients.

A :class:`Lin` is a form with coprime integer weights on the taps of one channel; a :data:`Poly` maps a
product of forms (sorted; the empty one is the constant) to its coefficient. Difference operators turn
polynomials into polynomials: applied to a product they shift its forms tap by tap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

import sympy

from npde.equation import language
from npde.equation.reaction_diffusion import isotropic_laplacian, laplacian
from npde.errors import ProgramError
from npde.program import CENTRE, Tap


class Lin(NamedTuple):
    """``Σ weight·u[channel, y+dy, x+dx]`` with coprime integer weights, the first positive; taps sorted."""

    channel: int
    taps: tuple[Tap, ...]
    weights: tuple[int, ...]


Monomial = tuple[Lin, ...]
Poly = dict[Monomial, Fraction]
Stencil = Mapping[Tap, Fraction]

MOST_MONOMIALS = 200


def constant(value: Fraction) -> Poly:
    """The polynomial that is ``value`` everywhere."""
    return {(): value} if value else {}


def field(channel: int) -> Poly:
    """The channel itself."""
    return {(Lin(channel, (CENTRE,), (1,)),): Fraction(1)}


def add(*polys: Poly) -> Poly:
    """Their sum; the linear part of each channel stays split into the forms it came in."""
    total: Poly = {}
    for poly in polys:
        for key, value in poly.items():
            total[key] = total.get(key, Fraction(0)) + value
    return {key: value for key, value in total.items() if value}


def scale(poly: Poly, factor: Fraction) -> Poly:
    """``factor`` times ``poly``."""
    return {key: value * factor for key, value in poly.items() if factor}


def multiply(left: Poly, right: Poly) -> Poly:
    """Their product; raises :class:`ProgramError` where it has too many monomials to be worth hardware."""
    if len(left) * len(right) > MOST_MONOMIALS * 4:
        raise ProgramError(
            f"a product of {len(left)} by {len(right)} monomials is too large; {MOST_MONOMIALS} is the most"
        )
    total: Poly = {}
    for a, x in left.items():
        for b, y in right.items():
            key = tuple(sorted(a + b))
            total[key] = total.get(key, Fraction(0)) + x * y
    return {key: value for key, value in total.items() if value}


def linear(weights: Mapping[tuple[int, Tap], Fraction]) -> Poly:
    """The polynomial of degree one with these weights, one form a channel."""
    total: Poly = {}
    for channel in sorted({channel for channel, _ in weights}):
        taps = {tap: value for (of, tap), value in sorted(weights.items()) if of == channel and value}
        if taps:
            form, factor = normalised(channel, taps)
            total[(form,)] = factor
    return total


def normalised(channel: int, taps: Stencil) -> tuple[Lin, Fraction]:
    """``taps`` as a form and the factor that form is to be multiplied by."""
    ordered = sorted((tap, value) for tap, value in taps.items() if value)
    common = math.lcm(*(value.denominator for _, value in ordered))
    whole = [int(value * common) for _, value in ordered]
    divisor = math.gcd(*whole) * (1 if whole[0] > 0 else -1)
    form = Lin(channel, tuple(tap for tap, _ in ordered), tuple(value // divisor for value in whole))
    return form, Fraction(divisor, common)


def shifted(form: Lin, by: Tap) -> Lin:
    """The form seen from a cell ``by`` away."""
    return form._replace(taps=tuple((dy + by[0], dx + by[1]) for dy, dx in form.taps))


def differ(poly: Poly, stencil: Stencil) -> Poly:
    """``Σ_tap stencil[tap] · poly at that tap``; the constant part gives what the weights sum to."""
    weights: dict[tuple[int, Tap], Fraction] = {}
    rest: Poly = {}
    for key, value in poly.items():
        if len(key) == 1:
            for tap, weight in zip(key[0].taps, key[0].weights, strict=True):
                for by, factor in stencil.items():
                    place = (key[0].channel, (tap[0] + by[0], tap[1] + by[1]))
                    weights[place] = weights.get(place, Fraction(0)) + value * weight * factor
            continue
        for by, factor in stencil.items():
            moved = tuple(sorted(shifted(form, by) for form in key))
            rest[moved] = rest.get(moved, Fraction(0)) + value * factor
    return add(linear(weights), rest)


class Reader:
    """Reads sympy expressions into polynomials on one grid.

    ``names`` maps fields and maps to channels, ``constants`` names to numbers; ``sign`` says of a map's
    channel whether it is nowhere negative (1), nowhere positive (-1) or neither (0). ``order`` is the
    lowest order of accuracy of the differences read so far, None before the first; ``differences`` are
    those of its terms that multiply a field by a difference.
    """

    def __init__(
        self, names: Mapping[str, int], constants: Mapping[str, Fraction], h: Fraction, rows: bool, columns: bool,
        sign: Callable[[int], int],
    ) -> None:  # fmt: skip
        self.names, self.constants, self.h, self.sign = names, constants, h, sign
        self.axes: tuple[Tap, ...] = (*(((1, 0),) if rows else ()), *(((0, 1),) if columns else ()))
        self.order: int | None = None

    def read(self, expr: sympy.Expr, where: str) -> Poly:
        """The polynomial of ``expr``; raises :class:`ProgramError` naming what cannot be."""
        if expr.is_Rational:
            return constant(language.exact(expr, where))
        if expr.is_Symbol:
            return self._name(str(expr), where)
        if expr.is_Add:
            return add(*(self.read(part, where) for part in expr.args))
        if expr.is_Mul:
            total = constant(Fraction(1))
            for part in expr.args:
                total = multiply(total, self.read(part, where))
            return total
        if expr.is_Pow:
            return self._power(expr, where)
        if isinstance(expr, sympy.core.function.AppliedUndef):
            return self._operator(expr.func.__name__, expr.args, where)
        if expr.is_number and expr.is_real and expr.is_finite:
            return constant(language.exact(repr(float(expr)), where))
        raise ProgramError(
            f"{where}: {str(expr)[:60]} is no polynomial in fields, nor one of the operators {language.operator_list()}"
        )

    def _name(self, name: str, where: str) -> Poly:
        if name in self.names:
            return field(self.names[name])
        if name in self.constants:
            return constant(self.constants[name])
        known = ", ".join([*self.names, *self.constants])
        raise ProgramError(f"{where}: there is no field, map or constant {name!r}; there are {known}")

    def _power(self, expr: sympy.Expr, where: str) -> Poly:
        base, power = expr.args
        inside = self.read(base, where)
        if power.is_Integer and 0 <= int(power) <= 16:
            total = constant(Fraction(1))
            for _ in range(int(power)):
                total = multiply(total, inside)
            return total
        if power.is_Integer and int(power) < 0 and set(inside) == {()}:
            return constant(inside[()] ** int(power))
        if power.is_Integer and int(power) < 0 and not inside:
            raise ProgramError(f"{where}: {base} is zero, and the expression divides by it")
        if power.is_Rational and set(inside) == {()} and inside[()] > 0:
            return constant(language.exact(repr(float(inside[()]) ** float(power)), where))
        raise ProgramError(
            f"{where}: {expr} is no polynomial: fields take whole powers only, and nothing divides by a field"
        )

    def _operator(self, name: str, arguments: tuple[sympy.Expr, ...], where: str) -> Poly:
        language.check_operator(name, len(arguments), where)
        match name:
            case "div":
                return self._divergence(sympy.expand_mul(arguments[0]), where)
            case "grad":
                raise ProgramError(f"{where}: grad gives two components; it stands in div(coefficient*grad(…)) alone")
            case "advect" | "upwind":
                speeds = [self.read(speed, where) for speed in arguments[:2]]
                carried = self.read(arguments[2], where)
                return add(
                    *(
                        self._carry(name, axis, speed, carried, where)
                        for axis, speed in zip(((0, 1), (1, 0)), speeds, strict=True)
                    )
                )
        inside = self.read(arguments[0], where)
        self._accuracy(2)
        match name:
            case "laplace9" if len(self.axes) == 2:
                return self._differ(inside, {tap: weight / self.h**2 for tap, weight in isotropic_laplacian().items()})
            case "laplace" if len(self.axes) == 2:
                return self._differ(inside, {tap: weight / self.h**2 for tap, weight in laplacian().items()})
            case "laplace" | "laplace9":
                return add(*(self._differ(inside, self._second(axis)) for axis in self.axes))
        axis = self._axis((0, 1) if "x" in name else (1, 0), name, where)
        return self._differ(inside, self._second(axis) if name.startswith("d2") else self._central(axis))

    def _differ(self, inside: Poly, stencil: Stencil) -> Poly:
        return differ({key: value for key, value in inside.items() if key}, stencil)  # a constant has no differences

    def _divergence(self, expr: sympy.Expr, where: str) -> Poly:
        total: Poly = {}
        for part in sympy.Add.make_args(expr):
            gradients = [
                f
                for f in sympy.Mul.make_args(part)
                if isinstance(f, sympy.core.function.AppliedUndef) and f.func.__name__ == "grad"
            ]
            if len(gradients) != 1:
                raise ProgramError(f"{where}: div takes coefficient*grad(…) and sums of them, not {str(part)[:60]}")
            language.check_operator("grad", len(gradients[0].args), where)
            coefficient, inside = self.read(part / gradients[0], where), self.read(gradients[0].args[0], where)
            for dy, dx in self.axes:
                for face in ((dy, dx), (-dy, -dx)):
                    mean = differ(coefficient, {CENTRE: Fraction(1, 2), face: Fraction(1, 2)})
                    step = self._differ(inside, {CENTRE: -1 / self.h**2, face: 1 / self.h**2})
                    total = add(total, multiply(mean, step))
        self._accuracy(2)
        return total

    def _carry(self, name: str, axis: Tap, speed: Poly, carried: Poly, where: str) -> Poly:
        if not speed:
            return {}
        axis = self._axis(axis, name, where)
        if name == "advect":
            self._accuracy(2)
            return multiply(speed, self._differ(carried, self._central(axis)))
        sign = self._sign(speed)
        if not sign:
            raise ProgramError(
                f"{where}: upwind needs a speed of one sign everywhere, a constant or a map; advect takes any"
            )
        self._accuracy(1)
        behind = (-axis[0] * sign, -axis[1] * sign)
        return multiply(speed, self._differ(carried, {CENTRE: sign / self.h, behind: -sign / self.h}))

    def _sign(self, speed: Poly) -> int:
        """1 or -1 where every part of ``speed`` has that sign at every cell, else 0."""
        signs = set()
        for key, value in speed.items():
            sign = 1 if value > 0 else -1
            for form in key:
                sign *= self.sign(form.channel) if min(form.weights) > 0 else 0
            signs.add(sign)
        return signs.pop() if len(signs) == 1 else 0

    def _axis(self, axis: Tap, name: str, where: str) -> Tap:
        if axis not in self.axes:
            raise ProgramError(f"{where}: {name} differs along an axis of which the grid has one cell only")
        return axis

    def _central(self, axis: Tap) -> Stencil:
        return {axis: 1 / (2 * self.h), (-axis[0], -axis[1]): -1 / (2 * self.h)}

    def _second(self, axis: Tap) -> Stencil:
        return {CENTRE: -2 / self.h**2, axis: 1 / self.h**2, (-axis[0], -axis[1]): 1 / self.h**2}

    def _accuracy(self, order: int) -> None:
        self.order = order if self.order is None else min(self.order, order)


def channels_in(poly: Poly) -> set[int]:
    """The channels a polynomial reads."""
    return {form.channel for key in poly for form in key}


def taps_in(polys: Iterable[Poly]) -> set[Tap]:
    """Every tap they read."""
    return {tap for poly in polys for key in poly for form in key for tap in form.taps}
