"""The virtual board: the SoC, Verilated to C++, with its UART pins on a pseudo-terminal."""

from npde_sim.virtual.launch import VirtualBoard

__all__ = ["VirtualBoard"]
