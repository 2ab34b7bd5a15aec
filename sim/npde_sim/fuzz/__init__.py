"""Millions of bytes into the link's gateware, Verilated without a serial line: what no simulator in Python has the time for."""

from npde_sim.fuzz.line import ByteLine, Hung

__all__ = ["ByteLine", "Hung"]
