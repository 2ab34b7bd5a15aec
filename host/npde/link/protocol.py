"""The protocol, written once: host, gateware and firmware take every constant from these tables.

**Frame.** ``COBS(kind, sequence, payload…, CRC-32) 0x00``. The CRC is CRC-32/ISO-HDLC (zlib's) over
kind, sequence and payload, sent least significant byte first, as is every multi-byte number. A
frame that is too long, badly stuffed or fails its CRC is dropped and counted, never answered. An
empty frame (two delimiters in a row) is nothing and is not counted; a host may send delimiters at
any time to end whatever garbage came before.

**Exchange.** The host asks, the board answers; the board never speaks first. A request is acted on
only if its sequence number is the one expected, which then goes up by one (modulo 256); any other
is answered :attr:`Status.SEQUENCE` with the expected number and not acted on, so a duplicate or a
frame from before a lost one does nothing. ``SYNC`` alone is taken with any sequence number and sets
the expectation to the one after its own. Every answer has kind ``request | 0x80``, the request's
sequence number, a status byte, then the command's own reply. A status other than ``OK`` is followed
by the two bytes of the expected sequence number (``SEQUENCE``), the stream position (``POSITION``)
or nothing.

**Streams.** Samples go in and answers come out as two byte streams with 16-bit positions (modulo
65536) that start at zero after ``RESET``, ``READ``, ``WRITE`` and ``COMMIT``. ``PUSH`` names the position of
its first byte and is taken only there; its answer names the position reached, which is short of the
end when the answer ring is full, so that the host pulls and pushes the rest. ``PULL`` names the
position it wants answers from and frees every earlier byte; the same ``PULL`` asked again gives the
same bytes (and perhaps more). Both may thus be repeated without harm when an answer was lost.

**Resident fields.** A program whose only step is an evolution keeps its field on the board (unless the bitstream says,
by an INFO ``sample`` without room for it, that it has no header). Each of its samples begins with a header: one byte of
flags and the number of time steps, four bytes. With :data:`FIELD_LOAD` the values of a field follow and replace the
board's; then the time steps run; then :data:`FIELD_EMIT` answers with the field, which stays as it is, or else
:data:`FIELD_REPORT` with one byte of zero. Any of the three may be absent. ``RESET`` leaves the field alone once
the last header's answer has come; ``READ``, ``WRITE`` and ``COMMIT`` do too.

**Programs.** A bitstream's program is fixed, and so is that of most firmware: bit 2 of such a board's flags is low, and it
answers ``PROGRAM`` and ``ADOPT`` with ``UNKNOWN``. A board that takes programs at run time keeps the bytes of ``PROGRAM`` aside, an image of
docs/firmware.md, while its program goes on undisturbed. ``ADOPT`` judges the image. One that is sound replaces the
program, whose weights are then zero and uncommitted, and both streams are empty; any other is ``REFUSED``, and nothing
has changed. Before its first program such a board names the program of sixteen zeros, has no weight memories, and answers
``COMMIT`` with ``NO_MODEL``.

**Bit rate.** A board begins at the bit rate its INFO block names. Where bit 1 of its flags is set, ``RATE`` asks for a
faster one, in whole clock cycles a bit: from :data:`LEAST_CYCLES` to those of its first rate, else ``RANGE``. The answer still comes at the
rate before; with the end of its last stop bit both directions change. A board at another rate than its first goes back to
that by itself when a tenth of a second has passed, without a whole frame, since the change or since the first byte or
error behind the last whole frame. A host that hears nothing goes back as well, and repeats there what it had asked:
sequence number, streams and weights know nothing of it.

**Bad lines.** Where each bit is flipped with probability p, N bytes arrive whole with probability (1 − p)^(8N). Every command can
therefore be asked for in short frames: ``PUSH`` and ``WRITE`` with fewer bytes or words, ``PULL``, ``READ`` and ``DESCRIBE`` (the parts
of what ``IDENTIFY`` says) for fewer. What cannot be cut is one word of a weight memory. A request under a number that the board cannot
expect is a probe: it is not acted on, and its answer tells which requests arrived.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from npde.program import Grid

VERSION = 1
MAGIC = b"NPDE"

DELIMITER = 0x00
REPLY = 0x80
FRAME_BYTES = 512
"""The longest frame before stuffing: kind, sequence, payload and CRC together."""
CRC_BYTES = 4
OVERHEAD_BYTES = 2 + CRC_BYTES
PAYLOAD = FRAME_BYTES - OVERHEAD_BYTES
"""Bytes of the longest payload."""
HASH_BYTES = 16
NAME_BYTES = 16
POSITION_MODULUS = 1 << 16
FIELD_LOAD, FIELD_EMIT, FIELD_REPORT = 1, 2, 4
LEAST_CYCLES = 4
"""Fewest clock cycles of a bit."""
RATE_TOLERANCE = 0.02
"""Relative error of a bit's length that both ends still read (half a bit in ten, shared between them)."""
RATE_HOLD_MS = 100
"""How long a board waits for a whole frame at a rate it was asked for."""
HEADER = struct.Struct("<BI")
"""Flags and time steps, in front of each sample of a program whose field stays on the board."""


