"""From an Amaranth component to a Verilated cocotb simulator, once per content."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from amaranth.back import rtlil, verilog
from amaranth.lib import wiring

from npde.errors import BuildError
from npde_sim import verilator

TOP = "top"
FLAGS = ("--no-public-flat-rw", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint", "-CFLAGS", verilator.STANDARD)
OPTIMISE = "OPT_FAST=-O0 OPT_GLOBAL=-O1"
"""A bench spends its time in Python: what the compiler takes on the design counts for more than what it saves."""
RUNTIME = "verilated*.o"
VISIBLE = """`verilator_config
public_flat_rw -module "top" -var "*"
public_flat_rd -module "*" -var "samples__*"
public_flat_rd -module "*" -var "values__*"
"""
"""What a scenario may look at: the ports, and streams inside a pipeline. cocotb's runner would make every signal
public, which takes ten times as long to compile."""


def build(component: wiring.Component, *, sources: Sequence[str] = (), waves: bool = False) -> Path:
    """The folder with the simulator's executable, from the cache if it was built before.

    Ports are flat: ``i.payload`` is ``i__payload``. ``sources`` are texts of further Verilog
    modules. Raises :class:`BuildError` when the tools refuse the design.
    """
    text = rtlil.convert(component, name=TOP, emit_src=False)
    key = _hash(text, *sources, str(waves))
    home = verilator.cache("bench")
    folder = home / key
    if (folder / TOP).exists():
        return folder
    with tempfile.TemporaryDirectory(dir=home) as place:
        work = Path(place) / "build"
        work.mkdir()
        files = [work / "visible.vlt", work / f"{TOP}.v", *(work / f"cells{n}.v" for n in range(len(sources)))]
        design = verilog.convert(component, name=TOP, emit_src=False, strip_internal_attrs=True)
        for file, content in zip(files, (VISIBLE, design, *sources), strict=True):
            file.write_text(content)
        _compile(files, work, home / ("runtime-" + _hash(str(waves))), waves)
        finished = Path(place) / "finished"
        finished.mkdir()
        for name in (TOP, f"{TOP}.v"):
            shutil.move(work / name, finished / name)
        with contextlib.suppress(OSError):  # another process was faster, and has built the same
            os.replace(finished, folder)
    return folder


def _hash(*texts: str) -> str:
    import cocotb_tools.config

    tools = (version("verilator"), version("cocotb"), str(cocotb_tools.config.libs_dir), repr(FLAGS), OPTIMISE, VISIBLE)
    return hashlib.sha256("\0".join((*texts, *tools)).encode()).hexdigest()[:24]


def _compile(files: Sequence[Path], work: Path, runtime: Path, waves: bool) -> None:
    from cocotb_tools.runner import get_runner

    _seed(runtime, work)
    log = work / "build.log"
    with _environment():
        try:
            get_runner("verilator").build(
                sources=files, hdl_toplevel=TOP, build_dir=work, build_args=FLAGS, waves=waves,
                timescale=("1ns", "1ps"), log_file=log,
            )  # fmt: skip
        except (SystemExit, RuntimeError, OSError) as error:
            said = log.read_text()[-1500:] if log.exists() else str(error)
            raise BuildError(f"Verilator could not build the bench: {said}") from error
    _keep(runtime, work)


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """cocotb's runner takes its environment from the process."""
    before = dict(os.environ)
    os.environ.update(verilator.environment(), MAKEFLAGS=f"{verilator.MAKEFLAGS} {OPTIMISE}")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _seed(runtime: Path, work: Path) -> None:
    """Verilator's runtime is the same for every design, and takes most of a small one's compilation."""
    soon = time.time() + 3600  # newer than the makefile that is yet to be written
    for source in runtime.glob(RUNTIME) if runtime.is_dir() else ():
        shutil.copy(source, work)
        os.utime(work / source.name, (soon, soon))


def _keep(runtime: Path, work: Path) -> None:
    if runtime.exists():
        return
    with tempfile.TemporaryDirectory(dir=runtime.parent) as place:
        copy = Path(place) / "runtime"
        copy.mkdir()
        for source in work.glob(RUNTIME):
            shutil.copy(source, copy)
        with contextlib.suppress(OSError):
            os.replace(copy, runtime)
