"""Physics: fields that advance by sums of products of linear forms, many time steps with one set of coefficients."""

from __future__ import annotations

import msgspec

from npde.errors import ProgramError
from npde.fixed import Q, signed_width
from npde.program.step import FIELD_BITS, WEIGHT_BITS, Boundary, Grid, Tap

OPERAND_BITS = 18
"""The widest value a product or a coefficient takes: one operand of the devices' multipliers."""
LARGEST_TAP = 127


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A linear form with small integer weights on the taps of one channel, ``rescale(Σ weight·u[channel, y+dy, x+dx])``.

    ``shift`` is the right shift of that rescale (zero: the form is exact), so the value has
    ``channel's frac - shift`` fractional bits. Channels from ``grid.channels`` on are the evolution's maps.
    """

    channel: int
    taps: tuple[Tap, ...]
    weights: tuple[int, ...]
    shift: int = 0


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``saturate(rescale(left · right))`` in format ``out``; both are indices of values, forms first, then products."""

    left: int
    right: int
    out: Q


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``coefficient · value``, added to the accumulator of ``channel``; both are indices."""

    channel: int
    coefficient: int
    value: int


class Update(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One explicit update of some channels from the field as it is.

    ``acc[o] = Σ_terms coefficient·value + bias[o] (+ u[o] if skip)``, exact, with
    ``weight.frac + max(value's frac)`` fractional bits; ``u'[o] = saturate(rescale(acc[o]))`` in the
    grid's format. Channels without a term stay as they are. ``biased`` are the channels that have a bias.
    """

    forms: tuple[Form, ...]
    terms: tuple[Term, ...]
    products: tuple[Product, ...] = ()
    biased: tuple[int, ...] = ()
    boundary: Boundary = "periodic"
    skip: bool = True

    @property
    def updated(self) -> tuple[int, ...]:
        """The channels that change, in order."""
        return tuple(sorted({term.channel for term in self.terms}))

    @property
    def reach(self) -> int:
        """The farthest a tap reaches along either axis."""
        return max(abs(distance) for form in self.forms for tap in form.taps for distance in tap)


