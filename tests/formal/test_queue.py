"""Words that wait: each comes out once, in order, unchanged, and there is room for as many as were promised."""

from __future__ import annotations

from amaranth.hdl import Module, signed
from amaranth.lib import data

from npde_sim.formal import Proof, Twin, in_order, keeps_offers, module, unknown

WORD = data.ArrayLayout(signed(2), 2)


def queue(depth):
    def top(twin):
        m = Module()
        m.submodules.queue = queue = module("npde_hdl.readout.queue", twin).Queue(WORD, depth)
        unknown(m, queue.i.valid, queue.i.payload, queue.o.ready)
        keeps_offers(m, queue.o)
        in_order(m, queue.i, queue.o, bits=4, lanes_in=1, lanes_out=1, most=depth + 1, within=2)
        return m

    return top


PROOFS = [
    Proof(
        f"queue of {depth}",
        queue(depth),
        Twin("words.r_en.eq(self.o.ready)", "words.r_en.eq(1)", "a word is dropped while nobody takes it"),
        slow=depth > 2,
    )
    for depth in (2, 3)
]


def test_it_holds_and_its_twin_does_not(proof, holds):
    holds(proof)
