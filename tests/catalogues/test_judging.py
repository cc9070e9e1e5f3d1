"""The compile section beside Keras: several losses, their weights and names, losses whose targets are of a shape of their own."""

import keras
import numpy as np
import pytest
from parity import TOLERANCE  # sets the backend before Keras is used

import layerctl
from layerctl.diagnostics import LayerctlError

RNG = np.random.default_rng(8)
X = RNG.standard_normal((32, 3)).astype(np.float32)
TWO = """layerctl: 1
name: m
model:
  inputs: {x: {shape: [3]}}
  layers:
    - {Dense: 4, from: x, name: a}
    - {Dense: {units: 2, activation: sigmoid}, from: x, name: b}
  outputs: [a, b]
"""
ONE = "layerctl: 1\nname: m\nmodel:\n  - Input: {shape: [3]}\n  - Dense: {units: 4, activation: ACTIVATION, name: a}\n"
A, B = RNG.standard_normal((32, 4)).astype(np.float32), RNG.integers(0, 2, (32, 2)).astype(np.float32)


def ours_and_theirs(section, **arguments):
    """What both measure of the same weights on the same rows."""
    with layerctl.Model.from_yaml(f"{TWO}compile: {section}\nfit: {{batch_size: 8}}\n") as model:
        found = model.evaluate(X, {"a": A, "b": B}, batch_size=8)
        weights = model.weights
    x = keras.Input((3,))
    a, b = keras.layers.Dense(4, name="a")(x), keras.layers.Dense(2, activation="sigmoid", name="b")(x)
    theirs = keras.Model(x, [a, b])
    theirs.set_weights([weights[f"{n}/{w}"] for n in "ab" for w in ("kernel", "bias")])
    theirs.compile(**arguments)
    return found, theirs.evaluate(X, [A, B], batch_size=8, verbose=0, return_dict=True)


@pytest.mark.parametrize(("section", "arguments"), [
    ("{loss: [mse, bce]}", {"loss": ["mse", "bce"]}),
    ("{loss: {a: mse, b: bce}, loss_weights: {a: 2.0, b: 0.5}}", {"loss": {"a": "mse", "b": "bce"}, "loss_weights": {"a": 2.0, "b": 0.5}}),
    ("{loss: [mse, {Huber: {delta: 0.3}}], loss_weights: [0.1, 3]}", {"loss": ["mse", keras.losses.Huber(delta=0.3)], "loss_weights": [0.1, 3.0]}),
    ("{loss: {a: mse, b: bce}, metrics: {a: [mae], b: [binary_accuracy, mse]}, weighted_metrics: {b: [mse]}}",
     {"loss": ["mse", "bce"], "metrics": {"a": ["mae"], "b": ["binary_accuracy", "mse"]}, "weighted_metrics": {"b": ["mse"]}}),
])  # fmt: skip
def test_outputs_losses_and_metrics_are_reported_under_the_names_of_keras(section, arguments):
    found, theirs = ours_and_theirs(section, **arguments)
    assert set(found) == set(theirs)
    for name, value in theirs.items():
        assert found[name] == pytest.approx(value, rel=TOLERANCE), name


def test_several_losses_of_an_output_count_by_their_weights():
    nested = {"loss": [["mse", "mae"], "bce"], "loss_weights": [[2.0, 0.25], 0.5]}
    for section in ("{loss: [[mse, mae], bce], loss_weights: [[2.0, 0.25], 0.5]}",
                    "{loss: {a: [mse, mae], b: bce}, loss_weights: {a: [2.0, 0.25], b: 0.5}}"):  # fmt: skip
        found, theirs = ours_and_theirs(section, **nested)
        assert set(found) == {"loss", "a_mean_squared_error_loss", "a_mean_absolute_error_loss", "b_loss"}
        assert found["loss"] == pytest.approx(theirs["loss"], rel=TOLERANCE)
        parts = 2.0 * found["a_mean_squared_error_loss"] + 0.25 * found["a_mean_absolute_error_loss"] + 0.5 * found["b_loss"]
        assert parts == pytest.approx(found["loss"], rel=TOLERANCE)


def test_their_gradients_are_those_of_the_sum():
    def gradients(section):
        with layerctl.Model.from_yaml(f"{ONE.replace('ACTIVATION', 'linear')}compile: {section}\n") as model:
            return model.gradients(X, A)

    both = gradients("{loss: [mse, {Huber: {delta: 0.5}}], loss_weights: [2.0, 0.5]}")
    first, second = gradients("{loss: mse}"), gradients("{loss: {Huber: {delta: 0.5}}}")
    for name in both:
        np.testing.assert_allclose(both[name], 2.0 * first[name] + 0.5 * second[name], rtol=1e-5, atol=1e-7)


