"""The pipeline's clock from the board's oscillator: which dividers, and the device's PLL around them."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import ClockSignal, Const, Instance

from npde.errors import BuildError

TOLERANCE = 0.005
"""How far, relatively, the clock made may lie from the clock asked for."""


@dataclass(frozen=True)
class Ice40Dividers:
    """``out = oscillator · (divf + 1) / (2**divq · (divr + 1))`` (Lattice FPGA-TN-02052, simple feedback)."""

    divr: int
    divf: int
    divq: int
    filter_range: int
    clock: float


@dataclass(frozen=True)
class Ecp5Dividers:
    """``out = oscillator · clkfb / clki``; the oscillator inside runs ``clkop`` times faster (FPGA-TN-02200)."""

    clki: int
    clkfb: int
    clkop: int
    clock: float


def ice40_dividers(oscillator: int, clock: int) -> Ice40Dividers:
    """The dividers nearest to ``clock`` hertz; raises :class:`BuildError` when none is within tolerance."""
    legal = []
    for divr in range(16):
        compared = oscillator / (divr + 1)
        if not 10e6 <= compared <= 133e6:
            continue
        for divf in range(64):
            vco = compared * (divf + 1)
            if not 533e6 <= vco <= 1066e6:
                continue
            for divq in range(1, 7):
                made = vco / 2**divq
                legal.append((abs(made - clock), divr, divf, divq, _filter_range(compared), made))
    return Ice40Dividers(*_nearest(legal, oscillator, clock))


def ecp5_dividers(oscillator: int, clock: int) -> Ecp5Dividers:
    """The dividers nearest to ``clock`` hertz; raises :class:`BuildError` when none is within tolerance."""
    legal = []
    for clki in range(1, 129):
        if not 3.125e6 <= oscillator / clki <= 400e6:
            continue
        for clkfb in range(1, 81):
            made = oscillator * clkfb / clki
            if not 3.125e6 <= made <= 400e6:
                continue
            # The middle of the 400 to 800 MHz the inner oscillator may run at.
            clkop = min(range(1, 129), key=lambda divider: abs(made * divider - 600e6))
            if 400e6 <= made * clkop <= 800e6:
                legal.append((abs(made - clock), clki, clkfb, clkop, made))
    return Ecp5Dividers(*_nearest(legal, oscillator, clock))


def ice40_pll(dividers: Ice40Dividers, pin, locked, *, pad: bool) -> Instance:
    """Drives the domain ``sync`` from ``pin``: an :class:`IOPort` when the PLL sits on it (``pad``), else a signal."""
    source = {"i_PACKAGEPIN": pin} if pad else {"i_REFERENCECLK": pin}
    return Instance(
        "SB_PLL40_PAD" if pad else "SB_PLL40_CORE",
        p_FEEDBACK_PATH="SIMPLE",
        p_DIVR=Const(dividers.divr, 4),
        p_DIVF=Const(dividers.divf, 7),
        p_DIVQ=Const(dividers.divq, 3),
        p_FILTER_RANGE=Const(dividers.filter_range, 3),
        i_RESETB=Const(1),
        i_BYPASS=Const(0),
        o_PLLOUTGLOBAL=ClockSignal("sync"),
        o_LOCK=locked,
        **source,
    )


def ecp5_pll(dividers: Ecp5Dividers, source, locked) -> Instance:
    """Drives the domain ``sync`` from the signal ``source``, fed back through its own output."""
    return Instance(
        "EHXPLLL",
        a_ICP_CURRENT="12",
        a_LPF_RESISTOR="8",
        p_PLLRST_ENA="DISABLED",
        p_INTFB_WAKE="DISABLED",
        p_STDBY_ENABLE="DISABLED",
        p_DPHASE_SOURCE="DISABLED",
        p_CLKOP_FPHASE=0,
        p_CLKOP_CPHASE=dividers.clkop - 1,
        p_OUTDIVIDER_MUXA="DIVA",
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOP_DIV=dividers.clkop,
        p_CLKI_DIV=dividers.clki,
        p_CLKFB_DIV=dividers.clkfb,
        p_FEEDBK_PATH="CLKOP",
        i_CLKI=source,
        i_CLKFB=ClockSignal("sync"),
        i_RST=Const(0),
        i_STDBY=Const(0),
        i_PHASESEL0=Const(0),
        i_PHASESEL1=Const(0),
        i_PHASEDIR=Const(0),
        i_PHASESTEP=Const(0),
        i_PLLWAKESYNC=Const(0),
        i_ENCLKOP=Const(0),
        o_CLKOP=ClockSignal("sync"),
        o_LOCK=locked,
    )


def _filter_range(compared: float) -> int:
    bounds = (17e6, 26e6, 44e6, 66e6, 101e6)
    return 1 + sum(compared >= bound for bound in bounds)


def _nearest(legal, oscillator: int, clock: int):
    error, *best = min(legal)
    if error > clock * TOLERANCE:
        raise BuildError(
            f"no PLL setting makes {clock / 1e6:g} MHz from {oscillator / 1e6:g} MHz; the nearest is {best[-1] / 1e6:.4g} MHz"
        )
    return best
