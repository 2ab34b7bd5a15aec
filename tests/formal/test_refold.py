"""Between two foldings: the same values in the same order, whatever the ratio, and offers are kept."""

from __future__ import annotations

from amaranth.hdl import Module

from npde_sim.formal import Proof, Twin, in_order, keeps_offers, module, unknown

BITS = 2


def refold(lanes_in, lanes_out, most):
    def top(twin):
        m = Module()
        m.submodules.refold = refold = module("npde_hdl.readout.refold", twin).Refold(BITS, lanes_in, lanes_out)
        unknown(m, refold.i.valid, refold.i.payload, refold.o.ready)
        keeps_offers(m, refold.o)
        in_order(
            m, refold.i, refold.o, bits=BITS, lanes_in=lanes_in, lanes_out=lanes_out, most=most, within=lanes_out + 2
        )
        return m

    return top


GATHERED = Twin(
    "(filled != words) | self.o.ready", "(filled <= words)", "a full word is overwritten while nobody takes it"
)
DEALT = Twin("((left == 1) & self.o.ready)", "(left == 1)", "the last part is overwritten while nobody takes it")
PROOFS = [
    Proof("refold 1 to 3 lanes", refold(1, 3, 3), GATHERED),
    Proof("refold 3 to 1 lanes", refold(3, 1, 3), DEALT),
    Proof("refold 2 to 3 lanes", refold(2, 3, 5), DEALT, slow=True),
    Proof("refold 3 to 2 lanes", refold(3, 2, 5), GATHERED, slow=True),
]


def test_it_holds_and_its_twin_does_not(proof, holds):
    holds(proof)
