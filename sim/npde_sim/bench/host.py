"""The host's end of the link inside a simulation: requests and answers with the host's own framing, bit by bit."""

from __future__ import annotations

import struct

from npde.link.frame import Frame, decode, encode
from npde.link.layout import layouts
from npde.link.protocol import (
    DELIMITER,
    FLAG_COMMITTED,
    FRAME_BYTES,
    HASH_BYTES,
    OVERHEAD_BYTES,
    REPLY,
    VERSION,
    Info,
    Kind,
    Status,
)
from npde.model import Model
from npde_sim.bench.scoreboard import Mismatch
from npde_sim.bench.uart import Line

ROOM = FRAME_BYTES - OVERHEAD_BYTES


class Host:
    """Asks over a serial :class:`Line`."""

    def __init__(self, line: Line):
        self.line, self.sequence = line, 0

    async def request(self, kind: int, payload: bytes = b"") -> tuple[Status, bytes]:
        """Status and reply of one request."""
        sequence, self.sequence = self.sequence, (self.sequence + 1) & 255
        await self.line.send(encode(Frame(kind, sequence, payload)))
        frame = await self.receive()
        if frame is None or (frame.kind, frame.sequence) != (kind | REPLY, sequence):
            raise Mismatch(f"request {kind:#04x} number {sequence} was answered by {frame}")
        return Status(frame.payload[0]), frame.payload[1:]

    async def ask(self, kind: Kind, payload: bytes = b"") -> bytes:
        """The reply; raises :class:`Mismatch` for any status but OK."""
        status, reply = await self.request(kind, payload)
        if status != Status.OK:
            raise Mismatch(f"{kind.name} was refused: {status.name}")
        return reply

    async def receive(self) -> Frame | None:
        """The next frame; None when the line stays at rest or what came is no whole frame."""
        stuffed = bytearray()
        while (byte := await self.line.receive()) is not None:
            if byte == DELIMITER:
                return decode(bytes(stuffed))
            stuffed.append(byte)
        return None

    async def synchronise(self, nonce: bytes = b"npde") -> None:
        """Agree on a sequence number."""
        await self.line.send(bytes([DELIMITER]))
        if await self.ask(Kind.SYNC, nonce) != nonce + bytes([VERSION]):
            raise Mismatch("SYNC gave another nonce or version back")

    async def identify(self) -> tuple[bytes | None, Info]:
        """The hash of the model the board holds, if any, and what it says of itself."""
        reply = await self.ask(Kind.IDENTIFY)
        return reply[1 : 1 + HASH_BYTES] if reply[0] & FLAG_COMMITTED else None, Info.unpack(reply[1 + HASH_BYTES :])

    async def load(self, model: Model, info: Info) -> None:
        """Write the weights, read every word back, commit."""
        for number, (region, layout) in enumerate(zip(info.regions, layouts(model.program, info.regions), strict=True)):
            packed = layout.pack(model.weights[region.step])
            size = region.word_bytes
            chunk = (ROOM - 5) // size * size
            for at in range(0, len(packed), chunk):
                await self.ask(Kind.WRITE, struct.pack("<BH", number, at // size) + packed[at : at + chunk])
            back = b""
            while len(back) < len(packed):
                back += await self.ask(Kind.READ, struct.pack("<BHH", number, len(back) // size, region.depth))
            if back != packed:
                at = next(i for i, (a, b) in enumerate(zip(packed, back, strict=False)) if a != b)
                raise Mismatch(f"weights of step {region.step}: byte {at}: {packed[at]:#04x} expected, {back[at]:#04x} came")
        await self.ask(Kind.COMMIT, model.content_hash)

    async def infer(self, samples: bytes, wanted: int) -> bytes:
        """Push the samples, pull ``wanted`` answer bytes."""
        got, pushed = b"", 0
        while len(got) < wanted:
            if pushed < len(samples):
                reply = await self.ask(Kind.PUSH, struct.pack("<H", pushed & 0xFFFF) + samples[pushed : pushed + ROOM - 2])
                pushed += (int.from_bytes(reply, "little") - pushed) & 0xFFFF
            got += (await self.ask(Kind.PULL, struct.pack("<HH", len(got) & 0xFFFF, ROOM - 3)))[2:]
        return got