class Evolve(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="evolve", kw_only=True):
    """``times`` time steps, each the updates of ``body`` one after the other (two of them are a leapfrog).

    In the model, ``kernel`` holds the ``coefficients`` (coefficients, 1, 1) in format ``weight``, ``bias``
    one value in format ``bias`` for each entry of the body's ``biased`` in turn, and ``maps`` the
    ``maps`` per-cell channels (1 or times, height, width, maps) in format ``map``: one set for all time steps,
    or one for each if ``planes``. Maps are read, never written; as channels they follow the grid's own.
    """

    body: tuple[Update, ...]
    times: int
    coefficients: int
    weight: Q
    bias: Q
    maps: int = 0
    map: Q = Q(16, 15)
    planes: bool = False

    def grid_after(self, grid: Grid, where: str) -> Grid:
        """``grid`` itself; raises :class:`ProgramError` where body and grid do not fit."""
        self._check_numbers(where)
        for number, update in enumerate(self.body):
            self._check_update(update, grid, f"{where}, update {number}")
        used = {term.coefficient for update in self.body for term in update.terms}
        if self.coefficients != len(used) or used != set(range(self.coefficients)):  # a count that fills no memory comes first
            raise ProgramError(f"{where}: its terms use coefficients {sorted(used)}, not each of 0 to {self.coefficients - 1}")
        return grid

    @property
    def biases(self) -> int:
        """Biases of all updates together."""
        return sum(len(update.biased) for update in self.body)

    def frac_of(self, channel: int, grid: Grid) -> int:
        """Fractional bits of a channel of the grid or of a map."""
        return grid.q.frac if channel < grid.channels else self.map.frac

    def form_range(self, form: Form, grid: Grid) -> tuple[int, int]:
        """The least and the greatest value of a form for any field, before its rescale."""
        q = grid.q if form.channel < grid.channels else self.map
        low = sum(w * (q.low if w > 0 else q.high) for w in form.weights)
        high = sum(w * (q.high if w > 0 else q.low) for w in form.weights)
        return low, high

    def value_formats(self, update: Update, grid: Grid) -> list[Q]:
        """The format of every value of ``update``: its forms, then its products."""
        formats = []
        for form in update.forms:
            low, high = self.form_range(form, grid)
            half = 1 << form.shift >> 1
            width = signed_width((low + half) >> form.shift, (high + half) >> form.shift)
            formats.append(Q(width, self.frac_of(form.channel, grid) - form.shift))
        return formats + [product.out for product in update.products]

    def accumulator_frac(self, update: Update, grid: Grid) -> int:
        """Fractional bits of an update's accumulators."""
        formats = self.value_formats(update, grid)
        return self.weight.frac + max(formats[term.value].frac for term in update.terms)

    def accumulator_width(self, update: Update, channel: int, grid: Grid) -> int:
        """Bits that hold ``channel``'s accumulator, rounding constant included, for ANY coefficients and fields."""
        formats, frac = self.value_formats(update, grid), self.accumulator_frac(update, grid)
        low = high = 0
        for term in update.terms:
            if term.channel == channel:
                q = formats[term.value]
                up = frac - self.weight.frac - q.frac
                ends = [w * v << up for w in (self.weight.low, self.weight.high) for v in (q.low, q.high)]
                low, high = low + min(ends), high + max(ends)
        if channel in update.biased:
            low, high = low + (self.bias.low << (frac - self.bias.frac)), high + (self.bias.high << (frac - self.bias.frac))
        if update.skip:
            low, high = low + (grid.q.low << (frac - grid.q.frac)), high + (grid.q.high << (frac - grid.q.frac))
        return signed_width(low, high + (1 << (frac - grid.q.frac) >> 1))

    def macs(self, grid: Grid) -> int:
        """Multiplications per frame by coefficients and between values; forms are additions."""
        return grid.height * grid.width * self.times * sum(len(u.terms) + len(u.products) for u in self.body)

    def _check_numbers(self, where: str) -> None:
        if not self.body:
            raise ProgramError(f"{where}: an evolution needs at least one update")
        if not 1 <= self.times <= 1_000_000:
            raise ProgramError(f"{where}: times is 1 to 1000000, not {self.times}")
        if self.weight.width not in (*WEIGHT_BITS, 17, 18):
            raise ProgramError(f"{where}: coefficients are 2 to 18 bits wide, not {self.weight.width}")
        if not 2 <= self.bias.width <= 32:
            raise ProgramError(f"{where}: biases are 2 to 32 bits wide, not {self.bias.width}")
        if self.map.width not in FIELD_BITS:
            raise ProgramError(f"{where}: a map is 2 to 18 bits wide, not {self.map.width}")
        if not 0 <= self.maps <= 64:
            raise ProgramError(f"{where}: an evolution has 0 to 64 maps, not {self.maps}")
        if self.planes and not self.maps:
            raise ProgramError(f"{where}: planes need at least one map")

    def _check_update(self, update: Update, grid: Grid, where: str) -> None:
        if not update.forms or not update.terms:
            raise ProgramError(f"{where}: needs at least one form and one term")
        if update.boundary not in ("periodic", "dirichlet", "neumann"):
            raise ProgramError(f"{where}: a boundary is periodic, dirichlet or neumann, not {update.boundary!r}")
        for number, form in enumerate(update.forms):
            self._check_form(form, grid, f"{where}, form {number}")
        formats = self.value_formats(update, grid)
        for number, product in enumerate(update.products):
            known = len(update.forms) + number
            if not (0 <= product.left < known and 0 <= product.right < known):
                raise ProgramError(f"{where}, product {number}: takes values 0 to {known - 1}, not {product.left} and {product.right}")
            if product.out.frac > formats[product.left].frac + formats[product.right].frac:
                raise ProgramError(f"{where}, product {number}: {product.out} is finer than the product of its values")
        for number, q in enumerate(formats):
            if q.width > OPERAND_BITS:
                raise ProgramError(f"{where}, value {number}: {q} is wider than the {OPERAND_BITS} bits a multiplier takes; shift it")
        for number, term in enumerate(update.terms):
            if not 0 <= term.value < len(formats):
                raise ProgramError(f"{where}, term {number}: there is no value {term.value}")
            if not 0 <= term.channel < grid.channels:
                raise ProgramError(f"{where}, term {number}: the grid has no channel {term.channel}")
        if not set(update.biased) <= set(update.updated) or len(set(update.biased)) != len(update.biased):
            raise ProgramError(f"{where}: biased channels {update.biased} are not among the updated {update.updated}, each once")
        frac = self.accumulator_frac(update, grid)
        for what, q in (("the field", grid.q), *((("the bias", self.bias),) if update.biased else ())):
            if q.frac > frac:
                raise ProgramError(f"{where}: {what}, {q}, is finer than the accumulator, which has {frac} fractional bits")
        for channel in update.updated:
            if (width := self.accumulator_width(update, channel, grid)) > 62:
                raise ProgramError(f"{where}: the accumulator of channel {channel} takes {width} bits; 62 is the most")

    def _check_form(self, form: Form, grid: Grid, where: str) -> None:
        if not 0 <= form.channel < grid.channels + self.maps:
            raise ProgramError(f"{where}: there is no channel {form.channel}; the grid has {grid.channels} and {self.maps} maps")
        if not form.taps or len(form.taps) != len(form.weights) or len(set(form.taps)) != len(form.taps):
            raise ProgramError(f"{where}: needs one weight for each of its taps, none twice, not {form.weights} for {form.taps}")
        if any(not 1 <= abs(weight) <= LARGEST_TAP for weight in form.weights):
            raise ProgramError(f"{where}: tap weights are ±1 to ±{LARGEST_TAP}, not {form.weights}")
        for dy, dx in form.taps:
            if (dy and abs(dy) >= grid.height) or (dx and abs(dx) >= grid.width):
                raise ProgramError(f"{where}: tap ({dy}, {dx}) reaches across the whole {grid.height}×{grid.width} grid")
        if not 0 <= form.shift <= 32:
            raise ProgramError(f"{where}: a form is shifted by 0 to 32 bits, not {form.shift}")