class Kind(enum.IntEnum):
    """What a request asks for; :data:`COMMANDS` says what travels."""

    SYNC = 0x01
    IDENTIFY = 0x02
    STATUS = 0x03
    RESET = 0x04
    READ = 0x05
    WRITE = 0x06
    COMMIT = 0x07
    PUSH = 0x08
    PULL = 0x09
    PROGRAM = 0x0A
    ADOPT = 0x0B
    RATE = 0x0C
    DESCRIBE = 0x0D


LOADING = frozenset({Kind.PROGRAM, Kind.ADOPT})
"""The commands that only a board knows whose program comes at run time."""


class Status(enum.IntEnum):
    """How a request ended."""

    OK = 0
    SEQUENCE = 1
    UNKNOWN = 2
    LENGTH = 3
    RANGE = 4
    NO_MODEL = 5
    POSITION = 6
    REFUSED = 7


STATUSES: dict[Status, str] = {
    Status.OK: "carried out; the command's own reply follows",
    Status.SEQUENCE: "not the expected sequence number, nothing was done; the expected one follows (2 bytes)",
    Status.UNKNOWN: "no such command",
    Status.LENGTH: "too few or too many bytes for the command",
    Status.RANGE: "no such weight memory, or a word beyond its end; no such bit rate; a part of an image beyond the room for it",
    Status.NO_MODEL: "samples before a model was committed, or a commit before there is a program",
    Status.POSITION: "samples or answers from another position than the stream's; that one follows (2 bytes)",
    Status.REFUSED: "the image is no program for this board, and the one before stays; why (1 byte, a refusal) and a number follow (4 bytes)",
}


class Refusal(enum.IntEnum):
    """Why an image was refused, and what the number with it counts; the runtime's ``npde_error``."""

    DAMAGED = -4
    VERSION = -5
    CUT = -6
    SHAPE = -7
    FORMAT = -8
    STEP = -9
    INDEX = -10
    MEMORIES = -11
    MEMORY = -12


REFUSALS: dict[Refusal, str] = {
    Refusal.DAMAGED: "its CRC is not that of its bytes; their number",
    Refusal.VERSION: "it is no image, or one of another version; the version this board takes",
    Refusal.CUT: "it ends within a step, or has bytes behind the last one; where",
    Refusal.SHAPE: "a grid, a step's reach or a repeat that cannot be; the step",
    Refusal.FORMAT: "a width, shift or bound outside what the runtime computes with; the step",
    Refusal.STEP: "a kind of step that this board does not know; the step",
    Refusal.INDEX: "a channel, value, coefficient or bias that there is not; the step",
    Refusal.MEMORIES: "more weight memories, or longer ones, than the link can name; the step",
    Refusal.MEMORY: "it needs more memory than the board has set aside; the bytes it needs",
}
"""What was wrong; behind the semicolon, what the number says."""


