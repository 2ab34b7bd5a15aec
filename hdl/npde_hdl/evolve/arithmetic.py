"""The arithmetic of one update, one cell a cycle: forms, products, terms, accumulators, in a balanced pipeline."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from npde.program import Evolve, Form, Grid, Tap, Update
from npde_hdl.evolve.sized import Sized
from npde_hdl.primitive.product import LATENCY, Products
from npde_hdl.stencil.reaction import clamped, rescaled


class Arithmetic(Sized):
    """Generated from the update: every value knows in which cycle it is ready, and waits where another is later.

    A sum takes four summands a cycle; a product two cycles (the multiplier's registers), and one more to be
    rounded and saturated. A product of the same coefficient and value is formed once.

    Parameters
    ----------
    evolve, update, grid : Evolve, Update, Grid
        The update of which evolution, on what.
    kind : str
        Which multiplier; see :class:`~npde_hdl.primitive.product.Products`.

    Members
    -------
    ce : In(1)
        Everything stands still while low.
    taps : In(StructLayout)
        For each form ``form0 …``, an array of its taps' values; ``centre``, all channels of the grid.
    coefficients, biases : In(ArrayLayout(signed(width), count))
        All of the evolution's coefficients; this update's biases in the order of ``update.biased``.
    cell : Out(ArrayLayout(signed(bits), channels))
        The cell after the update, :attr:`delay` enabled cycles later.
    before : Out(ArrayLayout(signed(bits), channels))
        The same cell as it came.
    """

    def __init__(self, evolve: Evolve, update: Update, grid: Grid, kind: str = "generic"):
        self.evolve, self.update, self.grid, self.kind = evolve, update, grid, kind
        self.formats = evolve.value_formats(update, grid)
        cell = data.ArrayLayout(signed(grid.q.width), grid.channels)
        taps = {
            f"form{number}": data.ArrayLayout(signed(self.form_bits(form)), len(form.taps))
            for number, form in enumerate(update.forms)
        }
        super().__init__(
            {
                "ce": In(1),
                "taps": In(data.StructLayout({**taps, "centre": cell})),
                "coefficients": In(data.ArrayLayout(signed(evolve.weight.width), evolve.coefficients)),
                "biases": In(data.ArrayLayout(signed(evolve.bias.width), max(1, len(update.biased)))),
                "cell": Out(cell),
                "before": Out(cell),
            }
        )
        self.pairs = distinct_terms(update)

    def form_bits(self, form: Form) -> int:
        """Bits of a value the form's taps read."""
        return (self.grid.q if form.channel < self.grid.channels else self.evolve.map).width

    @property
    def delay(self) -> int:
        """Enabled cycles from the taps to the cell."""
        ready = [_tree_delay(len(parts_of(form))) for form in self.update.forms]
        for product in self.update.products:
            ready.append(max(ready[product.left], ready[product.right]) + LATENCY + 1)
        return max(self._channel_ready(channel, ready) for channel in self.update.updated) + 1

    def _channel_ready(self, channel, ready):
        terms = [ready[term.value] + LATENCY for term in self.update.terms if term.channel == channel]
        summands = len(terms) + (channel in self.update.biased) + self.update.skip
        return max(terms) + _tree_delay(summands)

    def elaborate(self, platform):
        self._m = m = Module()
        evolve, update, grid = self.evolve, self.update, self.grid
        self._late: dict[tuple[int, int], tuple] = {}
        values = [self._form(number, form) for number, form in enumerate(update.forms)]
        for number, product in enumerate(update.products):
            (left, a), (right, b) = values[product.left], values[product.right]
            at = max(a, b)
            whole = self._product(self._wait(left, a, at), self._wait(right, b, at), f"product{number}")
            frac = self.formats[product.left].frac + self.formats[product.right].frac
            rounded = clamped(_rescaled(whole, frac - product.out.frac), product.out.low, product.out.high)
            values.append((self._register(rounded, product.out.width, f"value{len(values)}"), at + LATENCY + 1))

        frac = evolve.accumulator_frac(update, grid)
        last = {channel: max(values[term.value][1] for term in update.terms if term.channel == channel) for channel in update.updated}
        terms = {}
        for number, (coefficient, index) in enumerate(self.pairs):
            # An operand waits in fewer registers than its product would, often in those of the cell as it came.
            value, ready = values[index]
            at = min(last[term.channel] for term in update.terms if (term.coefficient, term.value) == (coefficient, index))
            product = self._product(self._wait(value, ready, at), self.coefficients[coefficient], f"term{number}")
            up = frac - evolve.weight.frac - self.formats[index].frac
            terms[coefficient, index] = product << up, at + LATENCY

        centre = [self.taps.centre[channel] for channel in range(grid.channels)]
        total = self.delay
        for channel in range(grid.channels):
            before = self._wait(centre[channel], 0, total)
            m.d.comb += self.before[channel].eq(before)
            if channel not in update.updated:
                m.d.comb += self.cell[channel].eq(before)
                continue
            summands = [terms[term.coefficient, term.value] for term in update.terms if term.channel == channel]
            at = max(ready for _, ready in summands)
            parts = [self._wait(value, ready, at) for value, ready in summands]
            if channel in update.biased:
                parts.append(self.biases[update.biased.index(channel)] << (frac - evolve.bias.frac))
            if update.skip:
                parts.append(self._wait(centre[channel], 0, at) << (frac - grid.q.frac))
            acc, took = self._sum(parts, f"acc{channel}")
            held = acc[: evolve.accumulator_width(update, channel, grid)].as_signed()
            after = clamped(_rescaled(held, frac - grid.q.frac), grid.q.low, grid.q.high)
            done = self._register(after, grid.q.width, f"after{channel}")
            m.d.comb += self.cell[channel].eq(self._wait(done, at + took + 1, total))
        return m

    def _form(self, number, form: Form):
        taps = self.taps[f"form{number}"]
        index = {tap: place for place, tap in enumerate(form.taps)}
        parts = [taps[index[tap]] << up for tap, up, sign in parts_of(form) if sign > 0]
        minus = [taps[index[tap]] << up for tap, up, sign in parts_of(form) if sign < 0]
        total, took = self._sum(parts, f"form{number}", minus)
        # The format is that of the rescaled form; what it drops above is sign.
        return _rescaled(total, form.shift)[: self.formats[number].width].as_signed(), took

    def _sum(self, plus, name, minus=()):
        """The registered sum, four summands a cycle, and the cycles it took."""
        parts = [(part, 1) for part in plus] + [(part, -1) for part in minus]
        took = 0
        if len(parts) == 1 and parts[0][1] < 0:
            return -parts[0][0], 0
        while len(parts) > 1:
            grown = []
            for low in range(0, len(parts), 4):
                group = sorted(parts[low : low + 4], key=lambda part: -part[1])
                grown.append((self._register(_added(group), None, f"{name}_sum{took}_{low}"), 1))
            parts, took = grown, took + 1
        return parts[0][0], took

    def _product(self, a, b, name):
        products = Products(1, len(a), len(b), self.kind)
        self._m.submodules[name] = products
        self._m.d.comb += [products.ce.eq(self.ce), products.a[0].eq(a), products.b[0].eq(b)]
        return products.p[0]

    def _register(self, value, width, name):
        register = Signal(signed(width or len(value)), name=name, reset_less=True)
        with self._m.If(self.ce):
            self._m.d.sync += register.eq(value)
        return register

    def _wait(self, value, ready, at):
        """``value`` as it was ``at - ready`` enabled cycles ago; the registers are shared."""
        for cycle in range(ready, at):
            key = id(value), cycle
            if key not in self._late:
                # The value is kept beside its register, or another could be given its identity.
                self._late[key] = value, self._register(value, None, f"wait{len(self._late)}")
            value = self._late[key][1]
        return value


def distinct_terms(update: Update) -> list[tuple[int, int]]:
    """The (coefficient, value) pairs an update multiplies, each once."""
    return list(dict.fromkeys((term.coefficient, term.value) for term in update.terms))


def multipliers_of(evolve: Evolve) -> int:
    """Multipliers of one copy of a time step."""
    return sum(len(distinct_terms(update)) + len(update.products) for update in evolve.body)


def parts_of(form: Form) -> list[tuple[Tap, int, int]]:
    """The form as taps shifted and added or subtracted: (tap, shift, sign), its weights in non-adjacent form."""
    parts = []
    for tap, weight in zip(form.taps, form.weights, strict=True):
        up, rest = 0, weight
        while rest:
            if rest & 1:
                digit = 2 - (rest & 3)
                parts.append((tap, up, digit))
                rest -= digit
            rest, up = rest >> 1, up + 1
    if len(parts) == 1 and parts[0][2] < 0:
        return parts
    return parts


def _rescaled(value, shift: int):
    """``value / 2**shift`` rounded half up, also where nothing but the sign is left of it."""
    short = max(0, shift + 1 - len(value))
    return rescaled(Cat(value, value[-1].replicate(short)).as_signed() if short else value, shift)


def _tree_delay(summands: int) -> int:
    delay = 0
    while summands > 1:
        summands, delay = -(-summands // 4), delay + 1
    return delay


def _added(group):
    """Two and two, so that no path has more than two adders."""
    def pair(a, b):
        (x, plus), (y, sign) = a, b
        if plus > 0:
            return (x + y, 1) if sign > 0 else (x - y, 1)
        return x + y, -1

    while len(group) > 1:
        group = [pair(*group[at : at + 2]) if at + 1 < len(group) else group[at] for at in range(0, len(group), 2)]
        group.sort(key=lambda part: -part[1])
    value, sign = group[0]
    return value if sign > 0 else Const(0) - value
