"""General neural PDEs: a right-hand side as one would write it down, to an integer model and a float64 reference."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Any, get_args

import msgspec
import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from npde.equation import language
from npde.equation.limits import Limit, frozen, largest_step
from npde.equation.lowering import Formats, frac_for, lower, map_format
from npde.equation.polynomial import Poly, Reader, channels_in, scale
from npde.equation.reference import Reference
from npde.errors import ProgramError
from npde.fixed import Q
from npde.model import Model, Weights
from npde.program import CENTRE, Boundary, Evolve, Grid, Program

Equations = str | list[str] | tuple[str, ...] | Mapping[str, Any] | Callable[..., Any]
SCHEMES = ("euler", "leapfrog")
HIGHEST_DEGREE = 3


@dataclass(frozen=True)
class Discretised:
    """A discretised equation: the integer ``model``, the float64 ``reference`` of exactly its scheme, and what is known of both.

    ``order_space`` is None without differences; ``limit`` is the largest stable dt and its worst wave.
    Fields are (…, height, width, fields) arrays of reals in the order of ``fields``.
    """

    model: Model
    reference: Reference
    fields: tuple[str, ...]
    maps: tuple[str, ...]
    dt: float
    h: float
    scheme: str
    order_space: int | None
    order_time: int
    limit: Limit

    @property
    def evolve(self) -> Evolve:
        """The program's one step."""
        step = self.model.program.steps[0]
        assert isinstance(step, Evolve)
        return step

    @property
    def q(self) -> Q:
        """The fields' format."""
        return self.model.program.input.q

    @property
    def multipliers(self) -> int:
        """Multiplications per cell and time step."""
        return sum(len(update.terms) + len(update.products) for update in self.evolve.body)

    def quantise(self, state: ArrayLike) -> NDArray[np.int64]:
        """Reals (batch, height, width, fields) to the model's integers, saturated."""
        return self.model.quantise_input(state)

    def real(self, integers: ArrayLike) -> NDArray[np.float64]:
        """The model's integers to reals."""
        return self.q.real(integers)

    def summary(self) -> dict[str, Any]:
        """Fields, orders, limit, formats and cost, for a table."""
        body = self.evolve.body
        return {
            "fields": ", ".join(self.fields),
            **({"maps": ", ".join(self.maps)} if self.maps else {}),
            "grid": str(self.model.program.input),
            "boundary": body[0].boundary,
            "scheme": self.scheme,
            "order in space": "none: no differences" if self.order_space is None else f"O(h^{self.order_space})",
            "order in time": f"O(dt^{self.order_time})",
            "dt": self.dt,
            "largest stable dt": self.limit.dt if math.isfinite(self.limit.dt) else "unlimited",
            "field format": str(self.q),
            "coefficient format": str(self.evolve.weight),
            **({"map format": str(self.evolve.map)} if self.maps else {}),
            **({"bias format": str(self.evolve.bias)} if self.evolve.biases else {}),
            "product formats": ", ".join(str(p.out) for u in body for p in u.products) or "no products",
            "coefficients": self.evolve.coefficients,
            "multipliers per cell": self.multipliers,
        }


def with_times(model: Model, times: int) -> Model:
    """The same evolution over another number of time steps; with ``planes`` at most as many as there are planes."""
    step = model.program.steps[0]
    if len(model.program.steps) != 1 or not isinstance(step, Evolve):
        raise ProgramError(
            f"model {model.program.name!r} is no evolution alone: only one can be run for another number of time steps"
        )
    weights = model.weights[0]
    if step.planes and weights.maps is not None:
        if times > len(weights.maps):
            raise ProgramError(f"model {model.program.name!r} has maps for {len(weights.maps)} time steps, not {times}")
        weights = Weights(weights.kernel, weights.bias, weights.maps[:times])
    program = msgspec.structs.replace(model.program, steps=(msgspec.structs.replace(step, times=times),))
    return Model(program, {0: weights}, model.preprocess, model.notes, model.force)


