"""The multiply-accumulate lanes of a step: PE accumulators fed by PE × SIMD products a cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from npde.link.packing import Fold, Packing
from npde_hdl.primitive.product import Products
from npde_hdl.stencil.line_buffer import Beat


class Lanes(wiring.Component):
    """Accumulates each output fold exactly: its biases, aligned, plus the products of all its beats.

    The lanes are one rigid pipeline with the line buffer: nothing moves while ``enable`` is low.
    The accumulator is as wide as :meth:`~npde.program.Stencil.accumulator_width` computes for any
    weights and inputs, so it cannot overflow.

    Parameters
    ----------
    packing : Packing
        The step and its folding.
    kind : str
        Which multiplier; see :class:`~npde_hdl.primitive.product.Products`.
    multiply : int
        Cycles it takes.

    Members
    -------
    beat, valid : In(Beat), In(1)
        A word of the window.
    word : In(packing.width)
        The weight memory's word that belongs to it.
    enable : In(1)
        The pipeline may move.
    done : Out(1)
        ``sums`` (and ``centre``) are complete; they stay until the pipeline moves again.
    sums : Out(ArrayLayout(signed(accumulator), pe))
        The accumulators.
    centre : Out(ArrayLayout(signed(bits), pe))
        The centre values of these output channels, for skip.
    """

    def __init__(self, packing: Packing, kind: str, multiply: int):
        self.packing, self.kind, self.multiply = packing, kind, multiply
        stencil, grid, fold = packing.stencil, packing.grid, packing.fold
        super().__init__(
            {
                "beat": In(Beat(grid.q.width, fold)),
                "valid": In(1),
                "word": In(packing.width),
                "enable": In(1),
                "done": Out(1),
                "sums": Out(data.ArrayLayout(signed(stencil.accumulator_width(grid)), fold.pe)),
                "centre": Out(data.ArrayLayout(signed(grid.q.width), fold.pe)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        packing, fold = self.packing, self.packing.fold
        stencil, grid = packing.stencil, packing.grid
        weight_bits = stencil.weight.width

        m.submodules.products = products = Products(
            fold.multipliers, grid.q.width, weight_bits, self.kind, self.multiply
        )
        m.d.comb += products.ce.eq(self.enable)
        for p in range(fold.pe):
            for s in range(fold.simd):
                lane = p * fold.simd + s
                m.d.comb += [
                    products.a[lane].eq(self.beat.lanes[s]),
                    products.b[lane].eq(self.word.word_select(lane, weight_bits).as_signed()),
                ]

        # A bias waits in `held` while the products of its fold are on their way: cheaper than a delay line.
        held = [Signal(packing.bias_beats * packing.lane_bits, name=f"held{p}") for p in range(fold.pe)]
        with m.If(self.enable & self.valid & self.beat.bias):
            for p in range(fold.pe):
                chunk = self.word.word_select(p, packing.lane_bits)
                m.d.sync += held[p].eq(Cat(chunk, held[p]))

        sums = [self._tree(m, [products.p[p * fold.simd + s] for s in range(fold.simd)]) for p in range(fold.pe)]
        latency = latency_of(fold, self.multiply)
        if latency > packing.settle:
            raise ValueError(f"{fold.simd} input lanes take {latency} cycles to add up, more than the {packing.settle} allowed")

        # The flags travel beside their products.
        valid, first, last = self.valid & ~self.beat.bias, self.beat.first, self.beat.last
        for stage in range(latency):
            now = Signal(3, name=f"flags{stage}")
            with m.If(self.enable):
                m.d.sync += now.eq(Cat(valid, valid & first, valid & last))
            valid, first, last = now[0], now[1], now[2]

        with m.If(self.enable):
            m.d.sync += self.done.eq(last)
            with m.If(valid):
                for p in range(fold.pe):
                    bias = held[p][: stencil.bias.width].as_signed() << stencil.bias_shift(grid)
                    m.d.sync += self.sums[p].eq(Mux(first, bias, self.sums[p]) + sums[p])

        if stencil.skip:
            with m.If(self.enable & self.valid & self.beat.centre):
                if fold.pe <= fold.simd:
                    group = self.beat.lanes.as_value().word_select(self.beat.group, fold.pe * grid.q.width)
                    m.d.sync += self.centre.eq(group)
                else:
                    m.d.sync += self.centre.eq(Cat(self.centre, self.beat.lanes)[fold.simd * grid.q.width :])
        return m

    def _tree(self, m, terms):
        """The registered sum of ``terms``, one level of adders a stage: an adder's register costs nothing."""
        latency = 0
        while len(terms) > 1:
            stage = []
            for at in range(0, len(terms), 2):
                total = sum(terms[at + 1 : at + 2], terms[at])
                register = Signal.like(total, name=f"tree{latency}_{at}")
                with m.If(self.enable):
                    m.d.sync += register.eq(total)
                stage.append(register)
            terms, latency = stage, latency + 1
        return terms[0]


def latency_of(fold: Fold, multiply: int) -> int:
    """Enabled cycles from a beat to the sum of its products: the multipliers' and the adder tree's."""
    return multiply + (fold.simd - 1).bit_length()
