"""A single-port memory: in block RAM, in iCE40 SB_SPRAM256KA blocks, or plain for simulation."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

KINDS = ("generic", "block", "spram")
SPRAM_DEPTH, SPRAM_WIDTH = 16384, 16


class SinglePortMemory(wiring.Component):
    """Reads or writes one word an enabled cycle.

    Parameters
    ----------
    depth, width : int
        Words, bits in a word.
    kind : str
        ``"generic"`` and ``"block"``: inferred memory. ``"spram"``: SB_SPRAM256KA, ganged in
        columns of 16 bits and banks of 16,384 words. No kind has a defined content at power-up.

    Members
    -------
    address : In(range(depth))
        Which word.
    enable : In(1)
        The port moves. While low, ``read_data`` stays.
    write, write_data : In(1), In(width)
        Write in this (enabled) cycle. ``read_data`` is undefined after a write.
    read_data : Out(width)
        The word addressed in the last enabled cycle that did not write.
    """

    def __init__(self, depth: int, width: int, kind: str = "generic"):
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is not a kind of memory; the kinds are {', '.join(KINDS)}")
        if depth < 1 or width < 1:
            raise ValueError(f"a memory of {depth} words of {width} bits")
        self.depth, self.width, self.kind = depth, width, kind
        super().__init__(
            {
                "address": In(range(depth)),
                "enable": In(1),
                "write": In(1),
                "write_data": In(width),
                "read_data": Out(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        if self.kind == "spram":
            self._spram(m)
        else:
            m.submodules.words = words = Memory(shape=self.width, depth=max(2, self.depth), init=[])
            read, write = words.read_port(), words.write_port()
            m.d.comb += [
                read.addr.eq(self.address),
                write.addr.eq(self.address),
                # Never both at once, so that no synthesis adds logic for the collision.
                read.en.eq(self.enable & ~self.write),
                write.en.eq(self.enable & self.write),
                write.data.eq(self.write_data),
                self.read_data.eq(read.data),
            ]
        return m

    def _spram(self, m):
        banks = -(-self.depth // SPRAM_DEPTH)
        address = Signal(max(14, len(self.address)))
        m.d.comb += address.eq(self.address)
        bank = address[14:] if banks > 1 else Const(0, 1)
        outputs = []
        for number in range(banks):
            words = []
            for low in range(0, self.width, SPRAM_WIDTH):
                size = min(SPRAM_WIDTH, self.width - low)
                column = Signal(SPRAM_WIDTH, name=f"bank{number}_column{low}")
                words.append(column[:size])
                m.submodules[f"spram{number}_{low}"] = Instance(
                    "SB_SPRAM256KA",
                    i_ADDRESS=address[:14],
                    i_DATAIN=Cat(self.write_data[low : low + size], Const(0, SPRAM_WIDTH - size)),
                    i_MASKWREN=Const(0b1111, 4),
                    i_WREN=self.write,
                    i_CHIPSELECT=self.enable & (bank == number),
                    i_CLOCK=ClockSignal(),
                    i_STANDBY=Const(0, 1),
                    i_SLEEP=Const(0, 1),
                    i_POWEROFF=Const(1, 1),
                    o_DATAOUT=column,
                )
            outputs.append(Cat(*words))
        if banks == 1:
            m.d.comb += self.read_data.eq(outputs[0])
            return
        chosen = Signal.like(bank)
        with m.If(self.enable & ~self.write):
            m.d.sync += chosen.eq(bank)
        m.d.comb += self.read_data.eq(Array(outputs)[chosen])
