"""Model files damaged and forged at random: a model as it was, or one sentence; nothing executed, memory bounded by the file."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import tracemalloc

import numpy as np
import pytest

from npde import tensorfile
from npde.errors import ProgramError
from npde.model import FORMAT, Model, Preprocess, Weights
from npde.models import load_model
from npde.program import CROSS, Clip, Dense, Grid, Pool, Program, Q, Stencil

MOST_MEMORY, MOST_OF_FILE = 32 << 20, 8
"""What loading a file may take at its peak: so many bytes, and so many times the file's."""
COUNTS = pytest.mark.parametrize("count", [400, pytest.param(int(os.environ.get("NPDE_EXAMPLES", "20000")), marks=pytest.mark.slow)])
EXTREMES = [
    0, -1, 1, 2, 255, 256, 65535, 65536, 2**31, 2**63, -(2**63), 10**12, 10**30, 1e308, -0.5, True, None, "", "x" * 3000, [], {}, [[]], [0] * 50,
    "__import__('os').mkdir('executed')", "\u202e\x00\n", {"type": "pool"},
]  # fmt: skip


def models() -> dict[str, Model]:
    """Every kind of step in as few bytes as there can be."""
    program = Program(name="small", input=Grid(4, 4, 1, Q(8, 7)), argmax=True, steps=(
        Stencil(out_channels=2, taps=CROSS, weight=Q(6, 5), bias=Q(12, 8), out=Q(8, 7), phi=Clip(-127, 127)),
        Stencil(out_channels=2, taps=CROSS, weight=Q(6, 5), bias=Q(12, 8), out=Q(8, 7), repeat=3),
        Pool(kind="sum", size=2, out=Q(8, 6)),
        Dense(out_channels=3, weight=Q(5, 3), bias=Q(8, 4), out=Q(12, 4)),
    ))  # fmt: skip
    weights = {
        index: Weights(**{part: np.ones(shape, np.int64) for part, (shape, _) in parts.items()}) for index, parts in program.tensors().items()
    }
    return {"stencils": Model(program, weights, Preprocess(1 / 128)), "schroedinger": load_model("schroedinger"), "rnn": load_model("rnn")}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    found = {}
    for name, model in models().items():
        model.save(place / name)
        found[name] = (model, (place / name).read_bytes())
    return found


def loaded(path) -> Model | None:
    """The model in the file, or None where it is refused."""
    tracemalloc.start()
    try:
        return Model.load(path)
    except ProgramError as error:
        assert str(error) and "\n" not in str(error), repr(str(error))  # noqa: PT017, PT018
        return None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < MOST_MEMORY + MOST_OF_FILE * path.stat().st_size, f"{peak} bytes for a file of {path.stat().st_size}"


def same(one: Model, other: Model) -> bool:
    return one.content_hash == other.content_hash and one.preprocess == other.preprocess and one.notes == other.notes


def damaged(dice: random.Random, content: bytes) -> bytes:
    other = bytearray(content)
    for _ in range(dice.choice([1, 1, 2, 5])):
        if not other:
            break
        at, length = dice.randrange(len(other)), dice.choice([1, 4, 40])
        match dice.choice(["bit", "bytes", "lose", "double", "cut", "swap"]):
            case "bit":
                other[at] ^= 1 << dice.randrange(8)
            case "bytes":
                other[at : at + length] = dice.randbytes(length)
            case "lose":
                del other[at : at + length]
            case "double":
                other[at:at] = other[at : at + length]
            case "cut":
                del other[max(1, at) :]
            case "swap":
                to = dice.randrange(len(other))
                other[at : at + length], other[to : to + length] = other[to : to + length], other[at : at + length]
    return bytes(other)


@COUNTS
def test_damage_is_noticed(files, tmp_path, monkeypatch, counted, count):
    """``count`` files; what loads in spite of it is the very model that was saved."""
    monkeypatch.chdir(tmp_path)
    dice, refused = random.Random(1), 0
    for number in range(count):
        model, content = files[dice.choice(list(files))]
        other = damaged(dice, content)
        (tmp_path / "m").write_bytes(other)
        found = loaded(tmp_path / "m")
        refused += found is None
        assert found is None or same(found, model), f"file {number} holds another model than was saved"
    counted(f"model files: {count:,} damaged, {refused:,} refused, {count - refused:,} unharmed by it")
    assert refused > 0.9 * count
    assert os.listdir(tmp_path) == ["m"], "something was executed"


