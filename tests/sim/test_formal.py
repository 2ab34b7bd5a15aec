"""The prover itself: it proves what is true, refutes what is not, and says so where it cannot be asked."""

from __future__ import annotations

import pytest
from amaranth.hdl import Assert, Module, Signal

from npde_sim.formal import Proof, Twin, check, module, opened

TWIN = Twin("filled == words", "filled != words", "")


def counter(limit):
    def top(twin):
        m = Module()
        count = Signal(4)
        m.d.sync += count.eq(count + (count != 9))
        m.d.comb += Assert(count < limit)
        return m

    return top


@pytest.mark.parametrize(
    ("engine", "limit", "status"),
    [("pdr", 10, "PASS"), ("pdr", 9, "FAIL"), ("bmc", 9, "FAIL"), ("induction", 9, "FAIL")],
)
def test_a_counter_that_stops_at_nine_is_below_ten_and_not_below_nine(engine, limit, status):
    assert check(Proof("counter", counter(limit), TWIN, engine=engine, depth=20)).status == status


def test_a_bound_is_no_proof_beyond_it():
    assert check(Proof("counter", counter(9), TWIN, engine="bmc", depth=5)).status == "PASS"


def test_what_has_registers_is_not_proved_in_one_cycle():
    with pytest.raises(ValueError, match="counter has registers"):
        check(Proof("counter", counter(10), TWIN, engine="stateless"))


def test_a_twin_is_the_module_with_one_text_replaced():
    broken = module("npde_hdl.readout.refold", TWIN)
    assert broken.Refold is not module("npde_hdl.readout.refold").Refold
    with pytest.raises(ValueError, match="does not contain 'no such text'"):
        module("npde_hdl.readout.refold", Twin("no such text", "", ""))
    with pytest.raises(ValueError, match="has no constant SMALL"):
        module("npde_hdl.link.deframe", None, {"SMALL": 1})


def test_a_component_shows_its_registers():
    from npde_hdl.stencil.weight_memory import WeightMemory

    component = WeightMemory(0, 4, 4, "generic", 8)
    _, inside = opened(component)
    assert len(inside["mine"]) == 1
