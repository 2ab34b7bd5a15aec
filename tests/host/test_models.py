"""The models that ship: their accuracy is what golden says today, not what a note said once."""

from pathlib import Path

from npde.data import load_data
from npde.model import Model
from npde.training.learn import golden_accuracy

MODELS = Path(__file__).parents[2] / "host" / "npde" / "models"


def test_the_digits_model_reads_98_of_100_test_digits():
    model = Model.load(MODELS / "digits.npde")
    assert max(s.weight.width for _, s, _ in model.program.weighted()) <= 8
    assert golden_accuracy(model, load_data("digits")) >= 0.98


def test_the_fashion_model_has_at_most_32k_weights():
    assert Model.load(MODELS / "fashion.npde").program.weight_count <= 32_000
