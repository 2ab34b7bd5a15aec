"""The forward model in float64, with the values its adjoint needs: one time step u ↦ F(u; θ) of any evolution.

The model is the ideal one: real numbers, no rounding and no saturation. What an integer run adds to it is rounding
and, beyond the formats' end values, clamping; :mod:`npde.training.constrained.integers` measures that difference.

A step is a list of updates of :mod:`npde.program.evolve`, whose formats are not looked at. In the reals

    u'[o] = (u[o] if skip) + b[o] + Σ_terms c·v,      v = a form Σ w·u[channel, y+dy, x+dx] or a product of two values,

with forms on the fields or on the per-cell maps. Inside, states are (fields, height, width, batch) and contiguous;
everything public takes and gives (batch, height, width, fields), as everywhere else: :func:`inward` turns one into the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npde.equation.polynomial import Lin, Monomial
from npde.equation.reference import Reference
from npde.fixed import Q
from npde.model import Model
from npde.program import Evolve, Form, Grid, Product, Term, Update
from npde.training.constrained.boundary import extend
from npde.training.errors import TrainingError

Real = NDArray[np.float64]

UNUSED = Q(18, 0)
"""The format of products that exist in the reals alone."""


@dataclass(frozen=True)
class Scheme:
    """One time step on ``height × width`` cells: its updates in turn, the fields and maps they read, and a plane of maps a step if ``planes``."""

    body: tuple[Update, ...]
    height: int
    width: int
    fields: int
    maps: int = 0
    planes: bool = False

    @property
    def coefficients(self) -> int:
        """How many coefficients the terms use."""
        return 1 + max(term.coefficient for update in self.body for term in update.terms)

    @property
    def biases(self) -> int:
        """Biases of all updates together."""
        return sum(len(update.biased) for update in self.body)


@dataclass(frozen=True)
class Coefficients:
    """θ: ``kernel`` (coefficients,), ``bias`` (biases,), ``maps`` (1 or times, height, width, maps), float64, in the step's own units."""

    kernel: Real
    bias: Real
    maps: Real


def of_evolve(evolve: Evolve, grid: Grid) -> Scheme:
    """The real-valued step of ``evolve`` on ``grid``."""
    return Scheme(evolve.body, grid.height, grid.width, grid.channels, evolve.maps, evolve.planes)


def of_model(model: Model, index: int = 0) -> tuple[Scheme, Coefficients]:
    """The evolution at step ``index`` of ``model``, and the reals its integers stand for."""
    step, grid = model.program.steps[index], model.program.grids()[index]
    if not isinstance(step, Evolve):
        raise TrainingError(f"step {index} of model {model.program.name!r} is no evolution but a {type(step).__name__}")
    weights = model.weights[index]
    maps = np.zeros((1, grid.height, grid.width, 0)) if weights.maps is None else step.map.real(weights.maps)
    return of_evolve(step, grid), Coefficients(step.weight.real(weights.kernel).ravel(), step.bias.real(weights.bias), maps)


def of_reference(reference: Reference, shape: tuple[int, int], fields: int) -> tuple[Scheme, Coefficients]:
    """The scheme of a :class:`npde.equation.general.Discretised`'s ``reference``: a term for each of its monomials, unrounded.

    ``shape`` is (height, width), ``fields`` how many fields the grid has.
    """
    kernel: list[float] = []
    bias: list[float] = []
    body = []
    for polys in reference.updates:
        values = _Values()
        terms: list[Term] = []
        constants: dict[int, float] = {}
        for channel, poly in sorted(polys.items()):
            for key, value in sorted(poly.items()):
                if key:
                    terms.append(Term(channel=channel, coefficient=len(kernel), value=values.index(key)))
                    kernel.append(float(value))
                else:
                    constants[channel] = float(value)
        bias += constants.values()
        forms, products = values.built()
        terms = [Term(channel=t.channel, coefficient=t.coefficient, value=values.place(t.value)) for t in terms]
        body.append(
            Update(forms=forms, products=products, terms=tuple(terms), biased=tuple(constants), boundary=reference.boundary)
        )
    maps = np.asarray(reference.maps, np.float64)
    scheme = Scheme(tuple(body), *shape, fields, maps.shape[-1], len(maps) > 1)
    return scheme, Coefficients(np.array(kernel), np.array(bias), maps)


class _Values:
    """The values of one update: monomials in the order they are made, every prefix of one a value too."""

    def __init__(self) -> None:
        self.keys: list[Monomial] = []

    def index(self, key: Monomial) -> int:
        if key not in self.keys:
            if len(key) > 1:
                self.index(key[:-1])
                self.index(key[-1:])
            self.keys.append(key)
        return self.keys.index(key)

    def place(self, index: int) -> int:
        """Where the value made ``index``-th stands once forms come first."""
        single = [len(key) == 1 for key in self.keys]
        return sum(single[:index]) if single[index] else sum(single) + index - sum(single[:index])

    def built(self) -> tuple[tuple[Form, ...], tuple[Product, ...]]:
        forms = tuple(_form(key[0]) for key in self.keys if len(key) == 1)
        products = tuple(
            Product(left=self.place(self.keys.index(key[:-1])), right=self.place(self.keys.index(key[-1:])), out=UNUSED)
            for key in self.keys
            if len(key) > 1
        )
        return forms, products


