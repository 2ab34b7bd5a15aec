"""Values to answer bytes and sample bytes to values: sign extension, byte order, the first of equal maxima."""

from __future__ import annotations

import numpy as np

from npde.link.protocol import answer_bytes
from npde.program import Grid, Q
from npde_hdl.pipeline import ByteValues
from npde_hdl.readout.answer import Answer
from npde_sim.bench import Case, Expectation, Mismatch, Rack, draw, simulate
from npde_sim.bench.lanes import BYTES, Lanes

FRAMES = 6
ANSWERS = {
    "bytes": (Grid(1, 1, 10, Q(8, 4)), True),
    "words": (Grid(1, 1, 5, Q(12, 4)), True),
    "few_bits": (Grid(1, 1, 7, Q(4, 2)), True),
    "one_value": (Grid(1, 1, 1, Q(16, 4)), True),
    "many": (Grid(1, 1, 300, Q(3, 0)), True),
    "field": (Grid(3, 2, 2, Q(18, 4)), False),
}
WIDTHS = (4, 8, 9, 16, 18)
CASES = [Case(1, "all-out"), Case(2), Case(3, "bursts")]


def wire(values, width):
    """numpy's own little-endian bytes of as many as the width needs."""
    return np.asarray(values, "<i4").reshape(-1, 1).view(np.uint8)[:, : -(-width // 8)].ravel().tolist()


async def answers(bench, names):
    """Frames of few distinct values, so that maxima are often equal."""
    for name in names:
        grid, argmax = ANSWERS[name]
        frames = draw.integers(bench.rng, grid.q, (FRAMES, grid.size))
        frames[::2] = bench.rng.choice([grid.q.low, -1, 0, grid.q.high], size=frames[::2].shape)
        sent = []
        for frame in frames:
            sent += wire(frame, grid.q.width)
            if argmax:
                sent += list(int(np.argmax(frame)).to_bytes(1 if grid.size <= 256 else 2, "little"))
        assert len(sent) == FRAMES * answer_bytes(grid, argmax)
        bench.feed(f"{name}__values", Lanes(grid.q.width).words(frames.ravel()))
        bench.sink(f"{name}__bytes", BYTES, Expectation(name, sent, ["byte"]))
    await bench.settle(patience=1000)


def test_answers_are_little_endian_sign_extended_and_end_with_the_first_greatest():
    simulate(Rack({name: Answer(*ANSWERS[name]) for name in ANSWERS}), answers, cases=CASES, names=list(ANSWERS))


async def gathers(bench, widths):
    """Sample bytes whose spare upper bits are noise."""
    for width in widths:
        values = draw.integers(bench.rng, Q(width, 0), (50,))
        size = -(-width // 8)
        noise = bench.rng.integers(0, 1 << (8 * size - width), size=50) << width
        raw = (values & ((1 << width) - 1)) | noise
        sent = np.asarray(raw, "<i4").reshape(-1, 1).view(np.uint8)[:, :size].ravel()
        bench.feed(f"w{width}__bytes", sent.tolist())
        bench.sink(f"w{width}__values", Lanes(width), Expectation(f"{width} bits", values))
    await bench.settle(patience=400)


def test_sample_bytes_become_values():
    simulate(Rack({f"w{width}": ByteValues(width) for width in WIDTHS}), gathers, cases=CASES, widths=WIDTHS)


async def prepares(bench, widths):
    """How many bytes are taken while nobody asks for a value; one that is a value by itself is only passed on."""
    taken = dict.fromkeys(widths, 0)
    for width in widths:
        getattr(bench.dut, f"w{width}__values__ready").value = 0
        getattr(bench.dut, f"w{width}__bytes__valid").value = 1
    for _ in range(12):
        await bench.cycle()
        for width in widths:
            taken[width] += int(getattr(bench.dut, f"w{width}__bytes__ready").value)
    for width in widths:
        wanted = -(-width // 8) if width > 8 else 0
        if taken[width] != wanted:
            raise Mismatch(f"{width} bits: {wanted} bytes are taken before anyone asks for it, not {taken[width]}")


def test_a_value_is_made_ready_before_anyone_asks():
    simulate(Rack({f"w{width}": ByteValues(width) for width in WIDTHS}), prepares, cases=CASES[:1], widths=WIDTHS)
