"""Mutation coverage: would a component's bench notice if its netlist were wrong in one place?

Yosys' ``mutate`` writes a list of small faults: a bit of a cell's port stuck, inverted, or inverted where another bit
is so. All of them are put into one netlist, switched by an input, which Verilator compiles once. The component's own
tests then run on each mutant, scenario, seed and assertion as they are; one that no test notices is a survivor, unless
Yosys or ABC proves that its outputs cannot differ.
"""

from npde_sim.mutants.campaign import Campaign, Count, campaign

__all__ = ["Campaign", "Count", "campaign"]
