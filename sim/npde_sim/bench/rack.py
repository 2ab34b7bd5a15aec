"""Several components side by side in one simulation, so that one compilation serves them all."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped


class Rack(wiring.Component):
    """Every component under its name, none connected to another: port ``i.valid`` of ``a`` is ``a.i.valid``."""

    def __init__(self, components: Mapping[str, wiring.Component]):
        self.components = dict(components)
        super().__init__({name: Out(component.signature) for name, component in components.items()})

    def elaborate(self, platform):
        m = Module()
        for name, component in self.components.items():
            m.submodules[name] = component
            connect(m, component, flipped(getattr(self, name)))
        return m
