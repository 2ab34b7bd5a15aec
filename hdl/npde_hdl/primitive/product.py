"""Signed products, one a lane: in plain logic, in iCE40 SB_MAC16 blocks, or in ECP5 MULT18X18D blocks."""

from __future__ import annotations

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

KINDS = {"generic": 64, "ice40_mac16": 16, "ecp5_mult18": 18, "ecp5_mult18_pairs": 18}
"""The kinds, and the widest operand each takes."""
PAIRED = ("ecp5_mult18_pairs",)
"""Kinds that form two products of one operand in one multiplication; see :func:`pairable`."""

LATENCY = 2
"""Cycles from operands to products at least: a register on either side."""
STEADY = {"generic": 3, "ice40_mac16": 2, "ecp5_mult18": 3, "ecp5_mult18_pairs": 3}
"""The same where nothing depends on the last result, so that a cycle more costs nothing."""
FAR = ("ecp5_mult18", "ecp5_mult18_pairs")
"""Blocks in columns of their own, so far from block RAMs (which take 5.8 ns to read) that operands need a register on the way."""


class Products(wiring.Component):
    """``count`` independent signed products with registered operands and registered results.

    Parameters
    ----------
    count : int
        Products formed each cycle.
    a_width, b_width : int
        Bits of the operands.
    kind : str
        ``"generic"``: a ``*`` that synthesis maps to logic. ``"ice40_mac16"``: two products of up to
        8×8 bits a SB_MAC16, or one of up to 16×16. ``"ecp5_mult18"``: one of up to 18×18 a MULT18X18D.
        ``"ecp5_mult18_pairs"``: two a MULT18X18D, of lanes ``i`` and ``i + count / 2``, whose ``a`` must be
        the same value: ``a · (b[i + count / 2]·2^s + b[i])`` with ``s = a_width + b_width`` holds both, exactly.
    latency : int
        Cycles from operands to products, at least :data:`LATENCY`. The first one more splits a product in logic
        in two; the others, and all of a block's, are registers on the way to it.

    Members
    -------
    a, b : In(ArrayLayout(signed(width), count))
        Operands.
    ce : In(1)
        Everything stands still while low.
    p : Out(ArrayLayout(signed(a_width + b_width), count))
        The products of the operands of ``latency`` enabled cycles before.
    """

    def __init__(self, count: int, a_width: int, b_width: int, kind: str = "generic", latency: int = LATENCY):
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is not a kind of multiplier; the kinds are {', '.join(KINDS)}")
        if count < 1:
            raise ValueError(f"there must be at least one product, not {count}")
        for width in (a_width, b_width):
            if not 1 <= width <= KINDS[kind]:
                raise ValueError(f"{kind} multiplies operands of 1 to {KINDS[kind]} bits, not {width}")
        if kind in PAIRED and (count % 2 or not pairable(a_width, b_width)):
            raise ValueError(f"{kind} forms even numbers of products with a_width + 2·b_width below {KINDS[kind]}, not {count} of {a_width} by {b_width} bits")
        if latency < (least := LATENCY + (kind in PAIRED)):
            raise ValueError(f"products take {least} cycles at least, not {latency}")
        self.count, self.a_width, self.b_width, self.kind, self.latency = count, a_width, b_width, kind, latency
        super().__init__(
            {
                "a": In(data.ArrayLayout(signed(a_width), count)),
                "b": In(data.ArrayLayout(signed(b_width), count)),
                "ce": In(1),
                "p": Out(data.ArrayLayout(signed(a_width + b_width), count)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # A product in logic may take a cycle more for its sum of halves; a pair needs it to be taken apart.
        halved = self.kind == "generic" and self.latency > LATENCY and self.b_width > 1
        finished = halved or self.kind in PAIRED
        self._a, self._b = self.a, self.b
        for cycle in range(LATENCY + finished, self.latency):
            a, b = Signal.like(self.a, name=f"a_late{cycle}"), Signal.like(self.b, name=f"b_late{cycle}")
            with m.If(self.ce):
                m.d.sync += [a.eq(self._a), b.eq(self._b)]
            self._a, self._b = a, b
        if self.kind == "generic":
            self._generic(m, halved)
        elif self.kind == "ecp5_mult18":
            for lane in range(self.count):
                m.d.comb += self.p[lane].eq(self._mult18(m, lane, self._a[lane], self._b[lane]))
        elif self.kind in PAIRED:
            self._mult18_pairs(m)
        elif max(self.a_width, self.b_width) <= 8:
            self._mac16_pairs(m)
        else:
            self._mac16_whole(m)
        return m

    def _generic(self, m, halved):
        """At once, or the two halves of ``b`` each times ``a`` and then their sum: short chains of adders."""
        half = self.b_width // 2
        for lane in range(self.count):
            a, b = Signal.like(self.a[lane], name=f"a{lane}"), Signal.like(self.b[lane], name=f"b{lane}")
            with m.If(self.ce):
                m.d.sync += [a.eq(self._a[lane]), b.eq(self._b[lane])]
                if not halved:
                    m.d.sync += self.p[lane].eq(a * b)
                    continue
            low = Signal(signed(self.a_width + half), name=f"low{lane}")
            high = Signal(signed(self.a_width + self.b_width - half), name=f"high{lane}")
            with m.If(self.ce):
                m.d.sync += [low.eq(a * b[:half]), high.eq(a * b[half:].as_signed()), self.p[lane].eq(low + (high << half))]

    def _mac16_pairs(self, m):
        for low in range(0, self.count, 2):
            lanes = [lane for lane in (low, low + 1) if lane < self.count]
            a, b, o = Signal(16), Signal(16), Signal(32)
            for half, lane in enumerate(lanes):
                m.d.comb += [
                    a[8 * half : 8 * half + 8].eq(self._a[lane]),
                    b[8 * half : 8 * half + 8].eq(self._b[lane]),
                    self.p[lane].eq(o[16 * half : 16 * half + 16].as_signed()),
                ]
            m.submodules[f"mac{low}"] = self._mac16(a, b, o, narrow=True)

    def _mac16_whole(self, m):
        for lane in range(self.count):
            a, b, o = Signal(signed(16)), Signal(signed(16)), Signal(32)
            m.d.comb += [a.eq(self._a[lane]), b.eq(self._b[lane]), self.p[lane].eq(o.as_signed())]
            m.submodules[f"mac{lane}"] = self._mac16(a, b, o, narrow=False)

    def _mac16(self, a, b, o, *, narrow):
        """One SB_MAC16: registered operands, registered products, no accumulator (Lattice TN1295)."""
        # Output select 2 is the 8×8 multiplier (behind its register), 3 the 16×16.
        select = 2 if narrow else 3
        idle = {
            f"i_{pin}": Const(0, 1)
            for pin in ["AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT", "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN"]
        }
        return Instance(
            "SB_MAC16",
            p_NEG_TRIGGER=Const(0, 1),
            p_A_REG=Const(1, 1),
            p_B_REG=Const(1, 1),
            p_C_REG=Const(0, 1),
            p_D_REG=Const(0, 1),
            p_TOP_8x8_MULT_REG=Const(int(narrow), 1),
            p_BOT_8x8_MULT_REG=Const(int(narrow), 1),
            p_PIPELINE_16x16_MULT_REG1=Const(0, 1),
            p_PIPELINE_16x16_MULT_REG2=Const(int(not narrow), 1),
            p_TOPOUTPUT_SELECT=Const(select, 2),
            p_BOTOUTPUT_SELECT=Const(select, 2),
            p_TOPADDSUB_LOWERINPUT=Const(0, 2),
            p_TOPADDSUB_UPPERINPUT=Const(0, 1),
            p_TOPADDSUB_CARRYSELECT=Const(0, 2),
            p_BOTADDSUB_LOWERINPUT=Const(0, 2),
            p_BOTADDSUB_UPPERINPUT=Const(0, 1),
            p_BOTADDSUB_CARRYSELECT=Const(0, 2),
            p_MODE_8x8=Const(int(narrow), 1),
            p_A_SIGNED=Const(1, 1),
            p_B_SIGNED=Const(1, 1),
            i_CLK=ClockSignal(),
            i_CE=self.ce,
            i_A=a,
            i_B=b,
            i_C=Const(0, 16),
            i_D=Const(0, 16),
            o_O=o,
            **idle,
        )

    def _mult18_pairs(self, m):
        half, shift = self.count // 2, self.a_width + self.b_width
        for lane in range(half):
            # A negative low product borrows from the high one; the register that takes them apart gives it back.
            both = self._mult18(m, lane, self._a[lane], (self._b[lane + half] << shift) + self._b[lane])
            low = both[:shift].as_signed()
            with m.If(self.ce):
                m.d.sync += [self.p[lane].eq(low), self.p[lane + half].eq(both[shift:].as_signed() + low[-1])]

    def _mult18(self, m, lane, operand_a, operand_b):
        """The product out of one MULT18X18D with registered operands and results (Lattice FPGA-TN-02205)."""
        a, b, p = Signal(signed(18)), Signal(signed(18)), Signal(36)
        m.d.comb += [a.eq(operand_a), b.eq(operand_b)]
        ports = {f"i_A{bit}": a[bit] for bit in range(18)}
        ports |= {f"i_B{bit}": b[bit] for bit in range(18)}
        ports |= {f"o_P{bit}": p[bit] for bit in range(36)}
        m.submodules[f"mult{lane}"] = Instance(
            "MULT18X18D",
            p_REG_INPUTA_CLK="CLK0",
            p_REG_INPUTA_CE="CE0",
            p_REG_INPUTB_CLK="CLK0",
            p_REG_INPUTB_CE="CE0",
            p_REG_OUTPUT_CLK="CLK0",
            p_REG_OUTPUT_CE="CE0",
            p_REG_PIPELINE_CLK="NONE",
            i_CLK0=ClockSignal(),
            i_CE0=self.ce,
            i_RST0=Const(0, 1),
            i_SIGNEDA=Const(1, 1),
            i_SIGNEDB=Const(1, 1),
            i_SOURCEA=Const(0, 1),
            i_SOURCEB=Const(0, 1),
            **ports,
        )
        return p.as_signed()


def pairable(a_width: int, b_width: int) -> bool:
    """Whether two products of one ``a`` fit a multiplier of 18×18: the lower of two ``b`` may borrow a bit of the upper."""
    return a_width <= 18 and a_width + 2 * b_width + 1 <= 18
