"""The discrete adjoint, written out: gradients of J(u, θ) subject to u_{t+1} = F(u_t; θ), exact for the scheme as it is.

The Lagrangian is

    L(u, θ, λ) = Σ_t J_t(u_t) + Σ_t λ_{t+1}ᵀ (F(u_t; θ) - u_{t+1}).

∂L/∂u_t = 0 is the adjoint equation, backwards in time from λ_T = ∂J_T/∂u_T:

    λ_t = (∂F/∂u)ᵀ λ_{t+1} + ∂J_t/∂u_t,         dJ/dθ = Σ_t (∂F/∂θ)ᵀ λ_{t+1},         dJ/du_0 = λ_0.

It is the adjoint of the discrete step, not a discretised adjoint equation, so the gradient is that of the computed J to
rounding. Sources: J.-L. Lions, Optimal Control of Systems Governed by Partial Differential Equations, 1971 (Lagrangian and
adjoint); M. D. Gunzburger, Perspectives in Flow Control and Optimization, 2003, ch. 2.9 (differentiate the discrete scheme).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from npde.program import Form
from npde.training.constrained.boundary import fold
from npde.training.constrained.checkpointing import backwards, binomial
from npde.training.constrained.forward import Coefficients, Real, Scheme, Stepper, inward, window
from npde.training.errors import TrainingError

Objective = Callable[[int, Real], tuple[float, Real] | None]
"""``objective(time, u)`` for a state u (batch, height, width, fields): J_t and ∂J_t/∂u of that shape, or None where J does not look."""


@dataclass(frozen=True)
class Gradient:
    """J and its derivatives: ``kernel``, ``bias`` and ``maps`` shaped as :class:`Coefficients`, ``start`` as the initial states."""

    value: float
    kernel: Real
    bias: Real
    maps: Real
    start: Real


class Sums:
    """dJ/dθ while it is summed over time: what the forms on maps receive is spread over their taps once, at the end."""

    def __init__(self, stepper: Stepper) -> None:
        self.stepper = stepper
        self.kernel, self.bias = np.zeros_like(stepper.coefficients.kernel), np.zeros_like(stepper.coefficients.bias)
        self._forms: dict[tuple[int, int, int], Real] = {}

    def add_form(self, number: int, index: int, time: int, received: Real) -> None:
        """Add what form ``index`` of update ``number`` receives, (height, width, 1)."""
        key = (number, index, self.stepper.plane(time))
        self._forms[key] = self._forms[key] + received if key in self._forms else received

    def maps(self) -> Real:
        """dJ/dmaps, shaped as the coefficients' maps."""
        scheme = self.stepper.scheme
        total = np.zeros_like(self.stepper.coefficients.maps)
        for (number, index, plane), received in self._forms.items():
            update, reach = scheme.body[number], self.stepper.reaches[number]
            form = update.forms[index]
            spread = fold(scattered(form, received, reach), reach, update.boundary)
            total[plane, :, :, form.channel - scheme.fields] += spread[..., 0]
        return total


def gradient(
    scheme: Scheme,
    coefficients: Coefficients,
    start: ArrayLike,
    times: int,
    objective: Objective,
    *,
    spacing: int | None = None,
    slots: int | None = None,
    watch: Callable[[int, Real], None] | None = None,
) -> Gradient:
    """J = Σ_t ``objective(t, u_t)`` for t from 0 to ``times``, and its gradient by the adjoint.

    ``start`` is u_0, (batch, height, width, fields). States are held as :func:`npde.training.constrained.checkpointing.backwards`
    says for ``spacing``, or with ``slots`` as :func:`~npde.training.constrained.checkpointing.binomial`; the gradient is the
    same, bit for bit. ``watch`` is told (t, λ_t) from the last to the first. Raises :class:`TrainingError` for states that
    do not fit the scheme, and where the run or J leaves the finite numbers.
    """
    stepper = Stepper(scheme, coefficients)
    begin = _begin(scheme, start)
    if scheme.planes and times > len(coefficients.maps):
        raise TrainingError(f"there are maps for {len(coefficients.maps)} time steps, not for {times}")
    states = backwards(stepper.step, begin, times, spacing) if slots is None else binomial(stepper.step, begin, times, slots)
    sums = Sums(stepper)
    value, multiplier = 0.0, np.zeros_like(begin)
    with np.errstate(over="ignore", invalid="ignore"):  # judged below, in words
        for time, u in states:
            if time < times:
                multiplier = transposed_step(stepper, u, time, multiplier, sums)
            elif not np.isfinite(u).all():
                raise TrainingError(f"the run leaves the finite numbers within {times} time steps: its step is unstable")
            if (seen := objective(time, inward(u))) is not None:
                value += seen[0]
                multiplier = multiplier + inward(seen[1])
            del u
            if watch is not None:
                watch(time, inward(multiplier))
    if not (np.isfinite(value) and np.isfinite(multiplier).all()):
        raise TrainingError(f"the objective or its gradient is not finite: J = {value}")
    return Gradient(float(value), sums.kernel, sums.bias, sums.maps(), inward(multiplier))


