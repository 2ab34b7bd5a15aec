"""The intermediate representation: what the theory generates and every later stage reads."""

from npde.fixed import Q
from npde.program.phi import Clip, Identity, Phi, Relu, Table
from npde.program.program import Program, kind
from npde.program.step import CENTRE, CROSS, MOORE, Boundary, Dense, Grid, Pool, Stencil, Step, Tap

__all__ = [
    "CENTRE",
    "CROSS",
    "MOORE",
    "Boundary",
    "Clip",
    "Dense",
    "Grid",
    "Identity",
    "Phi",
    "Pool",
    "Program",
    "Q",
    "Relu",
    "Stencil",
    "Step",
    "Table",
    "Tap",
    "kind",
]
