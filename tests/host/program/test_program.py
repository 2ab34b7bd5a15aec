"""The program as a whole: the chain of grids, its JSON, its hash, and what hostile JSON may not do."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npde.errors import ProgramError
from npde.program import CROSS, MOORE, Clip, Dense, Grid, Identity, Pool, Program, Q, Relu, Stencil, Table

F = Q(8, 7)


def program(**changes) -> Program:
    return Program(**{
        "name": "example", "input": Grid(6, 6, 2, F), "argmax": True,
        "steps": (
            Stencil(out_channels=4, taps=MOORE, weight=Q(8, 6), bias=Q(16, 10), out=F, phi=Clip(-127, 127), stride=2),
            Stencil(out_channels=4, taps=CROSS, weight=Q(6, 5), bias=Q(16, 10), out=F, phi=Relu(), skip=True, repeat=3),
            Stencil(out_channels=4, taps=((0, 0),), weight=Q(6, 5), bias=Q(16, 10), out=F, phi=Table(Q(2, 1), (-9, 1, 2, 3))),
            Pool(kind="sum", size=3, out=Q(8, 3)),
            Dense(out_channels=5, weight=Q(4, 2), bias=Q(12, 4), out=Q(16, 5)),
        ), **changes,
    })  # fmt: skip


def changed(step: int, **changes) -> Program:
    steps = list(program().steps)
    steps[step] = msgspec.structs.replace(steps[step], **changes)
    return program(steps=tuple(steps))


def test_the_grids_follow_from_step_to_step():
    assert [grid.shape for grid in program().grids()] == [(6, 6, 2), (3, 3, 4), (3, 3, 4), (3, 3, 4), (1, 1, 4), (1, 1, 5)]
    assert program().kernel_shapes() == {0: (4, 2, 9), 1: (4, 4, 5), 2: (4, 4, 1), 4: (5, 4, 1)}
    assert program().weight_count == 72 + 80 + 16 + 20
    assert program().macs == 9 * 72 + 3 * 9 * 80 + 9 * 16 + 20


def test_a_program_survives_its_json():
    for subject in (program(), program(argmax=False), changed(0, phi=Identity()), changed(3, kind="max")):
        assert Program.decode(subject.encode()) == subject
        assert Program.decode(subject.encode().decode()).shape_hash == subject.shape_hash


CHANGES = [
    program(argmax=False), program(input=Grid(5, 6, 2, F)), program(input=Grid(6, 6, 2, Q(9, 7))),
    changed(0, taps=MOORE[::-1]), changed(0, weight=Q(8, 5)), changed(0, bias=Q(16, 9)), changed(1, taps=MOORE),
    changed(0, phi=Clip(-126, 127)), changed(0, phi=Identity()), changed(0, boundary="periodic"),
    changed(1, skip=False), changed(1, repeat=2), changed(2, phi=Table(Q(2, 1), (-9, 1, 2, 4))), changed(2, phi=Table(Q(2, 0), (-9, 1, 2, 3))),
    changed(3, kind="max"), changed(3, size=2), changed(3, out=Q(7, 3)), changed(4, out_channels=6), changed(4, out=Q(15, 5)),
    program(steps=program().steps[:3] + program().steps[4:]),
]  # fmt: skip


def test_the_shape_hash_depends_on_everything_but_the_name():
    assert program(name="other").shape_hash == program().shape_hash
    assert len(program().shape_hash) == 16
    first = program(steps=program().steps[:1], argmax=False)
    finer = program(steps=(msgspec.structs.replace(first.steps[0], stride=1),), argmax=False)
    assert first.shape_hash != finer.shape_hash
    assert len({subject.shape_hash for subject in (program(), *CHANGES)}) == len(CHANGES) + 1


@pytest.mark.parametrize(("changes", "says"), [
    ({"steps": ()}, "program 'example' has no steps"),
    ({"steps": program().steps[:1]}, "argmax needs a 1×1 grid, but the last step leaves 3×3×4"),
    ({"steps": (Stencil(out_channels=1, taps=((7, 0),), weight=F, bias=F, out=F),)}, r"step 0 \(stencil\): tap \(7, 0\)"),
    ({"steps": (*program().steps[:3], Pool(kind="sum", size=4, out=Q(8, 3)))}, r"step 3 \(pool\): tiles of 4 cells on a 3×3"),
])  # fmt: skip
def test_a_chain_that_does_not_fit_is_refused_with_the_step_s_place_and_kind(changes, says):
    with pytest.raises(ProgramError, match=says) as caught:
        program(**changes)
    assert "\n" not in str(caught.value)


def paths(node, at=()):
    """Every place in a JSON tree."""
    yield at
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from paths(value, (*at, key))


TREE = json.loads(program().encode())
hostile = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**40), 10**40), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=4), st.just([]), st.just({}), st.just([[0, 0]] * 3), st.just({"type": "eval", "code": "1"}),
)  # fmt: skip


@given(st.sampled_from([place for place in paths(TREE) if place]), hostile)
def test_a_program_with_anything_put_anywhere_is_refused_or_is_a_sound_program(place, poison):
    tree = json.loads(program().encode())
    node = tree
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = poison
    read, complaint = None, ""
    try:
        read = Program.decode(json.dumps(tree))
    except ProgramError as error:
        complaint = str(error)
    if read is None:
        assert complaint.startswith("not a stencil-update program: ")
        assert "\n" not in complaint
    else:
        assert Program.decode(read.encode()) == read
        assert len(read.grids()) == len(read.steps) + 1


@given(st.integers(0, len(program().encode()) - 1), st.integers(0, 255))
def test_a_program_with_a_byte_changed_or_cut_off_is_refused_or_differs_in_hash(place, byte):
    whole = program().encode()
    with pytest.raises(ProgramError, match="not a stencil-update program"):
        Program.decode(whole[:place])
    damaged = whole[:place] + bytes([byte]) + whole[place + 1 :]
    try:
        read = Program.decode(damaged)
    except ProgramError:
        return
    assert read == program() or read.shape_hash != program().shape_hash or read.name != program().name


@pytest.mark.parametrize("text", [
    b"", b"null", b"[]", b"{}", b"\xff\xfe", "\ud800", "[" * 100_000, '{"name":' * 5_000, b"__import__('os').system('false')",
    '{"name":"x","input":{"height":1,"width":1,"channels":1,"q":{"width":8,"frac":7}},"steps":[],"__class__":"os"}',
    '{"name":"x","input":{"height":1e400,"width":1,"channels":1,"q":{"width":8,"frac":7}},"steps":[]}',
    '{"name":"x","input":{"height":' + "9" * 5000 + ',"width":1,"channels":1,"q":{"width":8,"frac":7}},"steps":[]}',
])  # fmt: skip
def test_what_is_no_program_is_refused_in_one_sentence(text):
    with pytest.raises(ProgramError, match="not a stencil-update program") as caught:
        Program.decode(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
