"""What every stream promises, as properties: offers are kept, words come out once each and in order."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.asserts import AnySeq
from amaranth.hdl import Array, Assert, Assume, Module, Mux, Signal, Value


def unknown(m: Module, *inputs: Value) -> None:
    """Any value at any time."""
    for value in inputs:
        m.d.comb += Value.cast(value).eq(AnySeq(len(Value.cast(value))))


def keeps_offers(m: Module, stream, claim: Callable[..., object] = Assert, name: str = "stream") -> None:
    """An offered word is neither withdrawn nor changed before it is taken; ``claim`` is Assume for an input."""
    waiting, word = Signal(name=f"{name}_waiting"), Signal(len(Value.cast(stream.payload)), name=f"{name}_word")
    payload = Value.cast(stream.payload)
    m.d.sync += [waiting.eq(stream.valid & ~stream.ready), word.eq(payload)]
    with m.If(waiting):
        m.d.comb += [claim(stream.valid), claim(payload == word)]


def patient(m: Module, held: Value, most: int, name: str = "patience") -> None:
    """``held`` never lasts longer than ``most`` cycles."""
    waits = Signal(range(most + 2), name=name)
    m.d.sync += waits.eq(Mux(held, Mux(waits == most + 1, waits, waits + 1), 0))
    m.d.comb += Assert(waits <= most)


def in_order(m: Module, i, o, *, bits: int, lanes_in: int, lanes_out: int, most: int, within: int | None) -> None:
    """Every value that enters ``i`` leaves ``o``: once, in order, unchanged, and in so many cycles if a taker waits.

    One value is marked, any one at any time, and followed by the number of values before it (Wolper's
    data-independence: what holds for it holds for all). At most ``most`` values are ever inside.
    """
    inside, ahead = Signal(range(most + lanes_in + 1)), Signal(range(most + lanes_in + 1))
    marked, mark, lane = Signal(), Signal(), Signal(range(lanes_in))
    value = Signal(bits)
    m.d.comb += [mark.eq(AnySeq(1)), lane.eq(AnySeq(len(lane))), Assume(lane < lanes_in)]
    enters, leaves = i.valid & i.ready, o.valid & o.ready
    after = Signal(range(most + lanes_in + 1))
    m.d.comb += after.eq(inside - Mux(leaves, lanes_out, 0))
    m.d.sync += inside.eq(after + Mux(enters, lanes_in, 0))
    m.d.comb += Assert(inside <= most)
    with m.If(leaves):
        m.d.comb += Assert(inside >= lanes_out)
    came, left = Value.cast(i.payload), Value.cast(o.payload)
    with m.If(~marked & mark & enters):
        m.d.sync += [marked.eq(1), ahead.eq(after + lane), value.eq(came.word_select(lane, bits))]
    with m.If(marked & leaves):
        with m.If(ahead < lanes_out):
            place = Array(left[at * bits : (at + 1) * bits] for at in range(lanes_out))[ahead]
            m.d.comb += Assert(place == value)
            m.d.sync += marked.eq(0)
        with m.Else():
            m.d.sync += ahead.eq(ahead - lanes_out)
    with m.If(marked):
        m.d.comb += Assert(ahead < inside)
    if within is not None:
        patient(m, (inside >= lanes_out) & ~o.valid, within)
