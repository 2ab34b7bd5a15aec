"""The runtime in plain C, built once with every check the compiler has, and any model run in it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from npde.firmware.export import runtime
from npde.firmware.tables import model_header, model_source

FLAGS = ("-std=c11", "-O1", "-fPIC", "-Wall", "-Wextra", "-Wconversion", "-Werror")


class Compiled:
    """A model as a shared object, asked through the public header's functions."""

    def __init__(self, model, library: Path):
        self.model = model
        self.shared = ctypes.CDLL(str(library))
        self.address = ctypes.addressof(ctypes.c_char.in_dll(self.shared, "model"))

    def call(self, name: str, *arguments):
        """The function's result, the model its first argument."""
        return getattr(self.shared, name)(ctypes.c_void_p(self.address), *arguments)

    def infer(self, fields: np.ndarray) -> np.ndarray:
        """Answers (batch, values), the label last where there is one."""
        program = self.model.program
        answers = np.full((len(fields), program.output.size + program.argmax), 0x5A5A5A5A, np.int32)
        for field, answer in zip(fields, answers, strict=True):
            frame = np.ascontiguousarray(field.ravel(), np.int32)
            assert self.call("npde_infer", frame.ctypes.data_as(ctypes.c_void_p), answer.ctypes.data_as(ctypes.c_void_p)) == 0
        return answers


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """``compiled(model)`` builds it; the runtime itself is compiled once."""
    if not shutil.which("gcc"):
        pytest.skip("needs gcc")
    place = tmp_path_factory.mktemp("runtime")
    include = ["-I", str(runtime() / "include")]
    sources = sorted(str(path) for path in (runtime() / "src").glob("*.c"))
    subprocess.run(["gcc", *FLAGS, *include, "-c", *sources], cwd=place, check=True)
    objects = [str(path) for path in place.glob("*.o")]
    count = iter(range(1 << 30))

    def build(model) -> Compiled:
        here = place / str(next(count))
        here.mkdir()
        (here / "model.c").write_text(model_source(model))
        (here / "model.h").write_text(model_header(model))
        library = here / "model.so"
        subprocess.run(["gcc", *FLAGS, "-O0", *include, "-I", str(here), "-shared", "-o", str(library), str(here / "model.c"), *objects], check=True)
        return Compiled(model, library)

    return build
