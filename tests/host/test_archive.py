"""Archives and arrays that lie about themselves: one sentence, nothing executed, no memory beyond what their bytes can stand for."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import random
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from npde.archive import read_npy, read_npz
from npde.data import load_data
from npde.errors import DataError

MOST_MEMORY = 64 << 20


def npy(array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def claiming(shape: str, dtype: str = "|u1", data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def npz(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def sizes_forged(archive: bytes, size: int) -> bytes:
    """The one member's uncompressed size replaced, in its local header and in the directory."""
    forged = bytearray(archive)
    for mark, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = forged.index(mark)
        forged[at + offset : at + offset + 4] = struct.pack("<I", size)
    return bytes(forged)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("executed",)


GOOD = npz({"a.npy": npy(np.arange(6))})
HOSTILE = {
    "no archive": (b"PK" + bytes(90), "not a zip file"),
    "a header of a terabyte": (npz({"a.npy": claiming("(1099511627776,)")}), "1099511627776 bytes; 2147483648 is the most"),
    "a header of a gigabyte": (npz({"a.npy": claiming("(1073741824,)")}), "1073741824 bytes where there are 0"),
    "shapes whose product overflows": (npz({"a.npy": claiming("(4294967296, 4294967296, 3)")}), "is the most"),
    "a negative shape": (npz({"a.npy": claiming("(-4,)", data=b"abcd")}), "-4 bytes where there are 4"),
    "a size in the directory that is not there": (sizes_forged(GOOD, 1 << 31), "more than its .* can stand for"),
    "too few bytes behind the header": (npz({"a.npy": npy(np.arange(6))[:-3]}), "48 bytes where there are 45"),
    "a pickle": (npz({"a.npy": pickle.dumps(Bomb())}), "magic string is not correct"),
    "an object array": (npz({"a.npy": claiming("(1,)", "|O", pickle.dumps(Bomb()))}), "Python objects, which would be executed"),
    "code in the header": (npz({"a.npy": claiming("(__import__('os').mkdir('executed'),)")}), "its header describes no array"),
    "another version": (npz({"a.npy": claiming("(1,)", data=b"a", version=b"\3\0")}), "format version 3.0"),
    "another compression": (npz({"a.npy": npy(np.arange(6))}, zipfile.ZIP_LZMA), "by method 14, neither stored nor deflated"),
    "a nested header": (npz({"a.npy": claiming("(" * 3000 + ")" * 3000)}), "its header describes no array"),
}


def refused(path, reads, says: str) -> None:
    tracemalloc.start()
    with pytest.raises((ValueError, DataError), match=says) as caught:
        reads(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert peak < MOST_MEMORY


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_in_one_sentence(tmp_path, monkeypatch, name):
    content, says = HOSTILE[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.npz").write_bytes(content)
    refused(tmp_path / "x.npz", read_npz, says)
    refused(tmp_path / "x.npz", load_data, "cannot be read|lacks x_train")
    assert os.listdir(tmp_path) == ["x.npz"], "something was executed"


@pytest.mark.parametrize(("content", "says"), [
    (claiming("(1099511627776,)"), "is the most"), (claiming("(9,)", data=b"abc"), "9 bytes where there are 3"), (b"", "magic"),
    (claiming("(1,)", "|O", pickle.dumps(Bomb())), "Python objects"),
])  # fmt: skip
def test_a_hostile_array_is_refused_in_one_sentence(tmp_path, content, says):
    (tmp_path / "x.npy").write_bytes(content)
    refused(tmp_path / "x.npy", read_npy, says)


def test_what_is_sound_is_read(tmp_path):
    arrays = {"a": np.arange(6).reshape(2, 3), "b": np.zeros(0, np.float32), "c": np.array("text"), "d": np.asfortranarray(np.eye(3))}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **arrays)
        read = read_npz(tmp_path / "x.npz")
        assert list(read) == list(arrays)
        assert all(np.array_equal(read[key], array) and read[key].dtype == array.dtype for key, array in arrays.items())
    np.save(tmp_path / "y.npy", arrays["d"])
    assert np.array_equal(read_npy(tmp_path / "y.npy"), arrays["d"])
    assert list(read_npz(tmp_path / "x.npz", ["b", "none"])) == ["b"]


def test_a_gzip_bomb_is_not_inflated_beyond_what_an_idx_file_may_have(tmp_path, monkeypatch):
    monkeypatch.setattr("npde.data.LARGEST_IDX", 1 << 20)
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(b"\0\0\x08\x03" + struct.pack(">III", 60000, 28, 28) + bytes(20 << 20)))
    refused(tmp_path, load_data, "claims 47040000 bytes of data; 1048576 is the most")


def damaged(dice: random.Random) -> bytes:
    other = bytearray(GOOD)
    for _ in range(dice.choice([0, 1, 1, 2, 4])):
        other[dice.randrange(len(other))] = dice.randrange(256)
    return bytes(other[: dice.randrange(len(other))] if dice.random() < 0.2 else other)


@pytest.mark.parametrize("count", [500, pytest.param(int(os.environ.get("NPDE_EXAMPLES", "20000")), marks=pytest.mark.slow)])
def test_a_damaged_archive_is_read_as_it_was_or_refused(tmp_path, counted, count):
    dice, refused = random.Random(3), 0
    for _ in range(count):
        (tmp_path / "x.npz").write_bytes(damaged(dice))
        try:
            read = read_npz(tmp_path / "x.npz")
        except ValueError as error:
            assert "\n" not in str(error)  # noqa: PT017
            refused += 1
            continue
        # A name may be another; a checksum guards what the array holds, not how its header reads the bytes.
        assert all(array.nbytes == 48 for array in read.values())
    counted(f".npz archives: {count:,} damaged, {refused:,} refused, {count - refused:,} read")
    assert 0 < refused < count