def discretise(
    equations: Equations,
    *,
    shape: tuple[int, int],
    dt: float | Fraction,
    h: float | Fraction = 1,
    fields: Sequence[str] | None = None,
    constants: Mapping[str, float | Fraction] | None = None,
    maps: Mapping[str, ArrayLike] | None = None,
    boundary: Boundary = "periodic",
    scheme: str = "euler",
    times: int = 1,
    largest: float | Mapping[str, float] = 1.0,
    about: Sequence[Mapping[str, float]] | None = None,
    width: int = 16,
    coefficient_width: int = 18,
    map_width: int = 16,
    planes: bool = False,
    shift_forms: bool = False,
    force: bool = False,
    name: str = "pde",
    notes: Mapping[str, str] | None = None,
) -> Discretised:
    """The evolution of ``equations`` on ``shape`` (height, width) cells of spacing ``h``, one explicit step of ``dt`` at a time.

    ``equations`` is text (``"u_t = D*laplace(u)"``, several separated by ``;`` or in a list), a mapping
    from fields to text or sympy expressions, or a callable that takes fields, constants and maps by
    name and returns that mapping or the rates in the order of ``fields``; :mod:`npde.equation.language` has the operators.
    ``maps`` are per-cell coefficients (height, width), or (times, height, width) with ``planes``.

    ``scheme`` euler updates all fields at once, leapfrog one after the other in the order of ``fields``
    (for two fields that drive each other: Visscher's staggered leapfrog). ``largest`` is the greatest
    magnitude of the fields, for all or by name: it sets where the binary point lies, and beyond its format's end values
    saturate. ``about`` are states at which products are linearised for the stability limit, by default zero, and
    ±largest where a field multiplies a difference. ``shift_forms`` halves the multipliers of 17- and 18-bit fields: sums
    of neighbours lose their last bits, half rounded up, which drifts by up to c₁/2 units a step.

    Raises :class:`ProgramError` with one sentence for anything wrong, and for a dt above the limit unless ``force``.
    """
    constants = dict(constants or {})
    arrays = {key: np.asarray(value, np.float64) for key, value in (maps or {}).items()}
    _check_options(shape, boundary, scheme, width)
    step, spacing = _positive(dt, "dt"), _positive(h, "the grid spacing h")
    expressions = _expressions(equations, fields, constants, arrays)
    names = tuple(expressions)
    _check_names(names, constants, arrays)
    stacked = _stack(arrays, shape, times, planes)
    fixed = {key: language.exact(value, f"constant {key}") for key, value in constants.items()}
    channels = {key: number for number, key in enumerate((*names, *arrays))}
    reader = Reader(
        channels, fixed, spacing, shape[0] > 1, shape[1] > 1, lambda channel: _one_sign(stacked, channel - len(names))
    )
    rates = [_checked(reader.read(expr, f"{field}_t"), names, f"{field}_t") for field, expr in expressions.items()]
    _check_scheme(rates, names, scheme)

    bounds = [_largest(largest, key) for key in names]
    states = _states(rates, bounds, about, names)
    extremes = [(float(stacked[..., k].min()), float(stacked[..., k].max())) for k in range(stacked.shape[-1])]
    limit = largest_step(rates, list(frozen(extremes, states, len(names))), shape, staggered=scheme == "leapfrog")
    if not force and float(step) > limit.dt * (1 + 1e-9):
        raise ProgramError(_unstable(float(step), limit, scheme))

    grid = Grid(*shape, len(names), Q(width, frac_for(max(bounds), width)))
    formats = Formats(
        grid, map_format(stacked, map_width), coefficient_width,
        [*bounds, *(max(abs(Fraction(low)), abs(Fraction(high))) for low, high in extremes)],
        shift_forms,
    )  # fmt: skip
    changes = {number: scale(poly, step) for number, poly in enumerate(rates)}
    updates = [changes] if scheme == "euler" else [{number: poly} for number, poly in changes.items() if poly]
    lowered = lower(updates, formats, boundary=boundary, times=times, maps=len(arrays), planes=planes)
    program = Program(name=name, input=grid, steps=(lowered.evolve,))
    kernel = np.array(lowered.coefficients, np.int64).reshape(-1, 1, 1)
    weights = Weights(kernel, np.array(lowered.biases, np.int64), formats.map.quantise(stacked) if arrays else None)
    told = {
        "fields": ",".join(names),
        "h": str(float(spacing)),
        "dt": str(float(step)),
        "scheme": scheme,
        **(notes or {}),
    }
    nonlinear = any(_self_driven(poly, number) for number, poly in enumerate(rates))
    return Discretised(
        Model(program, {0: weights}, notes=told), Reference(updates, boundary, stacked), names, tuple(arrays), float(step), float(spacing),
        scheme, reader.order, 2 if scheme == "leapfrog" and len(names) == 2 and not nonlinear else 1, limit,
    )  # fmt: skip


