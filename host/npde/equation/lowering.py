"""From polynomials to an evolution: forms merged, products shared, formats chosen, coefficients quantised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from npde.equation.polynomial import Lin, Monomial, Poly, normalised
from npde.errors import ProgramError
from npde.fixed import Q, signed_width
from npde.program import CENTRE, Boundary, Evolve, Form, Grid, Product, Tap, Term, Update
from npde.program.evolve import LARGEST_TAP, OPERAND_BITS

FINEST_COEFFICIENT = 32
"""Fractional bits beyond which no coefficient's format goes: it bounds the accumulators."""


@dataclass(frozen=True)
class Formats:
    """The grid's field format, the maps', the coefficients' width, and the greatest magnitude of every channel.

    ``shifted`` keeps a wide form whole and drops its last bits instead of splitting it.
    """

    grid: Grid
    map: Q
    coefficient_width: int
    largest: Sequence[Fraction]
    shifted: bool = False

    def bound(self, form: Lin) -> Fraction:
        """The greatest magnitude of a form."""
        return sum((abs(w) for w in form.weights), 0) * self.largest[form.channel]


def frac_for(largest: Fraction, width: int) -> int:
    """The most fractional bits with which ``width`` bits hold ``±largest``."""
    if largest <= 0:
        return width - 1
    frac = width + 64
    while largest * Fraction(2) ** frac > (1 << (width - 1)) - 1:
        frac -= 1
    return frac


def group(poly: Poly) -> tuple[list[tuple[Lin, Fraction]], list[tuple[Monomial, Fraction]], Fraction]:
    """``poly``'s linear part in as few forms as the two ways below give, its products and its constant.

    A channel's stencil is split by equal coefficients: c₁·Σneighbours + c₀·u. Where the expression's
    own forms, their centres taken off, are fewer (diffusion and a central difference), those are kept.
    """
    linear: dict[int, list[tuple[Lin, Fraction]]] = {}
    for key, value in sorted(poly.items()):
        if len(key) == 1:
            linear.setdefault(key[0].channel, []).append((key[0], value))
    forms: list[tuple[Lin, Fraction]] = []
    for channel, parts in linear.items():
        stencil: dict[Tap, Fraction] = {}
        for form, value in parts:
            for tap, weight in zip(form.taps, form.weights, strict=True):
                stencil[tap] = stencil.get(tap, Fraction(0)) + weight * value
        by_value: dict[Fraction, dict[Tap, Fraction]] = {}
        for tap, value in stencil.items():
            if value and tap != CENTRE:
                by_value.setdefault(abs(value), {})[tap] = value
        collected = [normalised(channel, taps) for taps in by_value.values()]
        kept: dict[Lin, Fraction] = {}
        for form, value in parts:
            for size in {abs(w) for w in form.weights}:
                ring = {
                    t: w * value for t, w in zip(form.taps, form.weights, strict=True) if t != CENTRE and abs(w) == size
                }
                if ring:
                    lin, factor = normalised(channel, ring)
                    kept[lin] = kept.get(lin, Fraction(0)) + factor
        structural = [(lin, value) for lin, value in kept.items() if value]
        forms += structural if len(structural) < len(collected) else collected
        if stencil.get(CENTRE):
            forms.append((Lin(channel, (CENTRE,), (1,)), stencil[CENTRE]))
    products = [(key, value) for key, value in sorted(poly.items()) if len(key) > 1]
    return forms, products, poly.get((), Fraction(0))


