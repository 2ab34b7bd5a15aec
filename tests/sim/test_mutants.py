"""Mutation itself: faults are what they say, a harmless one is proved so, and a test that looks notices the others."""

from __future__ import annotations

import re

from amaranth.back import rtlil
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npde_sim.mutants.equivalent import equivalent
from npde_sim.mutants.netlist import Mutant, mutants_of, simulator, wrapper


class Doubled(wiring.Component):
    """``payload`` counts while ``valid``; what it is otherwise nobody may look at."""

    def __init__(self):
        super().__init__({"step": In(1), "valid": Out(1), "payload": Out(3)})

    def elaborate(self, platform):
        m = Module()
        count = Signal(3, name="count")
        with m.If(self.step):
            m.d.sync += [count.eq(count + 1), self.valid.eq(~self.valid)]
        m.d.comb += self.payload.eq(Mux(self.valid, count, 5))
        return m


def design():
    return rtlil.convert(Doubled(), name="top")


def test_faults_are_as_many_as_asked_for_and_never_of_the_clock():
    mutants = mutants_of(design(), 12)
    assert [mutant.number for mutant in mutants] == list(range(1, 13))
    assert len({mutant.fault for mutant in mutants}) == 12
    assert not any("CLK" in mutant.fault for mutant in mutants)
    assert any("test_mutants.py" in mutant.where for mutant in mutants)


def test_a_fault_of_what_nobody_may_look_at_is_harmless_and_the_same_of_the_count_is_not():
    text = design()
    mux = re.search(r"cell \$mux (\S+)\n(?:.*\n)*?.*parameter \\WIDTH 3\n", text)
    assert mux
    unseen, seen = (Mutant(1, f"mutate -mode inv -module top -cell {mux[1]} -port {port} -portbit 1") for port in "AB")
    assert equivalent(text, unseen)
    assert not equivalent(text, seen)


def test_ports_that_do_not_count_are_masked():
    text = "module core(valid, payload, step);\n  input step;\n  output valid;\n  output [2:0] payload;\nendmodule\n"
    masked = wrapper(text, "core", "masked", {"payload": "valid"})
    assert r"assign \payload = \valid ? payload_raw : 0;" in masked
    assert "output" not in wrapper(text, "core", "bare", only="nothing").split(";")[0]


def test_all_mutants_fit_one_simulator():
    text = design()
    folder = simulator(text, [Mutant(1, mutants_of(text, 1)[0].fault)], [])
    assert "mutsel" in (folder / "top.v").read_text()
