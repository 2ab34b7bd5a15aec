"""Fits the planner's logic formula to synthesis: random steps through Yosys and nextpnr's packer, then least squares.

``python benchmarks/calibrate.py ice40 60`` draws sixty steps (a quarter of an hour) and prints the coefficients
for ``npde_hdl/plan/logic.py`` and how far the formula is off on the very steps it was fitted to and, every fourth
left out of the fit, on others.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from amaranth.back import rtlil
from scipy.optimize import nnls

from npde.errors import ProgramError
from npde.link.packing import Fold, Packing
from npde.program import CENTRE, CROSS, MOORE, Clip, Grid, Identity, Q, Relu, Stencil
from npde_hdl.board import FAMILIES
from npde_hdl.board.family import Family
from npde_hdl.build.bitstream import COLLISIONS_DO_NOT_MATTER, unindexed
from npde_hdl.build.tool import find_tool
from npde_hdl.plan.logic import step_terms
from npde_hdl.stencil.line_buffer import words_for
from npde_hdl.stencil.reach import Reach
from npde_hdl.stencil.step import StencilStep

SYNTHESIS = {"ice40": "synth_ice40 -device u", "ecp5": "synth_ecp5 -nodsp -nowidelut"}
PACKER = {
    "ice40": ["nextpnr-ice40", "--up5k", "--package", "sg48"],
    "ecp5": ["nextpnr-ecp5", "--85k", "--package", "CABGA381", "--lpf-allow-unconstrained"],
}


def main(name: str, count: str, seed: str = "0") -> None:
    """Measure, fit, print."""
    family = FAMILIES[name]
    dice = random.Random(int(seed))
    terms, cells = [], []
    for _ in range(int(count)):
        packing, multiplier = _draw(dice, family.dsp_kind)
        try:
            reach = Reach(packing.grid, packing.beat_taps, packing.stencil.boundary, packing.stencil.stride)
            component = StencilStep(packing, region=1, cells=reach.smooth_cells, multiplier=multiplier, memory="block",
                                    bus_width=8 * -(-packing.width // 8))  # fmt: skip
            measured = _cells(component, family)
        except (ProgramError, ValueError) as error:
            print(f"left out, no such step: {error}", file=sys.stderr)
            continue
        except subprocess.CalledProcessError as error:
            print(f"left out, {packing.stencil} on {packing.grid} folded {packing.fold}: {error.stderr}", file=sys.stderr)
            continue
        terms.append(step_terms(packing, multiplier, words_for(packing, reach.smooth_cells), family))
        cells.append(measured)
        print(f"{len(cells)}: {measured} cells", file=sys.stderr, flush=True)
    fit(terms, np.array(cells, float))


def fit(terms: list[dict[str, float]], cells: np.ndarray) -> None:
    """Non-negative least squares on relative errors; prints the coefficients and what they miss."""
    names = list(terms[0])
    matrix = np.array([[row[name] for name in names] for row in terms], float) / cells[:, None]
    held_out = np.arange(len(cells)) % 4 == 3
    trial, _ = nnls(matrix[~held_out], np.ones((~held_out).sum()))
    coefficients, _ = nnls(matrix, np.ones(len(cells)))
    for name, value in zip(names, coefficients, strict=True):
        print(f'"{name}": {value:.2f},')
    for what, error in (("fitted", matrix @ coefficients - 1), ("left out of the fit", matrix[held_out] @ trial - 1)):
        print(f"{len(error)} steps {what}: off by {np.abs(error).mean():.1%} in the mean, {np.abs(error).max():.1%} at most")


def _draw(dice: random.Random, dsp: str) -> tuple[Packing, str]:
    """A step of a size and folding as models have them."""
    while True:
        side, outputs = dice.choice([1, 4, 7, 8, 14, 28]), dice.choice([4, 8, 16, 32])
        inputs = dice.choice([16, 64, 128] if side == 1 else [1, 2, 4, 8, 16, 32])
        q, weight = Q(dice.choice([4, 6, 8, 8, 8, 12, 16]), 3), Q(dice.choice([2, 4, 6, 8, 8, 8, 12]), 1)
        pe, simd = dice.choice([1, 2, 4, 8]), dice.choice([1, 2, 4, 8])
        multiplier = dice.choice(["generic", dsp])
        if outputs % pe or inputs % simd or (multiplier == "generic" and pe * simd > 16):
            continue
        skip = inputs == outputs and dice.random() < 0.5
        stencil = Stencil(
            out_channels=outputs, taps=(CENTRE,) if side == 1 else dice.choice([MOORE, MOORE, CROSS, (CENTRE,)]),
            weight=weight, bias=Q(16, min(12, 3 + weight.frac)), out=q, skip=skip,
            phi=dice.choice([Clip(0, q.high), Clip(-q.high, q.high), Relu(), Identity()]),
            boundary=dice.choice(["neumann", "neumann", "dirichlet", "periodic"]),
            stride=1 if skip or side < 4 else dice.choice([1, 1, 2]),
        )  # fmt: skip
        return Packing(stencil, Grid(side, side, inputs, q), Fold(pe, simd)), multiplier


def _cells(component, family: Family) -> int:
    """Logic cells after packing, by nextpnr's own count."""
    ports = [signal.as_value() if hasattr(signal, "as_value") else signal for *_, signal in component.signature.flatten(component)]
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        (where / "top.il").write_text(unindexed(rtlil.convert(component, name="top", ports=[port for port in ports if len(port)])))
        (where / "top.ys").write_text(
            f"read_rtlil top.il\n{COLLISIONS_DO_NOT_MATTER}\n{SYNTHESIS[family.name]} -top top\nwrite_json top.json\n"
        )
        run = {"cwd": where, "check": True, "capture_output": True, "text": True}
        subprocess.run([find_tool("yosys"), "-q", "top.ys"], **run)
        tool, *options = PACKER[family.name]
        done = subprocess.run([find_tool(tool), *options, "--pack-only", "--json", "top.json"], **run)
    kind = family.cells["logic cells"]
    return int(re.search(rf"{kind}:\s*(\d+)/", done.stdout + done.stderr)[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
