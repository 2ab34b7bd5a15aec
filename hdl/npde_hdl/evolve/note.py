"""What travels beside the first cell of a frame through a cascade."""

from amaranth.lib import data


class Note(data.StructLayout):
    """Sent with a frame's first cell, kept by every stage while the frame passes.

    Members
    -------
    left : unsigned(range(copies + 1))
        Time steps still to do in this pass; a copy that meets zero passes the frame through unchanged.
    fresh : unsigned(1)
        The frame's first pass: it begins at row and column zero, and with the first plane of maps.
    """

    def __init__(self, copies: int):
        self.copies = copies
        super().__init__({"left": copies.bit_length(), "fresh": 1})
