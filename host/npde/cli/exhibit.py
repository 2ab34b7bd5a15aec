"""One equation or one shipped model on a virtual board, beside golden: what a row of the gallery is made of."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from npde import golden
from npde.data import Dataset
from npde.link.board import Board
from npde.models import load_model

if TYPE_CHECKING:  # they bring sympy or a simulator along, which no other command should wait for
    from npde.equation.general import Discretised
    from npde.report.classifier import Classifier
    from npde.report.gallery import Exhibit
    from npde_hdl.plan.plan import Plan

PLANE, ROW = (32, 32), (1, 96)
SNAPSHOTS = 5
PARTS = SNAPSHOTS + 1
"""What ``progress`` counts up to for a whole row: the simulator, which takes longest when it is new, and the snapshots."""
STEPS = {
    "heat": 80, "anisotropic-heat": 80, "layered-heat": 120, "advection-diffusion": 60, "burgers": 300, "fisher-kpp": 160, "allen-cahn": 120,
    "gray-scott": 600, "fitzhugh-nagumo": 240, "schroedinger": 100, "nonlinear-schroedinger": 600, "paraxial": 60,
}  # fmt: skip
"""How long each has something to show on a small grid; boards are planned for this many steps."""


def equation_exhibit(name: str, board: str, steps: int | None = None, progress: Callable[[float], None] = lambda part: None) -> Exhibit:
    """Run a ready equation on a virtual ``board``, by golden and in float64, with snapshots on the way; ``steps`` by default its own.

    ``progress`` is told which part more of :data:`PARTS` is done. Raises :class:`FitError` where the board has no room.
    """
    from npde.equation.catalogue import find, ready, start
    from npde.equation.general import with_times
    from npde.report.gallery import Exhibit
    from npde_sim.virtual import VirtualBoard

    entry = find(name)
    planned = STEPS.get(name, entry.steps)
    steps = steps or planned
    equation = ready(name, ROW if entry.shape[0] == 1 else PLANE, times=planned)
    state = start(equation)
    times = sorted({round(k * steps / (SNAPSHOTS - 1)) for k in range(SNAPSHOTS)})
    with VirtualBoard(equation.model.program, board) as virtual:
        plan = virtual.plan
        progress(1)
        answered, cycles = _on_board(virtual.port, plan.baud, equation, state, times, progress)
    wanted, reals = [equation.quantise(state)], [np.asarray(state, np.float64)]
    for before, time in pairwise(times):
        wanted.append(golden.run(with_times(equation.model, time - before), wanted[-1]).output)
        reals.append(equation.reference.run(reals[-1], time - before))
    step = plan.evolved[0]
    return Exhibit(
        name, entry.equation, str(equation.model.program.input), equation.fields, equation.dt, equation.h, times,
        np.stack(answered), np.concatenate(wanted), np.concatenate(reals), equation.q,
        {
            "copies": step.copies,
            "cycles per step": round(step.initiation_interval / step.step.times, 2),
            "cycles per step on the board": round(cycles / times[-1], 2),
            "cell updates per second": round(step.cells_a_cycle * plan.clock),
        },
        _resources(plan),
        equation.reference.maps[0, :, :, 0] if len(equation.maps) == 1 else None,
    )  # fmt: skip


def _on_board(
    port: str, baud: int, equation: Discretised, state: np.ndarray, times: list[int], progress: Callable[[float], None]
) -> tuple[list[np.ndarray], int]:
    """The board's field at each of ``times``, read over the wire, and the cycles it counted for all of them."""
    fields, cycles = [], 0
    with Board.open(port, baud=baud) as link:
        link.load(equation.model)
        link.write_field(equation.quantise(state)[0])
        for before, time in pairwise([0, *times]):
            if time > before:
                cycles += link.step(time - before)
            fields.append(link.read_field())
            progress(1)
    return fields, cycles


def classifier_exhibit(
    name: str, board: str, data: Dataset, count: int, progress: Callable[[float], None] = lambda part: None
) -> Classifier:
    """Send the first ``count`` test samples to a shipped model on a virtual ``board``, and golden all of them.

    ``progress`` is told which part more of :data:`PARTS` is done. Raises :class:`FitError` where the board has no room and
    :class:`ProgramError` where the samples have another shape than the model's.
    """
    from npde.report.classifier import Classifier
    from npde_sim.virtual import VirtualBoard

    model, samples = load_model(name), data.test_x[:count]
    fields = model.quantise_input(data.test_x)
    with VirtualBoard(model.program, board) as virtual:
        plan = virtual.plan
        progress(1)
        with Board.open(virtual.port, baud=plan.baud) as link:
            link.load(model)
            answer = link.infer(samples, progress=lambda done: progress(done * (PARTS - 2) / len(samples)))
    whole = golden.run(model, fields, progress=lambda done: progress(done / len(fields)))
    assert whole.label is not None, "a classifier has an argmax"
    return Classifier(
        name, model, data.name, samples, data.test_y[:count], answer,
        golden.Answer(whole.output[:count], whole.label[:count]), int((whole.label == data.test_y).sum()), len(fields),
        {
            "cycles per frame": plan.initiation_interval,
            "frames per second": round(plan.frames_per_second, 1),
            "multipliers": plan.multipliers,
            "multipliers busy": round(plan.utilisation, 4),
        },
        _resources(plan),
    )  # fmt: skip


def _resources(plan: Plan) -> dict[str, tuple[int, int]]:
    """(used, available) of what the board has any of."""
    from npde_hdl import board as boards

    budget = boards.get(plan.board).budget.as_dict()
    return {kind: (used, budget[kind]) for kind, used in plan.cost.as_dict().items() if budget[kind]}