@dataclass
class _Values:
    """The values of one update as they are found: forms, then products, each once."""

    formats: Formats
    wanted: list[Monomial]
    forms: list[Lin] = field(default_factory=list)
    products: list[tuple[Monomial, Monomial, Monomial]] = field(default_factory=list)

    def need(self, key: Monomial) -> None:
        """Make ``key`` available, by way of the smaller product most of the others contain."""
        if len(key) == 1:
            if key[0] not in self.forms:
                self.forms.append(key[0])
            return
        if any(made == key for made, _, _ in self.products):
            return
        made = {product for product, _, _ in self.products}
        splits = [(tuple(sorted(key[:i] + key[i + 1 :])), (key[i],)) for i in range(len(key))]
        common = Counter({rest: sum(not Counter(rest) - Counter(other) for other in self.wanted) for rest, _ in splits})
        rest, one = max(splits, key=lambda split: (split[0] in made, common[split[0]]))
        self.need(rest)
        self.need(one)
        self.products.append((key, rest, one))

    def index(self, key: Monomial) -> int:
        """Where ``key`` stands among the values."""
        if len(key) == 1:
            return self.forms.index(key[0])
        return len(self.forms) + [made for made, _, _ in self.products].index(key)

    def built_forms(self) -> tuple[Form, ...]:
        """The forms, shifted where they would be wider than an operand."""
        built = []
        for lin in self.forms:
            if max(map(abs, lin.weights)) > LARGEST_TAP:
                raise ProgramError(
                    f"a difference needs the tap weights {lin.weights}; {LARGEST_TAP} is the greatest there is"
                )
            q = self.formats.grid.q if lin.channel < self.formats.grid.channels else self.formats.map
            low = sum(w * (q.low if w > 0 else q.high) for w in lin.weights)
            high = sum(w * (q.high if w > 0 else q.low) for w in lin.weights)
            shift = next(
                s
                for s in range(33)
                if signed_width((low + (1 << s >> 1)) >> s, (high + (1 << s >> 1)) >> s) <= OPERAND_BITS
            )
            built.append(Form(channel=lin.channel, taps=lin.taps, weights=lin.weights, shift=shift))
        return tuple(built)

    def built_products(self, fracs: list[int]) -> tuple[Product, ...]:
        """The products, each in the finest 18-bit format that holds its bound and is no finer than exact."""
        fracs, built = list(fracs), []
        for key, left, right in self.products:
            bound = Fraction(1)
            for lin in key:
                bound *= self.formats.bound(lin)
            a, b = self.index(left), self.index(right)
            frac = min(frac_for(bound, OPERAND_BITS), fracs[a] + fracs[b])
            fracs.append(frac)
            built.append(Product(left=a, right=b, out=Q(OPERAND_BITS, frac)))
        return tuple(built)


@dataclass(frozen=True)
class Lowered:
    """An evolution and the integers of its coefficients and biases."""

    evolve: Evolve
    coefficients: list[int]
    biases: list[int]


def lower(
    updates: Sequence[Mapping[int, Poly]], formats: Formats, *, boundary: Boundary, times: int, maps: int, planes: bool
) -> Lowered:
    """The evolution whose updates add these polynomials (dt times the rates), by channel, to the field.

    Coefficients take the finest format that holds the greatest of them. A stencil's centre takes what
    rounding its other coefficients left, so that the stencil's sum is rounded once: a constant field
    neither drifts nor loses mass by more than that.
    """
    split = [{o: group(poly) for o, poly in update.items() if poly} for update in updates]
    if not formats.shifted:
        split = [
            {
                o: ([part for form in forms for part in _exact_forms(*form, formats)], products, const)
                for o, (forms, products, const) in u.items()
            }
            for u in split
        ]
    reals = [value for update in split for forms, products, _ in update.values() for _, value in (*forms, *products)]
    if not reals:
        raise ProgramError("the equations change nothing: every rate is a constant or zero")
    for update in split:
        for forms, products, _ in update.values():
            if not forms and not products:
                raise ProgramError(
                    "a rate that is a constant alone needs no stencil: every rate has a field or a map in it"
                )
    weight = Q(
        formats.coefficient_width, min(FINEST_COEFFICIENT, frac_for(max(map(abs, reals)), formats.coefficient_width))
    )
    if weight.frac < 2:
        raise ProgramError(
            f"dt times a coefficient is {float(max(map(abs, reals))):.4g}, too great for {weight.width} bits; take a smaller dt"
        )
    pool: list[int] = []
    body = []
    constants: list[Fraction] = []
    for update in split:
        values = _Values(formats, [key for _, products, _ in update.values() for key, _ in products])
        for forms, products, _ in update.values():
            for key in (*((lin,) for lin, _ in forms), *(key for key, _ in products)):
                values.need(key)
        terms = []
        for channel, (forms, products, _) in sorted(update.items()):
            integers = _quantised(forms, products, weight)
            for key, integer in zip(
                (*((lin,) for lin, _ in forms), *(key for key, _ in products)), integers, strict=True
            ):
                if not integer:
                    continue
                if integer not in pool:
                    pool.append(integer)
                terms.append(Term(channel=channel, coefficient=pool.index(integer), value=values.index(key)))
        forms_built = values.built_forms()
        fracs = [
            (formats.grid.q if f.channel < formats.grid.channels else formats.map).frac - f.shift for f in forms_built
        ]
        biased = tuple(o for o, (_, _, const) in sorted(update.items()) if const)
        constants += [_matched(update[o][2], update[o][0], weight) for o in biased]
        body.append(
            Update(
                forms=forms_built,
                products=values.built_products(fracs),
                terms=tuple(terms),
                biased=biased,
                boundary=boundary,
            )
        )
    bias = _bias_format(constants, body, formats, weight, maps)
    evolve = Evolve(
        body=tuple(body),
        times=times,
        coefficients=len(pool),
        weight=weight,
        bias=bias,
        maps=maps,
        map=formats.map,
        planes=planes,
    )
    return Lowered(evolve, pool, [int(bias.quantise(float(value))) for value in constants])