def value(scheme: Scheme, coefficients: Coefficients, start: ArrayLike, times: int, objective: Objective) -> float:
    """J alone, by the forward run."""
    stepper, u = Stepper(scheme, coefficients), _begin(scheme, start)
    total = 0.0
    for time in range(times + 1):
        if (seen := objective(time, inward(u))) is not None:
            total += seen[0]
        if time < times:
            u = stepper.step(u, time)
    return float(total)


def lagrangian(
    scheme: Scheme, coefficients: Coefficients, states: Sequence[ArrayLike], multipliers: Sequence[ArrayLike], objective: Objective
) -> float:
    """L(u, θ, λ) for any states u_0 … u_T and multipliers λ_0 … λ_T (λ_0 is not used), whether they obey the equation or not."""
    stepper = Stepper(scheme, coefficients)
    inside = [inward(state) for state in states]
    total = 0.0
    for time, state in enumerate(inside):
        if (seen := objective(time, inward(state))) is not None:
            total += seen[0]
        if time + 1 < len(inside):
            total += float((inward(multipliers[time + 1]) * (stepper.step(state, time) - inside[time + 1])).sum())
    return total


def transposed_step(stepper: Stepper, u: Real, time: int, multiplier: Real, sums: Sums) -> Real:
    """(∂F/∂u)ᵀ of ``multiplier`` at the state ``u`` of ``time``; (∂F/∂θ)ᵀ of it is added to ``sums``."""
    states, values = [u], []
    for number in range(len(stepper.scheme.body)):
        values.append(stepper.values(number, states[-1], time))
        if number + 1 < len(stepper.scheme.body):
            states.append(stepper.update(number, states[-1], values[-1]))
    for number in reversed(range(len(values))):
        multiplier = _transposed_update(stepper, number, time, values[number], multiplier, sums)
    return multiplier


def _transposed_update(
    stepper: Stepper, number: int, time: int, values: list[Real], multiplier: Real, sums: Sums
) -> Real:
    scheme = stepper.scheme
    update, kernel, reach = scheme.body[number], stepper.coefficients.kernel, stepper.reaches[number]
    received: list[Real | None] = [None] * len(values)

    def give(index: int, amount: Real) -> None:
        if amount.shape[-1] != values[index].shape[-1]:  # a value of maps alone serves the whole batch
            amount = amount.sum(axis=-1, keepdims=True)
        held = received[index]
        received[index] = amount if held is None else held + amount

    for term in update.terms:
        above = multiplier[term.channel]
        value = values[term.value]
        sums.kernel[term.coefficient] += np.vdot(above, value) if above.shape == value.shape else (above * value).sum()
        give(term.value, kernel[term.coefficient] * above)
    first = sum(len(earlier.biased) for earlier in scheme.body[:number])
    for index, channel in enumerate(update.biased):
        sums.bias[first + index] += multiplier[channel].sum()

    for index in reversed(range(len(update.products))):
        amount = received[len(update.forms) + index]
        if amount is not None:
            product = update.products[index]
            give(product.left, amount * values[product.right])
            give(product.right, amount * values[product.left])

    before = multiplier.copy()
    if not update.skip:
        before[list(update.updated)] = 0
    wider: dict[int, Real] = {}
    for index, form in enumerate(update.forms):
        amount = received[index]
        if amount is None:
            continue
        if form.channel >= scheme.fields:
            sums.add_form(number, index, time, amount)
        else:
            wider[form.channel] = scattered(form, amount, reach, wider.get(form.channel))
    for channel, spread in wider.items():
        before[channel] += fold(spread, reach, update.boundary)
    return before


def scattered(form: Form, received: Real, reach: tuple[int, int], wider: Real | None = None) -> Real:
    """The transpose of a form: ``received`` (height, width, batch) added, tap by tap, to a field extended by ``reach``."""
    height, width, batch = received.shape
    if wider is None:
        wider = np.zeros((height + 2 * reach[0], width + 2 * reach[1], batch))
    for tap, weight in zip(form.taps, form.weights, strict=True):
        seen = wider[window(tap, reach, (height, width))]
        seen += received if weight == 1 else received * float(weight)
    return wider


def _begin(scheme: Scheme, start: ArrayLike) -> Real:
    states = np.asarray(start, np.float64)
    wanted = (scheme.height, scheme.width, scheme.fields)
    if states.ndim != 4 or states.shape[1:] != wanted or not len(states):
        raise TrainingError(f"initial states have the shape (batch, {', '.join(map(str, wanted))}), not {states.shape}")
    if not np.isfinite(states).all():
        raise TrainingError(f"the initial states have {np.count_nonzero(~np.isfinite(states))} value(s) that are NaN or infinite")
    return inward(states)
