"""The SoC on a real board: its pins, its clock, and a line that stays idle until the clock is steady."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, Const, Elaboratable, Module, Signal
from amaranth.lib import io

from npde_hdl.board import Board
from npde_hdl.build.pll import ecp5_dividers, ecp5_pll, ice40_dividers, ice40_pll
from npde_hdl.plan import Plan
from npde_hdl.soc import SoC

SETTLING = 15e-6
"""Seconds after configuration in which an iCE40's block RAMs still read as zero (Lattice TN1250)."""


class Top(Elaboratable):
    """Takes the oscillator and the UART from the platform, everything else from the plan."""

    def __init__(self, plan: Plan, board: Board):
        self.plan, self.board = plan, board

    def elaborate(self, platform):
        m = Module()
        # No reset: configuration gives every register its initial value, and none of them changes while the line
        # is idle, so neither an unlocked clock nor an unready memory can disturb what waits for the first byte.
        m.domains.sync = ClockDomain(reset_less=True)

        locked = Signal()
        pin = platform.request(platform.default_clk, dir="-")
        if self.board.pll == "pad":
            source = pin.io
        else:
            m.submodules.oscillator = oscillator = io.Buffer("i", pin)
            source = oscillator.i
        if self.board.family == "ice40":
            dividers = ice40_dividers(self.board.oscillator, self.plan.clock)
            m.submodules.pll = ice40_pll(dividers, source, locked, pad=self.board.pll == "pad")
        else:
            m.submodules.pll = ecp5_pll(ecp5_dividers(self.board.oscillator, self.plan.clock), source, locked)

        settling = int(self.plan.clock * SETTLING) + 1
        waiting = Signal(range(settling + 1), init=settling)
        with m.If((waiting != 0) & locked):
            m.d.sync += waiting.eq(waiting - 1)
        idle = Signal(init=1)
        m.d.sync += idle.eq(waiting != 0)

        uart = platform.request("uart", dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.submodules.soc = soc = SoC(self.plan)
        m.d.comb += [soc.rx.eq(rx.i | idle), tx.o.eq(soc.tx)]
        for name in self.board.high:
            m.submodules[name] = driver = io.Buffer("o", platform.request(name, dir="-"))
            m.d.comb += driver.o.eq(Const(1))
        return m
