"""Proofs: SymbiYosys on a component and its properties, and on a twin of it that is broken on purpose.

A :class:`Proof` is an Amaranth module with ``Assert``, ``Assume`` and ``Cover`` around the component. It counts only
if its :class:`Twin`, the same component with one text of its source replaced, is refuted. The proofs themselves are in
``tests/formal``; ``make formal`` runs all of them.
"""

from npde_sim.formal.proof import Engine, Proof, Verdict, check
from npde_sim.formal.stream import in_order, keeps_offers, patient, unknown
from npde_sim.formal.twin import Twin, module, opened

__all__ = [
    "Engine",
    "Proof",
    "Twin",
    "Verdict",
    "check",
    "in_order",
    "keeps_offers",
    "module",
    "opened",
    "patient",
    "unknown",
]
