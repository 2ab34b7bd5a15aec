"""Data sets as raw arrays: scikit-learn's 8×8 digits, synthetic oscillations, a folder of IDX files, or an .npz archive."""

from __future__ import annotations

import os
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npde.archive import inflated, read_npz
from npde.errors import DataError, one_line

IDX_FILES = {
    "train_x": "train-images-idx3-ubyte",
    "train_y": "train-labels-idx1-ubyte",
    "test_x": "t10k-images-idx3-ubyte",
    "test_y": "t10k-labels-idx1-ubyte",
}
IDX_UBYTE = 8
NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")
MOST_CLASSES = 65535
LARGEST_IDX = 1 << 31


@dataclass(frozen=True)
class Dataset:
    """Raw samples and their labels.

    ``train_x`` and ``test_x`` are (n, height, width) or (n, height, width, channels), uint8 or
    float32, exactly as the source holds them; ``train_y`` and ``test_y`` are (n,) int64 in
    ``range(classes)``. ``raw_range`` is the half-open interval of raw values: what a
    :class:`npde.model.Preprocess` maps onto [-1, 1). Raises :class:`DataError` when samples and
    labels do not fit together, a value is not finite, or a label lies outside the classes.
    """

    name: str
    train_x: NDArray[Any]
    train_y: NDArray[np.int64]
    test_x: NDArray[Any]
    test_y: NDArray[np.int64]
    classes: int
    raw_range: tuple[float, float]

    def __post_init__(self) -> None:
        for part, x, y in (("training", self.train_x, self.train_y), ("test", self.test_x, self.test_y)):
            _check_part(f"{self.name}: {part}", x, y, self.classes)
        if self.train_x.shape[1:] != self.test_x.shape[1:]:
            raise DataError(
                f"{self.name}: training samples have shape {self.train_x.shape[1:]}, "
                f"test samples {self.test_x.shape[1:]}"
            )

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)`` of one sample."""
        shape = self.train_x.shape[1:]
        return (shape[0], shape[1], shape[2] if len(shape) == 3 else 1)


def load_data(source: str | os.PathLike[str]) -> Dataset:
    """The data set named ``digits`` or ``oscillations``, in a folder of four IDX files (gzip or not), or in an ``.npz``.

    ``digits@16x16`` are the digits interpolated to a grid of that height and width, for fields that need finer cells.

    An ``.npz`` has the keys ``x_train``, ``y_train``, ``x_test``, ``y_test`` and is read without
    pickles. Raises :class:`DataError`, one sentence saying what is wrong where.
    """
    if source == "digits":
        return _digits()
    if source == "oscillations":
        from npde.oscillations import oscillations

        return oscillations()
    if isinstance(source, str) and (finer := re.fullmatch(r"digits@(\d{1,3})x(\d{1,3})", source)):
        return _interpolated(_digits(), int(finer[1]), int(finer[2]))
    path = Path(source)
    if os.path.isdir(path):  # Path.is_dir raises for a name that is too long
        return _idx_folder(path)
    if os.path.isfile(path) and path.suffix == ".npz":
        return _npz(path)
    if os.path.isfile(path):
        raise DataError(f"{path} is no data set: give the word digits, a folder of IDX files or an .npz file")
    raise DataError(f"no data set at {path}: give the word digits, a folder of IDX files or an .npz file")


def _digits() -> Dataset:
    """Every fourth sample of each class is a test sample: stratified, and the same on every machine."""
    from sklearn.datasets import load_digits

    bundle = load_digits()
    x, y = bundle.images.astype(np.uint8), bundle.target.astype(np.int64)
    test = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        test[np.flatnonzero(y == label)[3::4]] = True
    return Dataset("digits", x[~test], y[~test], x[test], y[test], 10, (0.0, 16.0))


def _interpolated(data: Dataset, height: int, width: int) -> Dataset:
    """Images of bytes interpolated linearly to ``height × width`` cells, cell centres to cell centres, in bytes again."""
    if not 1 <= height <= 256 or not 1 <= width <= 256:
        raise DataError(f"{data.name} are interpolated to 1 to 256 cells a side, not {height}×{width}")
    rows, cols = (_linear(old, new) for old, new in zip(data.train_x.shape[1:], (height, width), strict=True))
    finer = [
        np.clip(np.rint(rows @ (x * 255.0 / data.raw_range[1]) @ cols.T), 0, 255).astype(np.uint8)
        for x in (data.train_x, data.test_x)
    ]
    name = f"{data.name}@{height}x{width}"
    return Dataset(name, finer[0], data.train_y, finer[1], data.test_y, data.classes, (0.0, 256.0))


def _linear(old: int, new: int) -> NDArray[np.float64]:
    """The (new, old) matrix of linear interpolation; beyond the outer centres the outer values stay."""
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(old)))


def _idx_folder(folder: Path) -> Dataset:
    parts: dict[str, NDArray[np.uint8]] = {}
    for part, name in IDX_FILES.items():
        candidates = [folder / f"{name}.gz", folder / name, folder / name.replace("-idx", ".idx")]
        found = next((path for path in candidates if path.is_file()), None)
        if found is None:
            raise DataError(f"{folder} has neither {name} nor {name}.gz")
        parts[part] = _read_idx(found, dimensions=3 if part.endswith("_x") else 1)
    labels = {part: parts[part].astype(np.int64) for part in ("train_y", "test_y")}
    if labels["train_y"].size == 0:
        raise DataError(f"{folder} holds no training samples")
    classes = int(labels["train_y"].max()) + 1
    return Dataset(
        folder.name, parts["train_x"], labels["train_y"], parts["test_x"], labels["test_y"], classes, (0.0, 256.0)
    )


def _read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """An IDX file of unsigned bytes: two zero bytes, type 8, the number of dimensions, big-endian sizes, data."""
    try:
        if path.stat().st_size > LARGEST_IDX:
            raise DataError(f"{path} is larger than the {LARGEST_IDX >> 30} GiB an IDX file may have")
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = inflated(content, LARGEST_IDX)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {one_line(error)}") from error
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise DataError(f"{path} is truncated: its header takes {header} bytes, {len(content)} found")
    magic = int.from_bytes(content[:4], "big")
    expected = IDX_UBYTE << 8 | dimensions
    if magic != expected:
        raise DataError(f"{path} has magic 0x{magic:08x}, not 0x{expected:08x} ({dimensions}-dimensional bytes)")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    size = int(np.prod([int(n) for n in shape], dtype=object))
    if size > LARGEST_IDX:
        raise DataError(f"{path} claims {size} bytes of data; {LARGEST_IDX} is the most")
    if len(content) - header != size:
        problem = "is truncated" if len(content) - header < size else "is too long"
        raise DataError(f"{path} {problem}: {size} bytes of data expected, {len(content) - header} found")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _npz(path: Path) -> Dataset:
    try:
        arrays = read_npz(path, NPZ_KEYS)
    except ValueError as error:
        raise DataError(f"{path} cannot be read: {one_line(error)}") from error
    if missing := [key for key in NPZ_KEYS if key not in arrays]:
        raise DataError(f"{path} lacks {', '.join(missing)}; an .npz data set has {', '.join(NPZ_KEYS)}")
    x_train, y_train, x_test, y_test = (arrays[key] for key in NPZ_KEYS)
    train_y, test_y = (_npz_labels(path, key, y) for key, y in (("y_train", y_train), ("y_test", y_test)))
    train_x, test_x = (_npz_samples(path, key, x) for key, x in (("x_train", x_train), ("x_test", x_test)))
    if train_y.size == 0 or train_x.size == 0:
        raise DataError(f"{path} holds no training samples")
    if train_x.dtype == np.uint8:
        raw_range = (0.0, 256.0)
    elif np.isfinite(train_x).all() and train_x.min() < train_x.max():
        raw_range = (float(train_x.min()), float(train_x.max()))
    else:
        raw_range = (0.0, 1.0)
    return Dataset(path.stem, train_x, train_y, test_x, test_y, int(train_y.max()) + 1, raw_range)


def _npz_samples(path: Path, key: str, x: NDArray[Any]) -> NDArray[Any]:
    if not np.issubdtype(x.dtype, np.number) or np.issubdtype(x.dtype, np.complexfloating):
        raise DataError(f"{path}: {key} holds {x.dtype}, not real numbers")
    return x if x.dtype == np.uint8 else x.astype(np.float32)


def _npz_labels(path: Path, key: str, y: NDArray[Any]) -> NDArray[np.int64]:
    if not np.issubdtype(y.dtype, np.integer):
        raise DataError(f"{path}: {key} holds {y.dtype}, not integer labels")
    return y.astype(np.int64)


def _check_part(where: str, x: NDArray[Any], y: NDArray[np.int64], classes: int) -> None:
    if x.ndim not in (3, 4) or 0 in x.shape[1:]:
        raise DataError(f"{where} samples have shape {x.shape}, not (n, height, width) or (n, height, width, channels)")
    if y.ndim != 1:
        raise DataError(f"{where} labels have shape {y.shape}, not (n,)")
    if len(x) != len(y):
        raise DataError(f"{where} has {len(x)} samples but {len(y)} labels")
    if not len(x):
        raise DataError(f"{where} is empty")
    if not 2 <= classes <= MOST_CLASSES:
        raise DataError(f"{where} has {classes} classes; 2 to {MOST_CLASSES} are needed")
    if y.min() < 0 or y.max() >= classes:
        raise DataError(f"{where} labels span [{y.min()}, {y.max()}] and leave the classes 0 to {classes - 1}")
    if not np.isfinite(x).all():
        raise DataError(f"{where} samples hold {np.count_nonzero(~np.isfinite(x))} value(s) that are NaN or infinite")
