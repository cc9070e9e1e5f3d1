"""What `compile` was given, as the file has it: metrics by output, by whatever name, and what `accuracy` counts."""

import keras
import numpy as np
import pytest
from keras import layers as L
from saved import imported, shaken

from layerctl.api import load


def one(units, activation=None):
    return shaken(keras.Sequential([keras.Input((5,)), L.Dense(units, activation)]))


def two():
    x = keras.Input((5,))
    return shaken(keras.Model(x, [L.Dense(3, name="p")(x), L.Dense(3, name="a")(x)]))


M, BCE = keras.metrics, keras.losses.BinaryCrossentropy
CASES = {
    "labels": (lambda: one(3, "sigmoid"), {"loss": "binary_crossentropy", "metrics": ["accuracy"]}),
    "a logit": (lambda: one(1), {"loss": BCE(from_logits=True), "metrics": ["acc"], "weighted_metrics": ["accuracy"]}),
    "names": (lambda: one(1, "sigmoid"), {"loss": "bce", "metrics": ["AUC", "Precision", "mae", "MAE", M.MeanSquaredError(name="top-2 by $")]}),
    "one for each output": (two, {"loss": "mse", "metrics": ["mae", "mse"]}),
    "lists for each output": (two, {"loss": ["mse", "mae"], "metrics": [["mae", "mse"], ["mse"]], "loss_weights": [0.5, 2.0]}),
    "none for some": (two, {"loss": ["mse", None], "metrics": [["mae"], None]}),
    "by name": (two, {"loss": {"a": "mse", "p": "mae"}, "metrics": {"a": "mae"}, "weighted_metrics": {"p": ["mse"]}}),
}


@pytest.mark.parametrize("name", CASES)
def test_evaluation_tells_the_same_under_the_same_names(name, tmp_path):
    make, given = CASES[name]
    model = make()
    model.compile("sgd", **given)
    done = imported(model, tmp_path)
    assert not done.warnings
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, 5)).astype(np.float32)
    y = [rng.integers(0, 2, (8, o.shape[1])).astype(np.float32) for o in model.outputs]
    theirs = model.evaluate(x, y if len(y) > 1 else y[0], verbose=0, return_dict=True)
    with load(done.model) as ours:
        found = ours.evaluate(x, dict(zip(ours.graph.outputs, y, strict=True)))
    assert found == pytest.approx(theirs, rel=1e-5)
