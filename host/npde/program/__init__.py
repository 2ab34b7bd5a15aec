"""The intermediate representation: what the theory generates and every later stage reads."""

from npde.fixed import Q
from npde.program.evolve import Evolve, Form, Product, Term, Update
from npde.program.phi import Clip, Identity, Phi, Relu, Table
from npde.program.program import Program, Step, kind
from npde.program.recurrent import Recurrent
from npde.program.step import CENTRE, CROSS, MOORE, Boundary, Dense, Grid, Pool, Stencil, Tap

__all__ = [
    "CENTRE",
    "CROSS",
    "MOORE",
    "Boundary",
    "Clip",
    "Dense",
    "Evolve",
    "Form",
    "Grid",
    "Identity",
    "Phi",
    "Pool",
    "Product",
    "Program",
    "Q",
    "Recurrent",
    "Relu",
    "Stencil",
    "Step",
    "Table",
    "Tap",
    "Term",
    "Update",
    "kind",
]
