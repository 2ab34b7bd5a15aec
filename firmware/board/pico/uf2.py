"""A raw image for the RP2040's RAM as UF2, the blocks its boot ROM takes over USB: ``uf2.py npde.bin npde.uf2``."""

import struct
import sys
from pathlib import Path

START, PAYLOAD = 0x20000000, 256
FAMILY_PRESENT, RP2040 = 0x2000, 0xE48BFF56
BEGIN, MIDDLE, END = 0x0A324655, 0x9E5D5157, 0x0AB16F30


def uf2(image: bytes) -> bytes:
    """512-byte blocks of 256 bytes each, the last filled with zeros."""
    count = -(-len(image) // PAYLOAD)
    blocks = []
    for number in range(count):
        part = image[number * PAYLOAD : (number + 1) * PAYLOAD].ljust(476, b"\0")
        head = struct.pack("<8I", BEGIN, MIDDLE, FAMILY_PRESENT, START + number * PAYLOAD, PAYLOAD, number, count, RP2040)
        blocks.append(head + part + struct.pack("<I", END))
    return b"".join(blocks)


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(uf2(Path(sys.argv[1]).read_bytes()))
