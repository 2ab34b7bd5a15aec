"""One row a board."""

from __future__ import annotations

from dataclasses import dataclass

from npde.errors import FitError
from npde_hdl.board.family import FAMILIES, Cost

UP5K, LP8K, LFE5U_25F, LFE5U_45F, LFE5U_85F = (
    Cost(5280, 8, 30, 4), Cost(7680, 0, 32, 0), Cost(24288, 28, 56, 0), Cost(43848, 72, 108, 0), Cost(83640, 156, 208, 0)
)  # fmt: skip
"""What is on each device."""
FILL = {UP5K: 0.92}
"""The part of its logic that a plan may ask for, where that is less than the family's: predicted to take 89 % and taking 96 %, nextpnr
found no legal placement with three seeds.
"""
MHZ = 1_000_000


@dataclass(frozen=True)
class Board:
    """``clock`` in hertz is what the pipeline runs at, made from the ``oscillator``; ``baud`` the default bit rate.

    ``platform`` is the amaranth-boards class that knows the pins, ``pll`` whether an iCE40's PLL sits
    on the clock's ``pad`` or in the ``core``, ``high`` the platform's pins to hold high, ``loader``
    openFPGALoader's name for the board (empty where it knows none), ``synthesis`` Yosys options, ``budget``
    everything on the device, ``blocks_only`` whether products are left to its multiplier blocks: as many
    more in logic did not route at the clock.

    What the platform does not name: ``serial``, the pins of the serial line (rx, tx); ``pins``, others by name;
    ``oscillator_pin``, its resource for the clock, where that is not its default. ``note``: what has to be done to
    the board, or connected to it.
    """

    name: str
    title: str
    family: str
    platform: str
    pll: str
    loader: str
    oscillator: int
    clock: int
    budget: Cost
    baud: int = 3_000_000
    synthesis: str = ""
    blocks_only: bool = False
    high: tuple[str, ...] = ()
    serial: tuple[str, str] | None = None
    pins: tuple[tuple[str, str], ...] = ()
    oscillator_pin: str | None = None
    note: str = ""

    @property
    def fill(self) -> float:
        """The part of the logic that a plan may ask for."""
        return FILL.get(self.budget, FAMILIES[self.family].fill)

    @property
    def device(self) -> tuple[str, Cost, bool]:
        """All that decides what fits: boards of the same device have the same plans."""
        return self.family, self.budget, self.blocks_only


