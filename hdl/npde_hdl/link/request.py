"""What kind of request a frame is, told from registers: its kind byte is decoded once."""

import struct

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from npde.link.protocol import COMMANDS, LOADING

KNOWN = {kind: command for kind, command in COMMANDS.items() if kind not in LOADING}
"""A bitstream's program is what it is: to the commands that bring another it answers as to any that it does not know."""
Which = data.StructLayout({kind.name: 1 for kind in KNOWN})
"""One bit a command."""


class Request(wiring.Component):
    """Registers behind the kind byte and the bytes left of a frame; all of them a cycle late.

    Members
    -------
    kind, left : In(8), In(16)
        The frame's kind byte, and how many bytes follow its head.
    which : Out(Which)
        The command; none for a kind that there is not.
    fits : Out(1)
        It takes that many bytes.
    """

    kind: In(8)
    left: In(16)
    which: Out(Which)
    fits: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += [self.which.eq(0), self.fits.eq(0)]
        with m.Switch(self.kind):
            for kind, command in KNOWN.items():
                least = struct.calcsize(command.request.rstrip("+"))
                fits = self.left >= least if command.request.endswith("+") else self.left == least
                with m.Case(kind):
                    m.d.sync += [self.which[kind.name].eq(1), self.fits.eq(fits)]
        return m
