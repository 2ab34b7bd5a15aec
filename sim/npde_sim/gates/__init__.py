"""The circuit as placed and routed, simulated cell by cell from the vendors' models."""

from npde_sim.gates.board import GateBoard

__all__ = ["GateBoard"]