def _expressions(
    equations: Equations, fields: Sequence[str] | None, constants: Mapping[str, Any], maps: Mapping[str, Any]
) -> dict[str, sympy.Expr]:
    """Each field's rate, in the order of ``fields`` or else as they are written."""
    if isinstance(fields, str):
        fields = [part.strip() for part in fields.split(",")]
    if callable(equations):
        return _expressions(_called(equations, fields, constants, maps), fields, constants, maps)
    if isinstance(equations, str):
        equations = [line for line in equations.replace("\n", ";").split(";") if line.strip()]
    if not isinstance(equations, Mapping):
        found: dict[str, Any] = {}
        for line in equations:
            field, right = language.split_equation(line)
            if field in found:
                raise ProgramError(f"field {field!r} has two equations; it needs one")
            found[field] = right
        equations = found
    if not equations:
        raise ProgramError("there is no equation: one reads 'u_t = right-hand side'")
    order = tuple(fields) if fields is not None else tuple(equations)
    if set(order) != set(equations) or len(set(order)) != len(order):
        raise ProgramError(
            f"the equations are for {', '.join(equations)}, but the fields are {', '.join(order)}: each needs one equation"
        )
    rates = {}
    for field in order:
        right = equations[field]
        if isinstance(right, str):
            rates[field] = language.parse(right, f"{field}_t")
        else:
            try:
                rates[field] = sympy.sympify(right, strict=True)
            except (sympy.SympifyError, TypeError) as error:
                raise ProgramError(f"{field}_t is text or a sympy expression, not {type(right).__name__}") from error
    return rates


def _called(
    function: Callable[..., Any], fields: Sequence[str] | None, constants: Mapping[str, Any], maps: Mapping[str, Any]
) -> Any:
    parameters = list(inspect.signature(function).parameters)
    names = (
        tuple(fields)
        if fields is not None
        else tuple(name for name in parameters if name not in constants and name not in maps)
    )
    unknown = [name for name in parameters if name not in (*names, *constants, *maps)]
    if unknown:
        raise ProgramError(f"the right-hand side takes {', '.join(unknown)}, which names no field, map or constant")
    result = function(**{name: sympy.Symbol(name) for name in parameters})
    if isinstance(result, Mapping):
        return result
    rates = result if isinstance(result, tuple | list) else (result,)
    if len(rates) != len(names):
        raise ProgramError(
            f"the right-hand side gives {len(rates)} rate(s) for the fields {', '.join(names)}; it gives one for each"
        )
    return dict(zip(names, rates, strict=True))


def _checked(poly: Poly, names: Sequence[str], where: str) -> Poly:
    for key in poly:
        degree = sum(form.channel < len(names) for form in key)
        if degree > HIGHEST_DEGREE:
            raise ProgramError(f"{where} has a product of {degree} fields; {HIGHEST_DEGREE} is the highest degree")
        if len(key) - degree > HIGHEST_DEGREE:
            raise ProgramError(
                f"{where} has a product of {len(key) - degree} maps; {HIGHEST_DEGREE} is the most, multiply them beforehand"
            )
    return poly


def _check_options(shape: tuple[int, int], boundary: str, scheme: str, width: int) -> None:
    if len(shape) != 2 or not all(isinstance(cells, int) and cells >= 1 for cells in shape) or max(shape) < 2:
        raise ProgramError(f"a grid's shape is (height, width) in cells, (1, width) for a row, not {shape}")
    if boundary not in get_args(Boundary):
        raise ProgramError(f"a boundary is periodic, dirichlet or neumann, not {boundary!r}")
    if scheme not in SCHEMES:
        raise ProgramError(f"a scheme is euler or leapfrog, not {scheme!r}")
    if not 2 <= width <= 18:
        raise ProgramError(f"a field is 2 to 18 bits wide, not {width}")


