"""What an evolution may be: every refusal has its sentence, and the widths are those of the docstrings."""

from __future__ import annotations

import msgspec
import pytest

from npde.errors import ProgramError
from npde.fixed import Q
from npde.program import Evolve, Form, Grid, Product, Program, Term, Update

GRID = Grid(4, 5, 2, Q(16, 14))
NEIGHBOURS = ((-1, 0), (0, -1), (0, 1), (1, 0))
SUM = Form(channel=0, taps=NEIGHBOURS, weights=(1, 1, 1, 1))
HERE = Form(channel=1, taps=((0, 0),), weights=(1,))
UPDATE = Update(
    forms=(SUM, HERE), products=(Product(left=1, right=1, out=Q(18, 16)),),
    terms=(Term(channel=0, coefficient=0, value=0), Term(channel=0, coefficient=1, value=2)), biased=(0,),
)  # fmt: skip
EVOLVE = Evolve(body=(UPDATE,), times=3, coefficients=2, weight=Q(18, 16), bias=Q(32, 30))


def check(evolve: Evolve, grid: Grid = GRID) -> None:
    Program(name="probe", input=grid, steps=(evolve,))


def changed(**changes) -> Evolve:
    """``EVOLVE`` with changes to its update, its first form, product or term (``form_…``), or itself (``own_…``)."""
    update, own = {}, {}
    for key, value in changes.items():
        what, _, name = key.partition("_")
        if what == "own":
            own[name] = value
        elif what == "form":
            update["forms"] = (msgspec.structs.replace(SUM, **{name: value}), HERE)
        elif what == "product":
            update["products"] = (msgspec.structs.replace(UPDATE.products[0], **{name: value}),)
        elif what == "term":
            update["terms"] = (msgspec.structs.replace(UPDATE.terms[0], **{name: value}), UPDATE.terms[1])
        else:
            update[key] = value
    own.setdefault("body", (msgspec.structs.replace(UPDATE, **update),))
    return msgspec.structs.replace(EVOLVE, **own)


def test_the_probe_itself_is_fine_and_survives_its_json():
    check(EVOLVE)
    program = Program(name="probe", input=GRID, steps=(EVOLVE,))
    assert Program.decode(program.encode()) == program
    assert program.output == GRID
    assert program.tensors()[0] == {"kernel": ((2, 1, 1), Q(18, 16)), "bias": ((1,), Q(32, 30))}
    assert program.macs == 4 * 5 * 3 * 3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"own_body": ()}, "at least one update"),
        ({"own_times": 0}, "times is 1 to 1000000, not 0"),
        ({"own_weight": Q(19, 16)}, "coefficients are 2 to 18 bits wide, not 19"),
        ({"own_weight": Q(1, 0)}, "coefficients are 2 to 18 bits wide, not 1"),
        ({"own_bias": Q(33, 10)}, "biases are 2 to 32 bits wide, not 33"),
        ({"own_map": Q(19, 10)}, "a map is 2 to 18 bits wide, not 19"),
        ({"own_maps": 65}, "0 to 64 maps, not 65"),
        ({"own_planes": True}, "planes need at least one map"),
        ({"own_coefficients": 3}, r"its terms use coefficients \[0, 1\], not each of 0 to 2"),
        ({"forms": ()}, "at least one form and one term"),
        ({"terms": ()}, "at least one form and one term"),
        ({"boundary": "open"}, "periodic, dirichlet or neumann, not 'open'"),
        ({"form_channel": 2}, "there is no channel 2; the grid has 2 and 0 maps"),
        ({"form_weights": (1, 1)}, "one weight for each of its taps"),
        ({"form_taps": ((0, 0),) * 4}, "none twice"),
        ({"form_weights": (1, 1, 1, 0)}, "tap weights are ±1 to ±127"),
        ({"form_weights": (1, 1, 1, 128)}, "tap weights are ±1 to ±127"),
        ({"form_taps": ((4, 0), (0, -1), (0, 1), (1, 0))}, r"tap \(4, 0\) reaches across the whole 4×5 grid"),
        ({"form_shift": 33}, "shifted by 0 to 32 bits, not 33"),
        ({"form_weights": (1, 1, 1, 2)}, r"Q\(19,14\) is wider than the 18 bits a multiplier takes; shift it"),
        ({"product_left": 2}, "takes values 0 to 1, not 2 and 1"),
        ({"product_out": Q(18, 29)}, "is finer than the product of its values"),
        ({"product_out": Q(19, 16)}, "wider than the 18 bits"),
        ({"term_value": 3}, "there is no value 3"),
        ({"term_value": -1}, "there is no value -1"),
        ({"term_channel": 2}, "the grid has no channel 2"),
        ({"biased": (1,)}, "are not among the updated"),
        ({"biased": (0, 0)}, "each once"),
        ({"own_bias": Q(32, 33)}, "the bias, .*, is finer than the accumulator, which has 32 fractional bits"),
        ({"own_weight": Q(18, -4), "products": (), "terms": (Term(channel=0, coefficient=0, value=0), Term(channel=0, coefficient=1, value=1)), "biased": ()},
         r"the field, Q\(16,14\), is finer than the accumulator, which has 10 fractional bits"),
        ({"own_weight": Q(18, 60)}, "takes .* bits; 62 is the most"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_reason(changes, sentence):
    with pytest.raises(ProgramError, match=sentence):
        check(changed(**changes))


def test_a_shifted_form_and_18_bits_are_the_most_an_operand_takes():
    check(changed(form_weights=(1, 1, 1, 2), form_shift=1))
    assert EVOLVE.value_formats(UPDATE, GRID) == [Q(18, 14), Q(16, 14), Q(18, 16)]


def test_the_accumulators_width_is_that_of_the_worst_sum():
    # Two terms of 18 by 18 bits aligned to 32 fractional bits, a bias aligned by 2, the field by 18 and half a unit.
    worst = 2 * (1 << 34) * (1 << 2) // 2 + (1 << 34) + (1 << 31 << 2) + (1 << 15 << 18)
    assert EVOLVE.accumulator_frac(UPDATE, GRID) == 32
    assert EVOLVE.accumulator_width(UPDATE, 0, GRID) == pytest.approx((worst).bit_length() + 1, abs=1)


def test_maps_are_channels_after_the_grids_and_planes_one_for_each_time_step():
    evolve = changed(form_channel=2, own_maps=1, own_map=Q(16, 15), own_planes=True)
    program = Program(name="maps", input=GRID, steps=(evolve,))
    assert program.tensors()[0]["maps"] == ((3, 4, 5, 1), Q(16, 15))
    assert evolve.frac_of(2, GRID) == 15
