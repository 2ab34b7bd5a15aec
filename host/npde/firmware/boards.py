"""The boards that firmware is built for: what compiles it, and what runs it here, if anything does."""

from __future__ import annotations

from dataclasses import dataclass

from npde.errors import FitError


@dataclass(frozen=True)
class FirmwareBoard:
    """``compiler`` and the Debian package it is in; ``emulator`` and its machine, empty where nothing here runs it.

    A board without an emulator's machine whose compiler is the machine's own runs as a program of this machine.
    """

    name: str
    compiler: str
    compiler_package: str
    emulator: tuple[str, ...] = ()
    emulator_package: str = ""
    native: bool = False
    suffix: str = ".elf"

    @property
    def runs_here(self) -> bool:
        """Whether there is a port ``firmware:NAME``."""
        return self.native or bool(self.emulator)


ARM = ("arm-none-eabi-gcc", "gcc-arm-none-eabi and picolibc-arm-none-eabi")
RISCV = ("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf and picolibc-riscv64-unknown-elf")

BOARDS = {
    board.name: board
    for board in (
        FirmwareBoard("posix", "gcc", "gcc", native=True, suffix=""),
        FirmwareBoard("stdin", "gcc", "gcc", suffix=""),
        FirmwareBoard("mps2-an385", *ARM, ("qemu-system-arm", "-M", "mps2-an385"), "qemu-system-arm"),
        FirmwareBoard("mps2-an386", *ARM, ("qemu-system-arm", "-M", "mps2-an386"), "qemu-system-arm"),
        FirmwareBoard("mps2-an500", *ARM, ("qemu-system-arm", "-M", "mps2-an500"), "qemu-system-arm"),
        FirmwareBoard("virt-rv32", *RISCV, ("qemu-system-riscv32", "-M", "virt", "-bios", "none"), "qemu-system-misc"),
        FirmwareBoard("pico", *ARM),
        FirmwareBoard("stm32f411", *ARM),
    )
}


def get(name: str) -> FirmwareBoard:
    """The board of that name; raises :class:`FitError` naming those there are."""
    if name not in BOARDS:
        raise FitError(f"unknown firmware board {name!r}; known are {', '.join(BOARDS)}")
    return BOARDS[name]