def _check_names(fields: Sequence[str], constants: Mapping[str, Any], maps: Mapping[str, Any]) -> None:
    for name in (*fields, *constants, *maps):
        language.check_name(name)
    twice = {name for name in (*fields, *constants, *maps) if [*fields, *constants, *maps].count(name) > 1}
    if twice:
        raise ProgramError(f"{', '.join(sorted(twice))} names more than one of the fields, constants and maps")


def _check_scheme(rates: Sequence[Poly], names: Sequence[str], scheme: str) -> None:
    if scheme != "leapfrog":
        return
    if len(names) < 2:
        raise ProgramError("a leapfrog staggers two fields or more that drive each other; one field takes scheme euler")
    for number, poly in enumerate(rates):
        if any([form.channel for form in key if form.channel < len(names)] == [number] for key in poly):
            raise ProgramError(
                f"a leapfrog needs fields that drive each other, but {names[number]}_t has a term linear in {names[number]}"
            )


def _self_driven(poly: Poly, number: int) -> bool:
    return number in channels_in(poly)


def _stack(
    arrays: Mapping[str, NDArray[np.float64]], shape: tuple[int, int], times: int, planes: bool
) -> NDArray[np.float64]:
    wanted = (times, *shape) if planes else shape
    if planes and not arrays:
        raise ProgramError("planes need at least one map")
    for name, array in arrays.items():
        if array.shape not in (wanted, shape):
            raise ProgramError(f"map {name} has shape {array.shape}, not {wanted}")
        if not np.isfinite(array).all():
            raise ProgramError(f"map {name} has values that are NaN or infinite")
    whole = [np.broadcast_to(array, (times if planes else 1, *shape)) for array in arrays.values()]
    return np.stack(whole, axis=-1) if whole else np.zeros((1, *shape, 0))


def _one_sign(stacked: NDArray[np.float64], number: int) -> int:
    """1, -1 or 0; a field (a negative number) may have any sign."""
    if number < 0:
        return 0
    values = stacked[..., number]
    return 1 if values.min() >= 0 else -1 if values.max() <= 0 else 0


def _positive(value: float | Fraction, what: str) -> Fraction:
    exact = language.exact(value, what)
    if exact <= 0:
        raise ProgramError(f"{what} is positive, not {value}")
    return exact


def _largest(largest: float | Mapping[str, float], name: str) -> Fraction:
    if isinstance(largest, Mapping):
        if name not in largest:
            raise ProgramError(
                f"the largest magnitude of field {name!r} is missing; there are {', '.join(largest) or 'none'}"
            )
        largest = largest[name]
    return _positive(largest, f"the largest magnitude of {name}")


def _states(
    rates: Sequence[Poly], bounds: Sequence[Fraction], about: Sequence[Mapping[str, float]] | None, names: Sequence[str]
) -> list[dict[int, float]]:
    if about is not None:
        for state in about:
            if not set(state) <= set(names):
                raise ProgramError(
                    f"a state to linearise about gives values of {', '.join(names)}, not of {', '.join(state)}"
                )
        return [{number: float(state.get(key, 0)) for number, key in enumerate(names)} for state in about]
    steep = any(
        sum(form.channel < len(names) for form in key) > 1 and any(form.taps != (CENTRE,) for form in key)
        for poly in rates
        for key in poly
    )
    return [
        {number: sign * float(bound) for number, bound in enumerate(bounds)} for sign in ((0, 1, -1) if steep else (0,))
    ]


def _unstable(dt: float, limit: Limit, scheme: str) -> str:
    if limit.dt == 0:
        return (
            f"no step is stable with scheme {scheme}: the wave (θy, θx) = ({limit.wave[0]:.3g}π, {limit.wave[1]:.3g}π) grows at any dt; "
            "add diffusion, or take upwind differences for advection and leapfrog for waves"
        )
    return (
        f"dt = {dt:.6g} is unstable: the largest stable step is {_floored(limit.dt)}, "
        f"where the wave (θy, θx) = ({limit.wave[0]:.3g}π, {limit.wave[1]:.3g}π) starts to grow"
    )


def _floored(value: float) -> str:
    """Six digits, rounded down: what is named must itself be stable."""
    exponent = math.floor(math.log10(value)) - 5
    digits = Decimal(value * (1 + 1e-12)).quantize(Decimal(1).scaleb(exponent), ROUND_FLOOR)
    return f"{float(digits):.6g}"