ADAPTER = "a USB serial adapter of 3.3 V on {}"
BOARDS = {
    board.name: board
    for board in (
        Board(
            "icebreaker", "iCEBreaker (iCE40 UP5K)", "ice40", "icebreaker:ICEBreakerPlatform", "pad", "ice40_generic",
            12 * MHZ, 24 * MHZ, UP5K, synthesis="-device u",
        ),
        Board(
            "hx8k", "iCE40-HX8K breakout", "ice40", "ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform", "core", "ice40_generic",
            12 * MHZ, 48 * MHZ, LP8K, synthesis="-device hx",
        ),
        Board(
            "upduino", "UPduino 3 (iCE40 UP5K)", "ice40", "upduino_v3:UpduinoV3Platform", "core", "ice40_generic",
            12 * MHZ, 24 * MHZ, UP5K, synthesis="-device u", serial=("15", "14"), pins=(("flash_select", "16"),),
            high=("flash_select",), oscillator_pin="clk12", note="the jumper OSC soldered",
        ),
        Board(
            "icesugar", "iCESugar (iCE40 UP5K)", "ice40", "icesugar:ICESugarPlatform", "pad", "",
            12 * MHZ, 24 * MHZ, UP5K, synthesis="-device u", note="the bitstream copied to the drive the board shows",
        ),
        Board(
            "fomu", "Fomu PVT (iCE40 UP5K)", "ice40", "fomu_pvt:FomuPVTPlatform", "core", "fomu",
            48 * MHZ, 24 * MHZ, UP5K, synthesis="-device u", serial=("E4", "D5"),
            note="its USB carries no serial line here: " + ADAPTER.format("touch pads 1 (to the board) and 2"),
        ),
        Board(
            "tinyfpga-bx", "TinyFPGA BX (iCE40 LP8K)", "ice40", "tinyfpga_bx:TinyFPGABXPlatform", "core", "",
            16 * MHZ, 36 * MHZ, LP8K, synthesis="-device lp", serial=("A2", "A1"),
            note=ADAPTER.format("pins 1 (to the board) and 2") + "; tinyprog writes the bitstream",
        ),
        Board(
            "ulx3s-12f", "ULX3S (ECP5 LFE5U-12F)", "ecp5", "ulx3s:ULX3S_12F_Platform", "core", "ulx3s",
            25 * MHZ, 80 * MHZ, LFE5U_25F, synthesis="-nodsp -nowidelut",
        ),
        Board(
            "ulx3s-25f", "ULX3S (ECP5 LFE5U-25F)", "ecp5", "ulx3s:ULX3S_25F_Platform", "core", "ulx3s",
            25 * MHZ, 80 * MHZ, LFE5U_25F, synthesis="-nodsp -nowidelut",
        ),
        Board(
            "ulx3s-85f", "ULX3S (ECP5 LFE5U-85F)", "ecp5", "ulx3s:ULX3S_85F_Platform", "core", "ulx3s",
            25 * MHZ, 80 * MHZ, LFE5U_85F, synthesis="-nodsp -nowidelut", blocks_only=True,
        ),
        Board(
            "orangecrab-25f", "OrangeCrab 0.2 (ECP5 LFE5U-25F)", "ecp5", "orangecrab_r0_2:OrangeCrabR0_2_25FPlatform", "core",
            "orangeCrab", 48 * MHZ, 80 * MHZ, LFE5U_25F, synthesis="-nodsp -nowidelut", serial=("N17", "M18"),
            note=ADAPTER.format("IO 0 (to the board) and IO 1"),
        ),
        Board(
            "colorlight-5a75b", "Colorlight 5A-75B 7.0 (ECP5 LFE5U-25F)", "ecp5",
            "colorlight_5a75b_r7_0:Colorlight_5A75B_R70Platform", "core", "colorlight",
            25 * MHZ, 80 * MHZ, LFE5U_25F, synthesis="-nodsp -nowidelut",
            note=ADAPTER.format("J19's KEY+ (to the board) and LED-"),
        ),
        Board(
            "icesugar-pro", "iCESugar-pro (ECP5 LFE5U-25F)", "ecp5", "icesugar_pro:ICESugarProPlatform", "core", "",
            25 * MHZ, 80 * MHZ, LFE5U_25F, synthesis="-nodsp -nowidelut", note="the bitstream copied to the drive the board shows",
        ),
        Board(
            "icepi-zero", "Icepi Zero 1.3 (ECP5 LFE5U-25F)", "ecp5", "icepi_zero:IcepiZero1_3Platform", "core", "icepi-zero",
            50 * MHZ, 80 * MHZ, LFE5U_25F, synthesis="-nodsp -nowidelut",
        ),
        Board(
            "ecpix5-45f", "ECPIX-5 (ECP5 LFE5UM5G-45F)", "ecp5", "ecpix5:ECPIX545Platform", "core", "ecpix5",
            100 * MHZ, 80 * MHZ, LFE5U_45F, synthesis="-nodsp -nowidelut", blocks_only=True,
        ),
        Board(
            "ecpix5-85f", "ECPIX-5 (ECP5 LFE5UM5G-85F)", "ecp5", "ecpix5:ECPIX585Platform", "core", "ecpix5",
            100 * MHZ, 80 * MHZ, LFE5U_85F, synthesis="-nodsp -nowidelut", blocks_only=True,
        ),
    )
}  # fmt: skip


def get(name: str) -> Board:
    """The board of that name; raises :class:`FitError` listing the known ones."""
    if name not in BOARDS:
        raise FitError(f"unknown board {name!r}; known are {', '.join(BOARDS)}")
    return BOARDS[name]
