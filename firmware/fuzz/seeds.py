"""What the fuzzers begin with: ``python firmware/fuzz/seeds.py FOLDER`` writes it there.

``seeds-load``, ``seeds-protocol`` and ``model.npde``.

Small programs of every kind of step as images without their CRC, and conversations that load and run each, as
``load.c`` and ``protocol.c`` read them; the model is the first of the programs, for ``protocol.c`` to be built with.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np

from npde.equation.catalogue import ready
from npde.firmware.image import image
from npde.fixed import Q
from npde.link.protocol import CRC_BYTES, FIELD_EMIT, FIELD_LOAD, Kind
from npde.model import Model, Weights
from npde.models import load_model
from npde.program import CROSS, MOORE, Clip, Dense, Grid, Pool, Program, Recurrent, Relu, Stencil, Table

FIELD, WEIGHT, BIAS = Q(8, 6), Q(6, 5), Q(8, 6)
AS_IT_IS, REQUESTS = b"\0", b"\1"
AT_ONCE = 250


def programs() -> dict[str, Program]:
    """Small ones: the fuzzers' arenas have 8 KiB."""

    def stencil(**more: object) -> Stencil:
        return Stencil(**{"out_channels": 2, "taps": CROSS, "weight": WEIGHT, "bias": BIAS, "out": FIELD} | more)  # type: ignore[arg-type]

    table = Table(Q(3, 2), tuple(range(-4, 4)))
    chains = {
        "rows": (
            stencil(taps=MOORE, phi=Relu(), stride=2),
            Pool(kind="sum", size=2, out=Q(10, 6)),
            Dense(out_channels=3, weight=WEIGHT, bias=BIAS, out=Q(12, 6)),
        ),
        "frame": (stencil(boundary="periodic", repeat=9, skip=True, phi=Clip(-100, 100)),),
        "wide": (
            stencil(boundary="dirichlet", weight=Q(16, 14), bias=Q(32, 20), out=Q(18, 12)),
            Pool(kind="max", size=3, out=Q(18, 12)),
        ),
        "table": (stencil(phi=table), Recurrent(out_channels=3, weight=WEIGHT, bias=BIAS, out=FIELD, phi=table)),
    }
    found = {name: Program(name=name, input=Grid(6, 5, 2, FIELD), steps=steps) for name, steps in chains.items()}
    return found | {
        "evolve": ready("gray-scott", (6, 5)).model.program,
        "label": load_model("rnn").program,
        "maps": ready("layered-heat", (4, 5)).model.program,
    }


def conversation(data: bytes) -> bytes:
    """Load it, write a word, commit, push a header and values, pull."""
    requests = [(Kind.SYNC, b"abcd"), (Kind.IDENTIFY, b"")]
    requests += [(Kind.PROGRAM, struct.pack("<H", at) + data[at : at + AT_ONCE]) for at in range(0, len(data), AT_ONCE)]
    requests += [
        (Kind.ADOPT, struct.pack("<H", len(data))),
        (Kind.WRITE, bytes(3) + b"\3"),
        (Kind.READ, bytes(3) + b"\4\0"),
        (Kind.COMMIT, bytes(16)),
    ]
    requests += [
        (Kind.PUSH, bytes(2) + struct.pack("<BI", FIELD_LOAD | FIELD_EMIT, 2) + bytes(range(200))),
        (Kind.PULL, struct.pack("<HH", 0, 300)),
    ]
    requests += [(Kind.STATUS, b""), (Kind.RESET, b"")]
    return REQUESTS + b"".join(bytes([kind, len(payload)]) + payload for kind, payload in requests)


def filled(program: Program) -> Model:
    """With integers in it."""
    rng = np.random.default_rng(0)
    return Model(program, {
        index: Weights(**{part: rng.integers(q.low, q.high, shape, endpoint=True) for part, (shape, q) in parts.items()})
        for index, parts in program.tensors().items()
    })  # fmt: skip


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    filled(programs()["rows"]).save(folder / "model.npde")
    for name, program in programs().items():
        data = image(program)
        for target, seed in (("load", data[:-CRC_BYTES]), ("protocol", conversation(data))):
            place = folder / f"seeds-{target}"
            place.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(seed)
    (folder / "seeds-protocol" / "line").write_bytes(
        AS_IT_IS + bytes.fromhex("00 07 01 09 77 78 79 7a 05 2b 7d 0e a1 00")
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
