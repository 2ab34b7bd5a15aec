"""The end of the pipeline: values become bytes, and the index of the greatest follows them."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from npde.link.protocol import label_bytes, value_bytes
from npde.program import Grid


class Answer(wiring.Component):
    """Values to bytes, little-endian and sign-extended; after a frame its argmax, if asked for.

    Parameters
    ----------
    grid : Grid
        The program's output.
    argmax : bool
        Add the index of the greatest value (the first of equals) as one byte, or two above 256 values.

    Members
    -------
    values : In(stream.Signature(ArrayLayout(signed(bits), 1)))
        The output field.
    bytes : Out(stream.Signature(8))
        The answer as it travels.
    """

    def __init__(self, grid: Grid, argmax: bool):
        self.grid, self.argmax = grid, argmax
        super().__init__(
            {
                "values": In(stream.Signature(data.ArrayLayout(signed(grid.q.width), 1))),
                "bytes": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        count, size = value_bytes(self.grid.q.width), self.grid.size
        label_count = label_bytes(self.grid)
        value = self.values.payload[0]
        # Unsigned: Yosys 0.70 takes spare sign bits off a signed value whose part is selected (wreduce), and zeros stand there then.
        extended = Signal(8 * count)
        place, index = Signal(range(max(count, label_count))), Signal(range(size))
        best, label = Signal.like(value), Signal(range(size))
        m.d.comb += extended.eq(value)

        with m.FSM():
            with m.State("VALUES"):
                m.d.comb += [self.bytes.valid.eq(self.values.valid), self.bytes.payload.eq(extended.word_select(place, 8))]
                with m.If(self.values.valid & self.bytes.ready):
                    m.d.sync += place.eq(place + 1)
                    with m.If(place == count - 1):
                        m.d.comb += self.values.ready.eq(1)
                        m.d.sync += [place.eq(0), index.eq(Mux(index == size - 1, 0, index + 1))]
                        if self.argmax:
                            with m.If((index == 0) | (value > best)):
                                m.d.sync += [best.eq(value), label.eq(index)]
                            with m.If(index == size - 1):
                                m.next = "LABEL"
            if self.argmax:
                with m.State("LABEL"):
                    wide = Signal(8 * label_count)
                    m.d.comb += [wide.eq(label), self.bytes.valid.eq(1), self.bytes.payload.eq(wide.word_select(place, 8))]
                    with m.If(self.bytes.ready):
                        m.d.sync += place.eq(place + 1)
                        with m.If(place == label_count - 1):
                            m.d.sync += place.eq(0)
                            m.next = "VALUES"
        return m