def _exact_forms(form: Lin, value: Fraction, formats: Formats) -> list[tuple[Lin, Fraction]]:
    """``form`` as forms that fit an operand without a shift: pairs of neighbours for 17-bit fields, one by one for 18.

    Dropping bits with half rounded up adds half a unit a step on average, which wide fields are there to avoid.
    """
    q = formats.grid.q if form.channel < formats.grid.channels else formats.map
    most = max(1, 1 << max(0, OPERAND_BITS - q.width))
    parts: list[dict[Tap, Fraction]] = [{}]
    for tap, weight in zip(form.taps, form.weights, strict=True):
        if parts[-1] and sum(map(abs, parts[-1].values())) + abs(weight) > most:
            parts.append({})
        parts[-1][tap] = Fraction(weight)
    found = []
    for part in parts:
        lin, factor = normalised(form.channel, part)
        found.append((lin, factor * value))
    return found


def _matched(constant: Fraction, forms: list[tuple[Lin, Fraction]], weight: Q) -> Fraction:
    """``constant``, rounded as a channel's coefficients are where it is what they sum to: F·(1 - u) keeps its zero at u = 1."""
    sums: dict[int, Fraction] = {}
    for lin, value in forms:
        sums[lin.channel] = sums.get(lin.channel, Fraction(0)) + value * sum(lin.weights)
    return nearest(constant, weight) * weight.step if abs(constant) in map(abs, sums.values()) else constant


def _quantised(forms: list[tuple[Lin, Fraction]], products: list[tuple[Monomial, Fraction]], weight: Q) -> list[int]:
    integers = [nearest(value, weight) for _, value in (*forms, *products)]
    for value, integer in zip((value for _, value in (*forms, *products)), integers, strict=True):
        if not integer:
            raise ProgramError(
                f"dt times a coefficient is {float(value):.3g}, nothing in the coefficients' {weight}; "
                "a larger dt, wider coefficients or coefficients nearer each other would keep it"
            )
    for number, (lin, _) in enumerate(forms):
        if lin.taps == (CENTRE,):
            rest = [k for k, (other, _) in enumerate(forms) if other.channel == lin.channel and k != number]
            total = sum((value * sum(of.weights) for of, value in (forms[k] for k in [*rest, number])), Fraction(0))
            taken = sum(integers[k] * sum(forms[k][0].weights) for k in rest)
            integers[number] = max(weight.low, min(weight.high, nearest(total, weight) - taken))
    return integers


def nearest(value: Fraction, q: Q) -> int:
    """``value`` to the nearest integer of ``q``, half up, exactly."""
    scaled = value * (1 << q.frac) if q.frac >= 0 else value / (1 << -q.frac)
    return max(q.low, min(q.high, (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)))


def _bias_format(constants: list[Fraction], body: list[Update], formats: Formats, weight: Q, maps: int) -> Q:
    if not constants:
        return Q(16, 0)
    probe = Evolve(body=tuple(body), times=1, coefficients=1, weight=weight, bias=Q(32, 0), maps=maps, map=formats.map)
    finest = min(probe.accumulator_frac(update, formats.grid) for update in body if update.biased)
    return Q(32, min(finest, frac_for(max(map(abs, constants)), 32)))


def map_format(maps: np.ndarray, width: int) -> Q:
    """The finest format of ``width`` bits that holds every map."""
    return Q(width, min(30, frac_for(Fraction(float(np.abs(maps).max())), width)) if maps.size else width - 1)
