"""Instructions of one inference on an emulated Cortex-M4, with SMLAD and in plain C: ``python benchmarks/firmware.py``.

QEMU counts: with ``-icount shift=0`` each instruction takes a nanosecond of the machine's time, which its 25 MHz timer
measures from the first sample byte in to the last answer byte out, 40 instructions a tick.
"""

from __future__ import annotations

import re
import subprocess

import numpy as np

from npde import golden
from npde.firmware.launch import REDIRECTED, build
from npde.link.board import Board
from npde.models import load_model

TICK = 40
MODELS = ("digits", "cnn", "mlp", "rnn", "helmholtz")
"""Those whose frame travels in one request: nothing waits for the host within what is counted."""


def instructions(name: str, more: str) -> int:
    """For one frame of random values, whose answer must be golden's."""
    model = load_model(name)
    command = ["qemu-system-arm", "-M", "mps2-an386", "-icount", "shift=0", "-display", "none", "-monitor", "none", "-serial", "pty", "-kernel"]
    running = subprocess.Popen([*command, str(build(model, "mps2-an386", more=more))], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert running.stdout is not None
        match = re.search(REDIRECTED, running.stdout.readline())
        assert match
        q, grid = model.program.input.q, model.program.input
        fields = np.random.default_rng(0).integers(q.low, q.high, (1, *grid.shape), endpoint=True)
        with Board.open(match[1]) as board:
            board.load(model)
            answer = board.infer((q.real(fields) - model.preprocess.offset) / model.preprocess.scale)
            assert np.array_equal(answer.output, golden.run(model, fields).output)
            return board.status().cycles * TICK
    finally:
        running.terminate()
        running.wait()


if __name__ == "__main__":
    print("| model | multiply-accumulates | instructions, plain C | with SMLAD | ratio |\n| --- | --- | --- | --- | --- |")
    for name in MODELS:
        plain, tuned = instructions(name, "-DNPDE_PLAIN"), instructions(name, "")
        print(f"| {name} | {load_model(name).program.macs:,} | {plain:,} | {tuned:,} | {plain / tuned:.2f} |", flush=True)
