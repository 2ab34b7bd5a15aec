"""A component broken on purpose: its module once more, with one text of the source replaced."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.hdl._ir import Fragment


@dataclass(frozen=True)
class Twin:
    """``old`` becomes ``new`` where it stands first in the module's source, ``why`` says what is broken by that."""

    old: str
    new: str
    why: str


def module(name: str, twin: Twin | None = None, constants: Mapping[str, Any] | None = None) -> ModuleType:
    """The module ``name``, loaded a second time with the twin's replacement and other values of its ``constants``.

    ``constants`` make a thing small enough to prove: they replace names of the module before its components are built.
    Raises :class:`ValueError` when ``old`` does not stand in the source, or a constant is not there.
    """
    if twin is None and not constants:
        return importlib.import_module(name)
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ValueError(f"there is no module {name}")
    with open(spec.origin, encoding="utf-8") as file:
        source = file.read()
    if twin is not None:
        if twin.old not in source:
            raise ValueError(f"{name} does not contain {twin.old!r}: write the twin anew")
        source = source.replace(twin.old, twin.new, 1)
    loaded = ModuleType(name)
    loaded.__file__ = spec.origin
    before = sys.modules.get(name)
    sys.modules[name] = loaded  # annotations are resolved through it while the classes are made
    try:
        exec(compile(source, spec.origin, "exec", dont_inherit=True), loaded.__dict__)
    finally:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
    for constant, value in (constants or {}).items():
        if not hasattr(loaded, constant):
            raise ValueError(f"{name} has no constant {constant}")
        setattr(loaded, constant, value)
    return loaded


def opened(component: Elaboratable) -> tuple[Module, dict[str, Any]]:
    """The component elaborated, and the local variables its ``elaborate`` ended with: registers, for lemmas about them.

    The module takes the component's place as a submodule. ``fsm_state`` is added where there is one state machine.
    """
    code, found = type(component).elaborate.__code__, {}

    def watch(frame, event, _):
        if event == "return" and frame.f_code is code:
            found.update(frame.f_locals)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        body = component.elaborate(None)
    finally:
        sys.setprofile(before)
    component._MustUse__silence = True  # used, though not as a submodule
    driven = [
        signal for statements in Fragment.get(body, None).statements.values() for signal in statements._lhs_signals()
    ]
    states = [signal for signal in driven if signal.name == "fsm_state"]
    return body, {**found, **({"fsm_state": states[0]} if len(states) == 1 else {})}
