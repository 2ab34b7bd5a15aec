"""What openFPGALoader's words become."""

from __future__ import annotations

import os
import stat
import sys

import pytest

from npde.errors import BuildError, FitError
from npde_hdl.build import flash


@pytest.fixture
def loader(tmp_path, monkeypatch):
    """Installs an openFPGALoader that says and returns what a test wants; gives the file its arguments land in."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "npde.bin").write_bytes(b"bits")

    def install(said: str, code: int):
        path = tmp_path / "openFPGALoader"
        arguments = tmp_path / "arguments"
        path.write_text(
            f"#!{sys.executable}\nimport sys\nopen({str(arguments)!r}, 'w').write(' '.join(sys.argv[1:]))\n"
            f"print({said!r}, file=sys.stderr)\nsys.exit({code})\n"
        )
        path.chmod(path.stat().st_mode | stat.S_IEXEC)
        return arguments

    return install


def test_a_bitstream_goes_to_the_flash_or_to_the_device_alone(loader, tmp_path):
    arguments = loader("write to flash\nDone", 0)
    flash(tmp_path / "npde.bin", "icebreaker")
    assert arguments.read_text() == f"--board ice40_generic --write-flash {tmp_path / 'npde.bin'}"
    flash(tmp_path / "npde.bin", "ulx3s-25f", volatile=True)
    assert arguments.read_text() == f"--board ulx3s --write-sram {tmp_path / 'npde.bin'}"


@pytest.mark.parametrize(("said", "told"), [
    ("empty\nunable to open ftdi device: -3 (device not found)\nError: Failed to claim cable", r"no iCEBreaker .* is attached"),
    ("openFPGALoader: error while loading shared libraries: libusb-1.0.so.0: cannot open", r"needs the system's libusb-1\.0\.so\.0"),
    ("write to flash\nError: flash is protected", r"could not write .*npde\.bin to iCEBreaker .*: Error: flash is protected"),
])  # fmt: skip
def test_each_failure_is_told_plainly(loader, tmp_path, said, told):
    loader(said, 1)
    with pytest.raises(BuildError, match=told):
        flash(tmp_path / "npde.bin", "icebreaker")


def test_an_absent_bitstream_and_an_unknown_board_are_named(tmp_path):
    with pytest.raises(BuildError, match="no bitstream at"):
        flash(tmp_path / "nothing.bin", "icebreaker")
    with pytest.raises(FitError, match=r"unknown board 'icebreker'; known are icebreaker, hx8k, .*, ecpix5-85f"):
        flash(tmp_path / "nothing.bin", "icebreker")