def _form(lin: Lin) -> Form:
    return Form(channel=lin.channel, taps=lin.taps, weights=lin.weights)


def inward(states: ArrayLike) -> Real:
    """(batch, height, width, fields) to (fields, height, width, batch), and back again: the same exchange of axes, contiguous."""
    return np.ascontiguousarray(np.asarray(states, np.float64).transpose(3, 1, 2, 0))


class Stepper:
    """Steps of ``scheme`` with ``coefficients``; raises :class:`TrainingError` where their shapes do not fit or a value is not finite."""

    def __init__(self, scheme: Scheme, coefficients: Coefficients) -> None:
        _check(scheme, coefficients)
        self.scheme, self.coefficients = scheme, coefficients
        self.reaches = [
            (min(update.reach, scheme.height - 1), min(update.reach, scheme.width - 1)) for update in scheme.body
        ]
        first = np.cumsum([0, *(len(update.biased) for update in scheme.body)])
        self.biases: list[Mapping[int, float]] = [
            dict(zip(update.biased, coefficients.bias[first[n] : first[n + 1]].tolist(), strict=True))
            for n, update in enumerate(scheme.body)
        ]
        self._seen: dict[tuple[int, int], dict[int, Real]] = {}

    def run(self, u: Real, times: Iterable[int]) -> Real:
        """The state (fields, height, width, batch) after the steps of these times."""
        for time in times:
            u = self.step(u, time)
        return u

    def step(self, u: Real, time: int) -> Real:
        """The state one time step after ``time``."""
        for number in range(len(self.scheme.body)):
            u = self.update(number, u, self.values(number, u, time))
        return u

    def update(self, number: int, u: Real, values: list[Real]) -> Real:
        """The state after update ``number``, whose values these are."""
        update, kernel = self.scheme.body[number], self.coefficients.kernel
        after = u.copy()
        for channel in update.updated:
            if not update.skip:
                after[channel] = 0
            if channel in self.biases[number]:
                after[channel] += self.biases[number][channel]
        for term in update.terms:
            after[term.channel] += kernel[term.coefficient] * values[term.value]
        return after

    def values(self, number: int, u: Real, time: int) -> list[Real]:
        """Forms, then products, (height, width, batch) each; what is made of maps alone has a batch of one."""
        update, reach = self.scheme.body[number], self.reaches[number]
        of_maps = self._of_maps(number, time)
        wider: dict[int, Real] = {}
        values = []
        for index, form in enumerate(update.forms):
            if index in of_maps:
                values.append(of_maps[index])
                continue
            if form.channel not in wider:
                wider[form.channel] = extend(u[form.channel], reach, update.boundary)
            values.append(_gathered(form, wider[form.channel], reach, u.shape[1:3]))
        for product in update.products:
            values.append(values[product.left] * values[product.right])
        return values

    def plane(self, time: int) -> int:
        """Which of the coefficients' maps the step of ``time`` reads."""
        return time if self.scheme.planes else 0

    def _of_maps(self, number: int, time: int) -> dict[int, Real]:
        """The forms on maps, by their index; kept where one set of maps serves all times."""
        where = (number, self.plane(time))
        if where in self._seen:
            return self._seen[where]
        update, reach, found = self.scheme.body[number], self.reaches[number], {}
        for index, form in enumerate(update.forms):
            if form.channel >= self.scheme.fields:
                one = self.coefficients.maps[where[1], :, :, form.channel - self.scheme.fields, None]
                found[index] = _gathered(form, extend(one, reach, update.boundary), reach, one.shape[:2])
        if not self.scheme.planes:
            self._seen[where] = found
        return found


def window(tap: tuple[int, int], reach: tuple[int, int], cells: tuple[int, ...]) -> tuple[slice, slice]:
    """Where, in a field extended by ``reach``, the cells lie that a tap sees."""
    y, x = reach[0] + tap[0], reach[1] + tap[1]
    return slice(y, y + cells[0]), slice(x, x + cells[1])


def _gathered(form: Form, wider: Real, reach: tuple[int, int], cells: tuple[int, ...]) -> Real:
    total: Real | None = None
    for tap, weight in zip(form.taps, form.weights, strict=True):
        seen = wider[window(tap, reach, cells)]
        if total is None:
            total = seen * float(weight)
        elif weight == 1:
            total += seen
        else:
            total += seen * float(weight)
    assert total is not None  # a form has taps
    return total


def _check(scheme: Scheme, coefficients: Coefficients) -> None:
    given = {"kernel": coefficients.kernel, "bias": coefficients.bias, "maps": coefficients.maps}
    planes = len(coefficients.maps) if scheme.planes else 1
    wanted = {
        "kernel": (scheme.coefficients,),
        "bias": (scheme.biases,),
        "maps": (planes, scheme.height, scheme.width, scheme.maps),
    }
    for name, array in given.items():
        if array.shape != wanted[name]:
            raise TrainingError(f"the {name} of the coefficients has shape {array.shape}, not {wanted[name]}")
        if not np.isfinite(array).all():
            raise TrainingError(
                f"the {name} of the coefficients has {np.count_nonzero(~np.isfinite(array))} value(s) that are NaN or infinite"
            )


