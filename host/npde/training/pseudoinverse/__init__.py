"""Pseudoinverse learning: networks without gradients, one least-squares problem a layer (Guo and Lyu 2001, 2004)."""

from npde.training.pseudoinverse.layer import Settings, Strategy
from npde.training.pseudoinverse.layerwise import Search, learn

__all__ = ["Search", "Settings", "Strategy", "learn"]
