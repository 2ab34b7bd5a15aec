"""Bodies that are samples, and one sentence for each that is none."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from npde.data import load_data
from npde.model import Preprocess
from npde.models import load_model
from npde.serve.refusal import Refusal
from npde.serve.samples import raw_range, samples

SIXTEEN = [list(range(k, k + 4)) for k in (0, 4, 8, 12)]
"""A sample, row by row."""


def body(value) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("sample", [SIXTEEN, list(range(16)), [[[v] for v in row] for row in SIXTEEN]])
def test_rows_flat_lists_and_lists_of_a_channel_are_the_same_sample(model, sample):
    found = samples(model, body({"samples": [sample, sample]}))
    assert found.tolist() == [[[[v] for v in row] for row in SIXTEEN]] * 2


def test_channels_vary_fastest(coloured):
    values = np.random.default_rng(0).integers(0, 17, (2, 4, 4, 3))
    assert np.array_equal(samples(coloured, body({"samples": values.tolist()})), values)
    assert np.array_equal(samples(coloured, body({"samples": values.reshape(2, -1).tolist()})), values)
    with pytest.raises(Refusal, match="4 rows of 4 cells of 3 channels, or its 48 numbers"):
        samples(coloured, body({"samples": [SIXTEEN]}))


def put(value) -> bytes:
    """A sample whose last number is replaced by a text of JSON."""
    return body({"samples": [SIXTEEN]}).replace(b"15", value)


@pytest.mark.parametrize(("given", "says"), [
    (b"", "the body is not"),
    (b"\xff\xfe", "the body is not"),
    (b"[1]", "the body is not .* Expected `object`"),
    (b"{}", "missing required field `samples`"),
    (b'{"samples": 3}', r"Expected `array`, got `int` - at `\$.samples`"),
    (b'{"samples": [], "more": 1}', "unknown field `more`"),
    (b'{"samples": []}', "empty list"),
    (b'{"samples": [[]]}', "have shape"),
    (b'{"samples": [[[]]]}', "Expected `float`, got `array`"),
    (b'{"samples": [1]}', r"Expected `array`, got `int` - at `\$\[0\]`"),
    (b'{"samples": [null]}', "Expected `array`, got `null`"),
    (b'{"samples": [[[[[1]]]]]}', "Expected `float`, got `array`"),
    (b'{"samples": ' + b"[" * 100_000, "the body is not"),
    (b'{"samples": [[1, 2], [3]]}', "differ in length"),
    (b'{"samples": [[[1, 2, 3, 4]]]}', r"shape \(1, 1, 4\).* 4 rows of 4 cells, or its 16 numbers"),
    (b'{"samples": [[' + b"1," * 16 + b"1]]}", r"shape \(1, 17\)"),
    (put(b'"a"'), r"Expected `float`, got `str` - at `\$\[0\]\[3\]\[3\]`"),
    (put(b'"1"'), "Expected `float`, got `str`"),
    (put(b"true"), "Expected `float`, got `bool`"),
    (put(b"null"), "Expected `float`, got `null`"),
    (put(b"NaN"), "the body is not"),
    (put(b"Infinity"), "the body is not"),
    (put(b"1e999"), "the body is not"),
    (put(b"-0.01"), r"samples\[0, 3, 3\] is -0.01 and lies outside the model's range, 0 to 16"),
    (put(b"16.01"), r"samples\[0, 3, 3\] is 16.01"),
    (put(b"9" * 40), "range"),
    (put(b"9" * 400), "."),
])  # fmt: skip
def test_what_is_no_sample_is_one_sentence(model, given, says):
    with pytest.raises(Refusal, match=says) as caught:
        samples(model, given)
    assert caught.value.status == 400


def test_the_range_is_the_data_set_s(model):
    digits, data = load_model("digits"), load_data("digits")
    assert raw_range(digits) == (0.0, 16.0) == (data.train_x.min(), data.train_x.max())
    assert raw_range(load_model("fashion")) == (0.0, 256.0)
    assert raw_range(replace(model, preprocess=Preprocess(-0.5, 0.0))) == (-2.0, 2.0)
    assert raw_range(replace(model, preprocess=Preprocess(0.0, 0.5))) == (-math.inf, math.inf)