def evaluated(text, x, y):
    with layerctl.Model.from_yaml(text) as model:
        return model.evaluate(x, y)


def test_crossentropy_is_that_of_the_shape():
    ids = RNG.integers(0, 4, 32)
    soft = ONE.replace("ACTIVATION", "softmax")
    wanted = evaluated(soft + "compile: {loss: sparse_categorical_crossentropy, metrics: [accuracy]}", X, ids)
    for targets in (ids, np.eye(4, dtype=np.float32)[ids]):
        for name in ("crossentropy", "ce", "categorical_crossentropy"):
            assert evaluated(f"{soft}compile: {{loss: {name}, metrics: [accuracy]}}", X, targets) == pytest.approx(wanted, rel=1e-6)
    one = soft.replace("units: 4, activation: softmax", "units: 1, activation: sigmoid")
    y = RNG.integers(0, 2, 32)
    assert evaluated(f"{one}compile: {{loss: ce}}", X, y) == evaluated(f"{one}compile: {{loss: bce}}", X, y)


@pytest.mark.parametrize("loss", ["categorical_focal_crossentropy", "kl_divergence", "categorical_hinge", "[categorical_crossentropy, kld]"])
def test_class_indices_stand_for_distributions(loss):
    ids = RNG.integers(0, 4, 32)
    text = f"{ONE.replace('ACTIVATION', 'softmax')}compile: {{loss: {loss}}}"
    assert evaluated(text, X, ids) == evaluated(text, X, np.eye(4, dtype=np.float32)[ids])


def trained(model, compile_, x, y, epochs=30):
    """The first and the last epoch's loss."""
    with layerctl.Model.from_yaml(f"layerctl: 1\nname: m\nseed: 1\nmodel:\n{model}compile: {compile_}\nfit: {{epochs: {epochs}, batch_size: 16}}\n") as built:
        history = built.fit(x, y).history
        return history[0]["loss"], history[-1]["loss"]


def test_circle_takes_any_numbers_as_labels():
    labels = RNG.integers(0, 3, 64)
    x = np.eye(3, dtype=np.float32)[labels] + RNG.standard_normal((64, 3)).astype(np.float32) * 0.2
    layers = "  - Input: {shape: [3]}\n  - Dense: 2\n  - UnitNormalization\n"
    first, last = trained(layers, "{loss: circle, optimizer: {Adam: {learning_rate: 0.02}}}", x, labels * 1000)
    assert last < first * 0.5


def test_ctc_takes_labels_shorter_than_the_predictions():
    labels = np.array([[1, 2], [3, 0]] * 16)
    x = RNG.standard_normal((2, 7, 3)).astype(np.float32)[[0, 1] * 16]
    first, last = trained("  - Input: {shape: [7, 3]}\n  - Dense: 16\n  - Dense: 4\n", "{loss: ctc, optimizer: {Adam: {learning_rate: 0.02}}}", x, labels)
    assert last < first * 0.5


def test_metrics_of_several_numbers_have_several_names():
    found = evaluated(f"{ONE.replace('ACTIVATION', 'sigmoid')}compile: {{loss: bce, metrics: [{{Precision: {{thresholds: [0.3, 0.6]}}}}, f1_score]}}",
                      X, (A > 0).astype(np.float32))  # fmt: skip
    assert list(found) == ["loss", "precision", "precision_0", "precision_1", "f1_score", *(f"f1_score_{i}" for i in range(4))]
    assert found["precision"] == pytest.approx((found["precision_0"] + found["precision_1"]) / 2)


@pytest.mark.parametrize(("section", "text"), [
    ("{loss: [mse, mae, bce]}", "3 entries for 2 outputs"), ("{loss: {a: mse, b: bce}, loss_weights: [1]}", "1 loss weights for 2 outputs"),
    ("{loss: {a: [mse, mae], b: bce}, loss_weights: {a: [1, 2, 3]}}", "3 loss weights for the 2 losses of 'a'"),
    ("{loss: {a: [mse, mae], b: bce}, loss_weights: {a: [1, x]}}", "a loss weight must be a number, got 'x'"),
    ("{loss: {a: [mse, {Hubr: {}}], b: bce}}", "there is no loss 'Hubr'; did you mean 'huber'"),
    ("{loss: {a: mse}, metrics: {a: [{AUC: {num_labels: 3}}]}}", "num_labels is for multi_label: true"),
    ("{loss: {a: mse}, metrics: {a: [{MeanMetricWrapper: sgd}]}}", "there is no loss or metric 'sgd'"),
])  # fmt: skip
def test_mistakes(section, text):
    with pytest.raises(LayerctlError, match=text):
        layerctl.Model.from_yaml(f"{TWO}compile: {section}")