@dataclass(frozen=True)
class Command:
    """``request`` and ``reply`` are struct formats of the fixed part; a ``+`` says bytes follow it."""

    kind: Kind
    request: str
    reply: str
    meaning: str

    def expects(self, reply: int) -> str:
        """How many bytes the command's own reply has, or nothing if ``reply`` of them are right."""
        fixed = struct.calcsize(self.reply.rstrip("+"))
        more = self.reply.endswith("+")
        return "" if reply == fixed or (more and reply > fixed) else f"{fixed}{' or more' * more}"


COMMANDS: dict[Kind, Command] = {
    command.kind: command
    for command in (
        Command(Kind.SYNC, "<4s", "<4sB", "nonce → the nonce, protocol version; sets the expected sequence number"),
        Command(Kind.IDENTIFY, "<", "<B16s+", "→ flags (bit 0: a model is committed; bit 1: RATE is taken; bit 2: PROGRAM is), its hash, the INFO block"),
        Command(
            Kind.STATUS,
            "<",
            "<BHHHI",
            "→ flags, frames dropped, position in, position out (produced), cycles from the first sample byte in to "
            "the last answer byte out since the streams were emptied",
        ),
        Command(Kind.RESET, "<", "<", "empties the pipeline and both streams; weights stay"),
        Command(
            Kind.READ,
            "<BHH",
            "<+",
            "region, first word, words → that many words, each in whole bytes, or as many as the region has and one "
            "frame holds; empties the pipeline",
        ),
        Command(
            Kind.WRITE,
            "<BH+",
            "<",
            "region, first word, whole words; empties the pipeline and withdraws the committed model; words beyond "
            "the region are RANGE, a word cut short is LENGTH, and those before it are written",
        ),
        Command(Kind.COMMIT, "<16s", "<", "the hash of the model now in the weights; from here PUSH is taken"),
        Command(Kind.PUSH, "<H+", "<H", "position, sample bytes → the position reached"),
        Command(Kind.PULL, "<HH", "<H+", "position, most bytes → the position, the answer bytes ready from there"),
        Command(
            Kind.PROGRAM,
            "<H+",
            "<HI",
            "first byte, bytes of an image to be kept aside (none: only asked) → bytes of an image there is room for, bytes of "
            "memory for a program",
        ),
        Command(
            Kind.ADOPT, "<H", "<",
            "length of the image kept aside: it becomes the program, if it is sound; empties the pipeline and withdraws the "
            "committed model",
        ),
        Command(Kind.RATE, "<H", "<", "clock cycles a bit, from the end of the answer on; UNKNOWN where the rate is fixed"),
        Command(
            Kind.DESCRIBE, "<HH", "<+",
            "first byte, most bytes → that part of the model's hash and the INFO block, for a line on which IDENTIFY's "
            "answer is too long",
        ),
    )
}

FLAG_COMMITTED, FLAG_RATE, FLAG_PROGRAMS = 1, 2, 4

INFO_FIELDS: tuple[tuple[str, str, str], ...] = (
    ("magic", "4s", "the four letters NPDE"),
    ("version", "B", "protocol version"),
    ("board", f"{NAME_BYTES}s", "board name, padded with zeros"),
    ("build", "8s", "identifies the bitstream: the first bytes of a hash over plan and gateware"),
    ("shape", "16s", "Program.shape_hash of the program the bitstream was built for"),
    ("clock", "I", "clock in hertz"),
    ("baud", "I", "bit rate the UART begins at"),
    ("frame", "H", "longest frame in bytes, before stuffing"),
    ("ring", "H", "bytes of requests the board holds while one is carried out (2 a frame go to bookkeeping)"),
    ("answers", "H", "bytes of answers the board holds until they are pulled"),
    ("sample", "I", "bytes of one sample: an input frame, and its header where the field is resident"),
    ("answer", "I", "bytes of one answer"),
    ("regions", "B", "number of weight memories that follow"),
)
"""The INFO block, little-endian, without padding: name, struct format, meaning."""

