"""npde: neural partial differential equations, from maths to a running open FPGA."""

__version__ = "0.1.0"
