"""Data sets: what is read, and one sentence for each way a folder can be wrong."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from npde.data import IDX_FILES, load_data
from npde.errors import DataError


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"train_x": rng.integers(0, 256, (7, 4, 5)), "train_y": np.arange(7) % 3, "test_x": rng.integers(0, 256, (3, 4, 5)), "test_y": np.arange(3)}
    for part, array in arrays.items():
        (tmp_path / IDX_FILES[part]).write_bytes(idx(array))
    return tmp_path, arrays


def test_digits_are_stratified_and_disjoint():
    data = load_data("digits")
    assert data.sample_shape == (8, 8, 1)
    assert len(data.train_x) + len(data.test_x) == 1797
    assert np.bincount(data.test_y).min() >= 43


@pytest.mark.parametrize("zipped", [False, True])
def test_an_idx_folder_is_read_gzip_or_not(folder, zipped):
    path, arrays = folder
    if zipped:
        for name in IDX_FILES.values():
            (path / f"{name}.gz").write_bytes(gzip.compress((path / name).read_bytes()))
            (path / name).unlink()
    data = load_data(path)
    assert np.array_equal(data.train_x, arrays["train_x"])
    assert np.array_equal(data.test_y, arrays["test_y"])
    assert (data.classes, data.sample_shape) == (3, (4, 5, 1))


def test_what_is_wrong_with_a_folder_is_said(folder):
    path, _ = folder
    images = path / IDX_FILES["test_x"]
    whole = images.read_bytes()
    images.write_bytes(whole[:-4])
    with pytest.raises(DataError, match="is truncated: 60 bytes of data expected, 56 found"):
        load_data(path)
    images.write_bytes(whole[:6])
    with pytest.raises(DataError, match="its header takes 16 bytes, 6 found"):
        load_data(path)
    images.write_bytes(b"\x00\x00\x0d\x03" + whole[4:])
    with pytest.raises(DataError, match="magic 0x00000d03"):
        load_data(path)
    images.unlink()
    with pytest.raises(DataError, match="has neither t10k-images-idx3-ubyte nor"):
        load_data(path)
    with pytest.raises(DataError, match="no data set at"):
        load_data(path / "nowhere")


def test_an_npz_is_read_without_pickles(tmp_path):
    path = tmp_path / "set.npz"
    x, y = np.linspace(-1, 1, 32, dtype=np.float32).reshape(4, 2, 4), np.array([0, 1, 0, 1])
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    assert load_data(path).raw_range == (-1.0, 1.0)
    np.savez(path, x_train=x, y_train=y, x_test=x)
    with pytest.raises(DataError, match="lacks y_test"):
        load_data(path)
    np.savez(path, x_train=np.array([{}], dtype=object), y_train=y, x_test=x, y_test=y)
    with pytest.raises(DataError, match="cannot be read"):
        load_data(path)
    x[0, 0, 0] = np.nan
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(DataError, match=r"1 value\(s\) that are NaN"):
        load_data(path)
