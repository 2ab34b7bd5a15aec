"""Mutation coverage of every component's bench: ``python benchmarks/mutants.py [COMPONENT…]``.

Prints a row a component: mutants (``NPDE_MUTANTS`` of each), killed by its tests, proved equivalent, survivors, and the
share of the killed among those not proved equivalent. ``build/mutants/COMPONENT.txt`` has what survives, with the lines
of source.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

from amaranth.hdl import UnusedElaboratable

from npde_sim.mutants import Campaign, campaign

ROOT = Path(__file__).parents[1]
COUNT = int(os.environ.get("NPDE_MUTANTS", "100"))


FRAMING = "link/test_framing.py::test_"


def of(component: str, *tests: str, mutants: int = COUNT) -> Campaign:
    return Campaign(component, tuple(f"{ROOT}/tests/hdl/{test}" for test in tests), mutants)


CAMPAIGNS = [
    of("products",
       "primitive/test_product.py::test_products_at_every_corner_and_at_random_whenever_the_clock_is_enabled"),
    of("lanes", "stencil/test_lanes.py"),
    of("reaction", "stencil/test_reaction.py"),
    of("line-buffer", "stencil/test_line_buffer.py"),
    of("weight-memory", "stencil/test_weight_memory.py"),
    of("pool", "readout/test_pool.py::test_every_pooling_is_goldens"),
    of("queue", "readout/test_queue.py"),
    of("refold", "readout/test_refold.py::test_every_ratio_keeps_the_values_in_order"),
    of("answer", "readout/test_answer.py"),
    of("uart", "link/test_uart.py"),
    of("deframer", f"{FRAMING}whole_frames_come_through_and_nothing_else_does",
       f"{FRAMING}a_full_ring_drops_whole_frames", f"{FRAMING}a_framing_error_spoils_its_frame_alone"),
    of("enframer", f"{FRAMING}frames_are_stuffed_and_checked_as_the_cobs_package_and_zlib_do"),
    of("executor", "link/test_executor.py"),
    of("window", "evolve/test_window.py"),
    of("evolve-arithmetic", "evolve/test_arithmetic.py::test_drawn_arithmetic_is_goldens"),
    of("evolve-stage", "evolve/test_stage.py"),
]  # fmt: skip


def main(*components: str) -> None:
    """One row a component; raises :class:`SystemExit` for a name there is not."""
    known = {plan.component: plan for plan in CAMPAIGNS}
    if unknown := [name for name in components if name not in known]:
        raise SystemExit(f"{unknown[0]!r} is not a component; they are {', '.join(known)}")
    warnings.simplefilter("ignore", UnusedElaboratable)  # tests judged again build components that are not simulated again
    folder = ROOT / "build" / "mutants"
    folder.mkdir(parents=True, exist_ok=True)
    print("| component | mutants | killed | equivalent | survivors | killed of the others |")
    print("| --- " * 6 + "|", flush=True)
    for name in components or known:
        count = campaign(known[name], tell=lambda text: print(text, file=sys.stderr, flush=True))
        print(
            f"| {name} | {count.mutants} | {count.killed} | {len(count.equivalent)} "
            f"| {len(count.survivors)} | {count.share:.1%} |",
            flush=True,
        )
        lines = [
            *(f"survives: {where}" for where in count.survivors),
            *(f"equivalent: {where}" for where in count.equivalent),
        ]
        (folder / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