def forged(dice: random.Random, value, depth: int = 0):
    """JSON with a number, a text or a whole branch replaced, left out or doubled."""
    if isinstance(value, dict) and value and dice.random() < 0.93:
        key = dice.choice(list(value))
        if depth and dice.random() < 0.04:
            return {other: held for other, held in value.items() if other != key}
        return {**value, key: forged(dice, value[key], depth + 1)}
    if isinstance(value, list) and value and dice.random() < 0.9:
        place = dice.randrange(len(value))
        if dice.random() < 0.1:
            return value * dice.choice([2, 300])
        return [*value[:place], forged(dice, value[place], depth + 1), *value[place + 1 :]]
    return value + dice.choice([-1, 1, 7]) if isinstance(value, int) and dice.random() < 0.3 else dice.choice(EXTREMES)


@COUNTS
def test_a_forged_header_gives_a_sound_model_or_a_sentence(files, tmp_path, monkeypatch, counted, count):
    """``count`` files whose checksum is right, their texts by one who means harm."""
    monkeypatch.chdir(tmp_path)
    dice, refused = random.Random(2), 0
    for _ in range(count):
        model, _content = files[dice.choice(list(files))]
        model.save(tmp_path / "m")
        header, tensors = tensorfile.read(tmp_path / "m", FORMAT, "model file")
        key = dice.choice(["program"] * 6 + ["preprocess", "notes", "hash", "format"])
        if key in ("hash", "format"):
            header[key] = str(dice.choice(EXTREMES))
        else:
            text = json.loads(header[key])
            for _ in range(dice.choice([1, 1, 2, 4])):
                text = forged(dice, text)
            header[key] = json.dumps(text)
        if dice.random() < 0.2:
            name = dice.choice(list(tensors))
            tensors[name] = dice.choice([tensors[name][..., :1], tensors[name] * 1000, tensors[name].astype(np.float32), np.zeros(0, np.int32)])
        tensorfile.write(tmp_path / "m", header, tensors)
        found = loaded(tmp_path / "m")
        refused += found is None
        if found is not None:
            assert found.program.grids(), "a model that loaded is whole"
            dataclasses.replace(found)  # every check once more, on what is held
    counted(f"model files: {count:,} forged, {refused:,} refused, {count - refused:,} loaded whole")
    assert 0 < refused < count
    assert os.listdir(tmp_path) == ["m"], "something was executed"


HOSTILE = {
    "coefficients without end": ("schroedinger", {"coefficients": 10**12}),
    "time steps without end": ("schroedinger", {"times": 10**12}),
    "repeats without end": ("stencils", {"repeat": 10**12}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_numbers_that_would_fill_the_memory_are_refused(files, tmp_path, name):
    which, changes = HOSTILE[name]
    model, _ = files[which]
    model.save(tmp_path / "m")
    header, tensors = tensorfile.read(tmp_path / "m", FORMAT, "model file")
    program = json.loads(header["program"])
    for step in program["steps"]:
        step.update({key: value for key, value in changes.items() if key in step})
    tensorfile.write(tmp_path / "m", {**header, "program": json.dumps(program)}, tensors)
    assert loaded(tmp_path / "m") is None


def test_a_program_of_more_steps_than_a_board_can_name_is_refused():
    pool = Pool(kind="max", size=1, out=Q(8, 7))
    with pytest.raises(ProgramError, match="has 257 steps; 256 is the most"):
        Program(name="long", input=Grid(4, 4, 1, Q(8, 7)), steps=(pool,) * 257)


def test_stability_of_very_many_channels_is_not_judged_for_hours():
    """Eigenvalues of a matrix as large as a file may hold would take that long."""
    grid, channels = Grid(4, 4, 400, Q(8, 7)), 400
    step = Stencil(out_channels=channels, taps=((0, 0),), weight=Q(8, 3), bias=Q(8, 4), out=grid.q, repeat=2)
    program = Program(name="wide", input=grid, steps=(step,))
    weights = {0: Weights(np.ones((channels, channels, 1), np.int64), np.zeros(channels, np.int64))}
    with pytest.raises(ProgramError, match="of 400 channels; 256 is the most that is judged"):
        Model(program, weights)
    assert Model(program, weights, force=True).force
