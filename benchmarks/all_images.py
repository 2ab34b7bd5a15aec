"""All test images through the whole virtual SoC, pin by pin: ``python benchmarks/all_images.py FOLDER [MODEL [BOARD [COUNT]]]``.

FOLDER holds IDX files (Fashion-MNIST's for the default model, ``fashion``). Two virtual boards (``ulx3s-25f``), one a core,
share the images as one pool; their serial lines run at a bit in four clocks, the fastest the UART takes, which shortens
the wire's wait and leaves every pin, byte and cycle of a frame as it is at the board's own rate.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack

import numpy as np
from rich.progress import track

from npde import golden
from npde.data import load_data
from npde.link.pool import Pool
from npde.models import load_model
from npde_hdl import board as boards
from npde_sim.virtual import VirtualBoard

CORES = 2
CYCLES_A_BIT = 4


def main(folder: str, name: str = "fashion", board: str = "ulx3s-25f", count: str = "") -> None:
    """Prints counts, mismatches, accuracies, seconds and what each simulation said of its speed."""
    model, data = load_model(name), load_data(folder)
    samples = data.test_x[: int(count)] if count else data.test_x
    labels = data.test_y[: len(samples)]
    wanted = golden.run(model, model.quantise_input(samples))
    baud = boards.get(board).clock // CYCLES_A_BIT
    with ExitStack() as running:
        virtual = [running.enter_context(VirtualBoard(model.program, board, baud=baud)) for _ in range(CORES)]
        began = time.perf_counter()
        with Pool.open([one.port for one in virtual], model, baud=baud) as pool:
            futures = [pool.submit(sample) for sample in samples]
            answers = [future.result() for future in track(futures, name, transient=True)]
            seconds, shares = time.perf_counter() - began, pool.answered
        speeds = [one.stop() for one in virtual]
    output = np.concatenate([answer.output for answer in answers])
    label = np.concatenate([answer.label for answer in answers])
    wrong = (output != wanted.output).any(axis=(1, 2, 3)) | (label != wanted.label)
    print(f"{name} on {CORES} virtual {board}s, {len(samples):,} images ({' + '.join(f'{share:,}' for share in shares)}) in {seconds:.0f} s")
    print(f"{int(wrong.sum())} mismatches in {output.size:,} integers; accuracy board {np.mean(label == labels):.2%}, golden {np.mean(wanted.label == labels):.2%}")
    print("; ".join(speeds))


if __name__ == "__main__":
    main(*sys.argv[1:])
