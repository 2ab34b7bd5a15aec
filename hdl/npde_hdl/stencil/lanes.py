"""The multiply-accumulate lanes of a step: PE accumulators fed by PE × SIMD products a cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from npde.link.packing import SETTLE, Fold, Packing
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
    far : bool
        One more register in front of the multipliers, for where they lie far from the memories.

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

    def __init__(self, packing: Packing, kind: str, far: bool = False):
        self.packing, self.kind, self.far = packing, kind, far
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

        m.submodules.products = products = Products(fold.multipliers, grid.q.width, weight_bits, self.kind)
        m.d.comb += products.ce.eq(self.enable)
        cells, word = self.beat.lanes, self.word
        if self.far:
            cells, word = Signal.like(cells, name="cells"), Signal.like(word, name="weights")
            with m.If(self.enable):
                m.d.sync += [cells.eq(self.beat.lanes), word.eq(self.word)]
        for p in range(fold.pe):
            for s in range(fold.simd):
                lane = p * fold.simd + s
                m.d.comb += [
                    products.a[lane].eq(cells[s]),
                    products.b[lane].eq(word.word_select(lane, weight_bits).as_signed()),
                ]

        # A bias waits in `held` while the products of its fold are on their way: cheaper than a delay line.
        held = [Signal(packing.bias_beats * packing.lane_bits, name=f"held{p}") for p in range(fold.pe)]
        with m.If(self.enable & self.valid & self.beat.bias):
            for p in range(fold.pe):
                chunk = self.word.word_select(p, packing.lane_bits)
                m.d.sync += held[p].eq(Cat(chunk, held[p]))

        sums = [self._tree(m, [products.p[p * fold.simd + s] for s in range(fold.simd)]) for p in range(fold.pe)]
        latency = latency_of(fold, self.far)
        if latency > SETTLE:
            raise ValueError(f"{fold.simd} input lanes take {latency} cycles to add up, more than the {SETTLE} allowed")

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
        """The registered sum of ``terms``, two levels of adders a stage."""
        latency = 0
        while len(terms) > 1:
            stage = []
            for at in range(0, len(terms), 4):
                group = terms[at : at + 4]
                total = group[0]
                if len(group) > 2:
                    total = (group[0] + group[1]) + (group[2] + group[3] if len(group) > 3 else group[2])
                elif len(group) == 2:
                    total = group[0] + group[1]
                register = Signal.like(total, name=f"tree{latency}_{at}")
                with m.If(self.enable):
                    m.d.sync += register.eq(total)
                stage.append(register)
            terms, latency = stage, latency + 1
        return terms[0]


def latency_of(fold: Fold, far: bool) -> int:
    """Enabled cycles from a beat to the sum of its products: registers on the way, the multipliers', the adder tree's."""
    stages = next(stages for stages in range(fold.simd) if 4**stages >= fold.simd)
    return far + Products.latency + stages
