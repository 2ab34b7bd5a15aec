"""The firmware's stack has a bound: no recursion, no frame of unknown size, no pointer called that is not named."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from npde.errors import BuildError
from npde.firmware.export import export
from npde.firmware.stack import stack_bound
from npde.models import load_model


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    if not shutil.which("arm-none-eabi-gcc"):
        pytest.skip("needs arm-none-eabi-gcc; Debian has it in gcc-arm-none-eabi and picolibc-arm-none-eabi")
    place = tmp_path_factory.mktemp("firmware")
    export(load_model("helmholtz"), place)
    subprocess.run(["make", "-s", "BOARD=mps2-an386"], cwd=place, check=True, capture_output=True)
    return place / "build" / "mps2-an386"


def test_the_deepest_path_takes_less_than_a_kilobyte(built):
    assert 200 < stack_bound(built, built / "npde.elf") < 1024


def test_judging_an_image_takes_less_than_two_kilobytes(built, tmp_path):
    export(None, tmp_path)
    subprocess.run(["make", "-s", "BOARD=mps2-an386"], cwd=tmp_path, check=True, capture_output=True)
    loadable = tmp_path / "build" / "mps2-an386"
    assert stack_bound(built, built / "npde.elf") < stack_bound(loadable, loadable / "npde.elf") < 2048


def test_a_pointer_that_is_not_named_is_found(built):
    with pytest.raises(BuildError, match="called through pointers in"):
        stack_bound(built, built / "npde.elf", indirect={})


def test_recursion_is_found(built):
    with pytest.raises(BuildError, match="calls itself"):
        stack_bound(built, built / "npde.elf", indirect={name: ("npde_link_receive",) for name in ("npde_dot", "npde_stream_put", "npde_stream_work", "npde_link_receive")})
