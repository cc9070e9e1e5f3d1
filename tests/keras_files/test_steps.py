"""What a training step and an evaluation count: weights of rows, steps and classes, masks, reductions, clipping, averages of weights."""

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import losses, optimizers
from saved import imported, rows, shaken

from layerctl.api import load
from layerctl.diagnostics import LayerctlError

BATCH, STEPS = 4, 5
RNG = np.random.default_rng(0)
M = keras.metrics


def dense(units, activation=None):
    return lambda: keras.Sequential([keras.Input((5,)), L.Dense(6, activation="tanh"), L.Dense(units, activation=activation)])


def words(units, activation=None):
    return lambda: keras.Sequential([
        keras.Input((6,), dtype="int32"), L.Embedding(9, 4, mask_zero=True), L.LSTM(4, return_sequences=True), L.Dense(units, activation=activation),
    ])  # fmt: skip


def two():
    x = keras.Input((5,))
    h = L.Dense(4, activation="tanh")(x)
    return keras.Model(x, [L.Dense(2, name="a")(h), L.Dense(3, activation="softmax", name="b")(h)])


def numbers(*shape):
    return lambda n: RNG.standard_normal((n, *shape)).astype(np.float32)


def ids(classes, *shape):
    return lambda n: RNG.integers(0, classes, (n, *shape)).astype(np.int32)


def ones(classes):
    return lambda n: np.eye(classes, dtype=np.float32)[RNG.integers(0, classes, n)]


def weights(*shape):
    return lambda n: RNG.random((n, *shape)).astype(np.float32) + 0.1


SPARSE = "sparse_categorical_crossentropy"
CASES = {
    "rows": (dense(1, "sigmoid"), [ids(2, 1)], weights(),
             {"loss": "binary_crossentropy", "metrics": ["accuracy", M.AUC(name="auc")],
              "weighted_metrics": [M.AUC(name="weighted_auc"), M.Precision(name="p"), "accuracy"]}),
    "steps and masks": (words(3, "softmax"), [ids(3, 6)], weights(6), {"loss": SPARSE, "metrics": ["accuracy"], "weighted_metrics": ["accuracy"]}),
    "masks, as a sum": (words(3), [ids(3, 6)], weights(6),
                        {"loss": losses.SparseCategoricalCrossentropy(True, reduction="sum"), "optimizer": optimizers.SGD(0.01)}),
    "a class left out": (words(3), [ids(3, 6)], weights(6), {"loss": losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)}),
    "means of weights": (dense(2), [numbers(2)], weights(), {"loss": losses.MeanSquaredError(reduction="mean_with_sample_weight")}),
    "classes": (dense(3, "softmax"), [ids(3)], {0: 1.0, 1: 2.5, 2: 0.3}, {"loss": SPARSE, "weighted_metrics": ["accuracy"]}),
    "logits, smoothed": (dense(3), [ones(3)], weights(), {"loss": losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)}),
    "two outputs": (two, [numbers(2), ids(3)], weights(),
                    {"loss": {"a": "mae", "b": SPARSE}, "loss_weights": {"a": 0.3, "b": 2.0}, "metrics": {"b": "accuracy"}, "weighted_metrics": {"a": "mse"}}),
    "clipped": (dense(2), [numbers(2)], None, {"loss": "mse", "optimizer": optimizers.SGD(0.5, momentum=0.9, nesterov=True, clipnorm=0.05)}),
    "clipped together": (dense(2), [numbers(2)], None, {"loss": "mse", "optimizer": optimizers.Adam(0.05, global_clipnorm=0.05)}),
    "averaged": (dense(2), [numbers(2)], None, {"loss": "mse", "optimizer": optimizers.Adam(0.1, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=3)}),
    "scaled": (dense(2), [numbers(2)], None,
               {"loss": "mse", "optimizer": optimizers.LossScaleOptimizer(optimizers.Adam(0.05), initial_scale=1024.0, dynamic_growth_steps=2)}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_steps_and_evaluation(name, tmp_path):
    make, targets, given, told = CASES[name]
    model, n = shaken(make()), BATCH * STEPS
    model.compile(**{"optimizer": optimizers.SGD(0.1), **told})
    (x,), y = rows(model, n), [t(n) for t in targets]
    classes = given if isinstance(given, dict) else None
    w = given(n) if given is not None and classes is None else None
    (tmp_path / "start").mkdir(), (tmp_path / "end").mkdir()
    with load(imported(model, tmp_path / "start").model) as ours:
        theirs = model.evaluate(x, y if len(y) > 1 else y[0], batch_size=BATCH, sample_weight=w, verbose=0, return_dict=True)
        assert ours.evaluate(x, dict(zip(ours.graph.outputs, y, strict=True)), batch_size=BATCH, sample_weight=w) == pytest.approx(theirs, rel=2e-5, abs=1e-6)
        fit = ours.spec.fit
        fit.epochs, fit.batch_size, fit.shuffle = 1, BATCH, False
        fit.class_weight = {str(k): v for k, v in classes.items()} if classes else None
        ours.fit(x, dict(zip(ours.graph.outputs, y, strict=True)), sample_weight=w)
        for at in (slice(i, i + BATCH) for i in range(0, n, BATCH)):
            batch = [a[at] for a in y] if len(y) > 1 else y[0][at]
            model.train_on_batch(x[at], batch, sample_weight=None if w is None else w[at], class_weight=classes)
        model.optimizer.finalize_variable_values(model.trainable_variables)  # as `fit` ends
        with load(imported(model, tmp_path / "end").model) as end:
            for path, value in end.weights.items():
                np.testing.assert_allclose(ours.weights[path], value, atol=1e-5, err_msg=path)


@pytest.mark.parametrize(("given", "code", "said"), [
    (np.ones(3), "wrong-rows", "'sample_weight' has 3 rows, the first input has 4"), (np.full(4, -1.0), "bad-value", "sample_weight has -1"),
    (np.full(4, np.nan), "bad-value", "sample_weight has nan"), (np.ones((4, 2, 2)), "wrong-dtype", "of shape (rows) or (rows, steps)"),
    (["a"] * 4, "wrong-dtype", "sample_weight needs numbers"),
])  # fmt: skip
def test_weights_that_are_none(given, code, said, tmp_path):
    model = dense(1)()
    model.compile("sgd", "mse")
    with load(imported(model, tmp_path).model) as ours, pytest.raises(LayerctlError) as refused:
        ours.evaluate(np.ones((4, 5)), np.ones((4, 1)), sample_weight=given)
    assert refused.value.diagnostics[0].code == code and said in refused.value.diagnostics[0].message
