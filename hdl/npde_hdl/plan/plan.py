"""A plan is data: which step gets which lanes and memories, and what that costs and yields."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from npde.errors import FitError
from npde.link.evolve_packing import packings
from npde.link.packing import Packing
from npde.link.protocol import LEAST_CYCLES, RATE_TOLERANCE, Region, answer_bytes, sample_bytes
from npde.program import Evolve, Grid, Pool, Program
from npde_hdl.board.family import Cost
from npde_hdl.evolve.arithmetic import multipliers_of
from npde_hdl.primitive.product import STEADY
from npde_hdl.readout.pool import CYCLES
from npde_hdl.stencil.recurrent import turnaround


def bytes_a_frame(program: Program) -> int:
    """The bytes of a sample or of an answer, whichever are more: what a frame takes at one byte a cycle."""
    return max(sample_bytes(program.input, resident=False), answer_bytes(program.output, program.argmax))


@dataclass(frozen=True)
class WeightedStep:
    """One physical copy of a stencil or dense step."""

    index: int
    copy: int
    packing: Packing
    cells: int
    multiplier: str
    memory: str
    cost: Cost

    @property
    def lanes_in(self) -> int:
        """Values in an input word."""
        return self.packing.fold.simd

    @property
    def initiation_interval(self) -> int:
        """Cycles from frame to frame."""
        return self.packing.initiation_interval

    @property
    def macs(self) -> int:
        """Useful multiply-accumulates per frame."""
        return self.packing.stencil.grid_after(self.packing.grid, "step").size * self.packing.grid.channels * len(
            self.packing.stencil.taps
        )

    @property
    def multipliers(self) -> int:
        """Multipliers instantiated, of whichever kind."""
        return self.packing.fold.multipliers

    @property
    def region(self) -> Region:
        """How the board describes its weight memory."""
        fold = self.packing.fold
        return Region(self.index, self.copy, fold.pe, fold.simd, self.packing.depth, self.packing.width)


@dataclass(frozen=True)
class FedBackStep(WeightedStep):
    """A recurrent step: one cell's time step, ``rows`` times a frame."""

    rows: int

    @property
    def initiation_interval(self) -> int:
        """Cycles from frame to frame; between its rows the state is on its way back."""
        turns = (self.rows - 1) * turnaround(self.packing, STEADY[self.multiplier])
        return self.rows * self.packing.initiation_interval + turns

    @property
    def macs(self) -> int:
        """Useful multiply-accumulates per frame."""
        return self.rows * super().macs


@dataclass(frozen=True)
class PooledStep:
    """A pooling step."""

    index: int
    step: Pool
    grid: Grid
    lanes_in: int
    cost: Cost

    @property
    def initiation_interval(self) -> int:
        """Cycles from frame to frame."""
        return CYCLES * self.grid.size // self.lanes_in

    macs = 0
    multipliers = 0


@dataclass(frozen=True)
class EvolvedStep:
    """An evolution on copies of its time step, with ``kinds`` the multipliers of each.

    ``streams``: a copy for every time step and no field memory. ``commanded``: the program's only step, whose field
    stays on the board. ``initiation_interval``: cycles from frame to frame, loading while the last is given out.
    """

    index: int
    step: Evolve
    grid: Grid
    kinds: tuple[str, ...]
    streams: bool
    commanded: bool
    initiation_interval: int
    cost: Cost

    @property
    def copies(self) -> int:
        """Time steps in a pass."""
        return len(self.kinds)

    @property
    def lanes_in(self) -> int:
        """Values in an input word: a whole cell."""
        return self.grid.channels

    @property
    def macs(self) -> int:
        """Useful multiplications per frame."""
        return self.step.macs(self.grid)

    @property
    def multipliers(self) -> int:
        """Multipliers instantiated, of whichever kind."""
        return self.copies * multipliers_of(self.step)

    @property
    def cells_a_cycle(self) -> float:
        """Cell updates (whole time steps of a cell) in a cycle, loading and giving out included."""
        return self.step.times * self.grid.height * self.grid.width / self.initiation_interval

    @property
    def regions(self) -> tuple[Region, ...]:
        """How the board describes its coefficients and maps."""
        return tuple(
            Region(self.index, number, self.copies, 0, packing.depth, packing.width)
            for number, packing in packings(self.step, self.grid, self.copies)
        )


@dataclass(frozen=True)
class Plan:
    """The whole pipeline on one board.

    ``cost`` sums the steps and the board link; every figure is a prediction until a build says otherwise.
    """

    program: Program
    board: str
    clock: int
    baud: int
    steps: tuple[WeightedStep | PooledStep | EvolvedStep, ...]
    cost: Cost

    def __post_init__(self) -> None:
        made = self.clock / self.divisor if self.divisor >= LEAST_CYCLES else 0
        if abs(made - self.baud) > self.baud * RATE_TOLERANCE:
            raise FitError(
                f"a clock of {self.clock / 1e6:g} MHz makes no {self.baud:,} baud: whole cycles a bit give "
                f"{self.clock / max(LEAST_CYCLES, self.divisor):,.0f}; choose another baud or clock"
            )

    @property
    def initiation_interval(self) -> int:
        """Cycles from frame to frame: the slowest step's, or as many as bytes come in or go out."""
        slowest = max(step.initiation_interval for step in self.steps)
        return slowest if self.resident else max(slowest, bytes_a_frame(self.program))

    @property
    def multipliers(self) -> int:
        """Multipliers instantiated in all."""
        return sum(step.multipliers for step in self.steps)

    @property
    def utilisation(self) -> float:
        """Useful multiply-accumulates ÷ (initiation interval × multipliers)."""
        return self.program.macs / (self.initiation_interval * self.multipliers)

    @property
    def frames_per_second(self) -> float:
        """What the pipeline sustains at the plan's clock."""
        return self.clock / self.initiation_interval

    @property
    def divisor(self) -> int:
        """Clock cycles a bit takes on the UART."""
        return round(self.clock / self.baud)

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample: a frame, behind a header where the field stays on the board."""
        return sample_bytes(self.program.input, resident=self.resident)

    @property
    def wire_frames_per_second(self) -> float:
        """What the UART could bring in at most: ten bits a byte, nothing for framing."""
        return self.baud / (10 * self.sample_bytes)

    @property
    def weighted(self) -> tuple[WeightedStep, ...]:
        """The stencil, dense and recurrent steps, in the order of their regions, which come first."""
        return tuple(step for step in self.steps if isinstance(step, WeightedStep))

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions as the board describes them: all weight memories, then what evolutions have."""
        return (
            *(step.region for step in self.weighted),
            *(region for step in self.evolved for region in step.regions),
        )

    @property
    def evolved(self) -> tuple[EvolvedStep, ...]:
        """The evolutions."""
        return tuple(step for step in self.steps if isinstance(step, EvolvedStep))

    @property
    def resident(self) -> bool:
        """Whether the program's field stays on the board between samples."""
        return any(step.commanded for step in self.evolved)

    @property
    def bus_width(self) -> int:
        """The widest weight word, in whole bytes' bits."""
        return 8 * max(region.word_bytes for region in self.regions)

    @property
    def build_id(self) -> bytes:
        """Eight bytes that change with anything in the plan."""
        text = repr((self.program.shape_hash, self.board, self.clock, self.baud, self.steps))
        return hashlib.sha256(text.encode()).digest()[:8]
