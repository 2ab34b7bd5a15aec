"""Files of arrays: whole or not at all, read without executing anything, and any damage noticed."""

from __future__ import annotations

import json
import os
import pickle
import resource
import struct

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npde import tensorfile
from npde.errors import FileError, ProgramError

HEADER = {"format": "test-1", "text": "zwölf"}
TENSORS = {"a": np.arange(6, dtype=np.int32).reshape(2, 3), "b": np.zeros(2, np.float32)}
same_folder = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(path):
    return tensorfile.read(path, "test-1", "test file")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "x"
    tensorfile.write(path, HEADER, TENSORS)
    return path


def test_what_was_written_is_read(file):
    header, tensors = read(file)
    assert header == HEADER
    assert {name: (t.dtype, t.tolist()) for name, t in tensors.items()} == {name: (t.dtype, t.tolist()) for name, t in TENSORS.items()}
    assert os.listdir(file.parent) == ["x"]


@same_folder
@given(st.data())
def test_every_flipped_bit_is_noticed(file, data):
    whole = file.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(damaged)
    with pytest.raises(ProgramError) as caught:
        read(file)
    file.write_bytes(whole)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@same_folder
@given(st.data())
def test_a_file_cut_short_or_lengthened_is_refused(file, data):
    whole = file.read_bytes()
    other = data.draw(st.one_of(st.integers(0, len(whole) - 1).map(lambda n: whole[:n]), st.binary(min_size=1, max_size=9).map(lambda b: whole + b)))
    file.write_bytes(other)
    with pytest.raises(ProgramError, match="is not a readable test file"):
        read(file)
    file.write_bytes(whole)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def hand_made(dtype: str, size: int, **header) -> bytes:
    text = json.dumps({"__metadata__": {"format": "test-1", **header}, "a": {"dtype": dtype, "shape": [4], "data_offsets": [0, 4 * size]}}).encode()
    return struct.pack("<Q", len(text)) + text + bytes(4 * size)


@pytest.mark.parametrize(("content", "says"), [
    (b"", "is not a readable test file"),
    (pickle.dumps(Bomb()), "is not a readable test file"),
    (struct.pack("<Q", 1 << 62) + b"{}", "is not a readable test file"),
    (struct.pack("<Q", 8000) + b"[" * 8000, "is not a readable test file"),
    (hand_made("BF16", 2), "is (not a readable test file|damaged)"),  # numpy knows it where jax is installed
    (hand_made("F8_E4M3", 1), "is not a readable test file"),
    (hand_made("F32", 4), "is damaged: its content does not have the checksum it states"),
    (hand_made("F32", 4, checksum="0" * 64), "is damaged: its content does not have the checksum"),
    (hand_made("F32", 4, format="other-1"), "is not an test-1 file"),
    (safetensors.numpy.save(TENSORS), "is not an test-1 file"),
])  # fmt: skip
def test_a_hostile_file_is_refused_in_one_sentence_and_nothing_of_it_is_executed(tmp_path, monkeypatch, content, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ProgramError, match=says) as caught:
        read(tmp_path / "x")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["x"]


def test_a_folder_a_missing_and_a_huge_file_are_refused(tmp_path):
    with pytest.raises(ProgramError, match="no test file at"):
        read(tmp_path)
    with pytest.raises(ProgramError, match=r"no test file at .*nowhere"):
        read(tmp_path / "nowhere")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(tensorfile.LARGEST_FILE + 1)
    with pytest.raises(ProgramError, match="is larger than the 256 MiB a test file may have"):
        read(tmp_path / "huge")


def test_a_full_disk_leaves_no_partial_file_and_keeps_the_old_one(file):
    before = file.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(FileError, match=r"x cannot be written: File too large$"):
            tensorfile.write(file, HEADER, {"a": np.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(file.parent) == ["x"]
    assert file.read_bytes() == before


def test_a_place_that_cannot_be_written_is_one_sentence(file):
    for target in (file / "below-a-file", file.parent / "no" / "folder", file.parent):
        with pytest.raises(FileError, match="cannot be written: ") as caught:
            tensorfile.write(target, HEADER, TENSORS)
        assert str(target) in str(caught.value)
    assert os.listdir(file.parent) == ["x"]
    assert [name for name in os.listdir(file.parent.parent) if name.endswith(".partial")] == []


def test_an_interrupt_while_writing_leaves_nothing(file, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(safetensors.numpy, "save", interrupted)
    before = file.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        tensorfile.write(file, HEADER, TENSORS)
    assert os.listdir(file.parent) == ["x"]
    assert file.read_bytes() == before