REGION_FIELDS: tuple[tuple[str, str, str], ...] = (
    ("step", "B", "index of the step in the program"),
    ("copy", "B", "which of its repeats; of an evolution 0 for its coefficients and biases, from 1 on for its maps"),
    ("pe", "H", "output lanes; copies of an evolution's time step"),
    ("simd", "H", "input lanes; 0 for an evolution"),
    ("depth", "H", "words"),
    ("width", "H", "bits in a word; it travels in ceil(width / 8) bytes"),
)
"""One weight memory (or an evolution's registers or maps); its number is its place in the list."""

INFO = struct.Struct("<" + "".join(code for _, code, _ in INFO_FIELDS))
REGION = struct.Struct("<" + "".join(code for _, code, _ in REGION_FIELDS))


@dataclass(frozen=True)
class Region:
    """One weight memory as the board describes it; fields as in :data:`REGION_FIELDS`."""

    step: int
    copy: int
    pe: int
    simd: int
    depth: int
    width: int

    @property
    def word_bytes(self) -> int:
        """Bytes of one word on the wire."""
        return -(-self.width // 8)


@dataclass(frozen=True)
class Info:
    """What a board says of itself; fields as in :data:`INFO_FIELDS`."""

    board: str
    build: bytes
    shape: bytes
    clock: int
    baud: int
    frame: int
    ring: int
    answers: int
    sample: int
    answer: int
    regions: tuple[Region, ...]

    def pack(self) -> bytes:
        """The block as it stands in the board's memory; raises :class:`ValueError` for a name too long for it."""
        if len(self.board.encode()) > NAME_BYTES:
            raise ValueError(f"a board's name has at most {NAME_BYTES} bytes, not {len(self.board.encode())}")
        head = INFO.pack(
            MAGIC,
            VERSION,
            self.board.encode(),
            self.build,
            self.shape,
            self.clock,
            self.baud,
            self.frame,
            self.ring,
            self.answers,
            self.sample,
            self.answer,
            len(self.regions),
        )
        return head + b"".join(REGION.pack(r.step, r.copy, r.pe, r.simd, r.depth, r.width) for r in self.regions)

    @classmethod
    def unpack(cls, block: bytes) -> Info:
        """The block read back; raises :class:`ValueError` saying what is wrong with it."""
        if len(block) < INFO.size:
            raise ValueError(f"an INFO block has at least {INFO.size} bytes, not {len(block)}")
        magic, version, board, build, shape, *numbers, count = INFO.unpack_from(block)
        if magic != MAGIC:
            raise ValueError(f"an INFO block begins with {MAGIC!r}, not {magic!r}")
        if version != VERSION:
            raise ValueError(f"the board speaks protocol version {version}, this host version {VERSION}")
        if len(block) != INFO.size + count * REGION.size:
            raise ValueError(f"an INFO block with {count} regions has {INFO.size + count * REGION.size} bytes, not {len(block)}")
        regions = tuple(Region(*REGION.unpack_from(block, INFO.size + i * REGION.size)) for i in range(count))
        return cls(board.rstrip(b"\0").decode("ascii", "replace"), build, shape, *numbers, regions)  # type: ignore[call-arg]


def value_bytes(width: int) -> int:
    """Bytes in which one value of ``width`` bits travels, sign-extended."""
    return -(-width // 8)


def sample_bytes(grid: Grid, *, resident: bool) -> int:
    """Bytes of one sample: every value of the input ``grid``, behind a header where the field is resident."""
    return HEADER.size * resident + grid.size * value_bytes(grid.q.width)


def label_bytes(grid: Grid) -> int:
    """Bytes of a label, the index of one of ``grid``'s values."""
    return 1 if grid.size <= 256 else 2


def answer_bytes(grid: Grid, argmax: bool) -> int:
    """Bytes of one answer: every value of the output ``grid``, then the label if there is one."""
    return grid.size * value_bytes(grid.q.width) + (label_bytes(grid) if argmax else 0)
