"""cocotb benches: any component in Verilator, its streams held up at random, every integer against an expectation.

A test calls :func:`simulate` with a component and a *scenario*, a coroutine of the same test file.
The scenario runs inside the simulator with a :class:`Bench`: it drives streams, watches others and
raises :class:`Mismatch` where something else came than golden says. A failing case is run once more
with tracing, and the message names its seed and its waveform.
"""

from npde_sim.bench.bench import Bench
from npde_sim.bench.job import Case
from npde_sim.bench.pace import PACES
from npde_sim.bench.rack import Rack
from npde_sim.bench.run import simulate
from npde_sim.bench.scoreboard import Expectation, Mismatch

__all__ = ["PACES", "Bench", "Case", "Expectation", "Mismatch", "Rack", "simulate"]
