"""The steps from Python: made, fitted on arrays, judged, saved, loaded; a model's numbers against Keras's over whole trainings."""

import keras
import numpy as np
import pytest

import layerctl
from layerctl.diagnostics import LayerctlError

RNG = np.random.default_rng(3)
TEXT = """
layerctl: 1
name: two
model:
  - Input: {shape: [6]}
  - Dense: {units: 8, activation: tanh, kernel_regularizer: {L2: 0.01}}
  - Dense: {units: 3, activation: softmax}
compile: {optimizer: OPTIMIZER, loss: sparse_categorical_crossentropy, metrics: [accuracy]}
fit: {epochs: 4, batch_size: 8, shuffle: false}
"""


def rows():
    x = RNG.standard_normal((40, 6)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int32) + (x[:, 1] > 0.5)


@pytest.mark.parametrize(("ours", "theirs"), [
    ("{Adam: {learning_rate: 0.01}}", lambda: keras.optimizers.Adam(0.01)),
    ("{SGD: {learning_rate: 0.1, momentum: 0.9, nesterov: true}}", lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)),
    ("{RMSprop: {learning_rate: 0.005, clipnorm: 0.5}}", lambda: keras.optimizers.RMSprop(0.005, clipnorm=0.5)),
])  # fmt: skip
def test_a_training_is_keras_training(ours, theirs):
    x, y = rows()
    model = layerctl.Model.from_yaml(TEXT.replace("OPTIMIZER", ours))
    start = model.session(_data(x, y), train=True).weights()
    peer = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, "tanh", kernel_regularizer=keras.regularizers.L2(0.01)),
                             keras.layers.Dense(3, "softmax")])  # fmt: skip
    peer.set_weights(list(start.values()))
    peer.compile(theirs(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = peer.fit(x, y, batch_size=8, epochs=4, shuffle=False, verbose=0).history
    outcome = model.fit(x, y)
    for a, b in zip(model.weights.values(), peer.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    assert [round(h["loss"], 4) for h in outcome.history] == pytest.approx([round(v, 4) for v in history["loss"]], abs=2e-4)
    assert [h["accuracy"] for h in outcome.history] == pytest.approx(history["accuracy"], abs=1e-6)
    np.testing.assert_allclose(model.predict(x), peer.predict(x, verbose=0), atol=1e-4)


def _data(x, y):
    from layerctl.data.dataset import Dataset

    return Dataset.of_arrays({"input": x}, {"dense_1": y})


def test_saved_and_loaded(tmp_path):
    x, y = rows()
    with layerctl.Model.from_yaml(TEXT.replace("OPTIMIZER", "adam")) as model:
        model.fit(x, y)
        before = model.predict(x)
        model.save(tmp_path / "m.safetensors", {"loss": 1.0})
    with layerctl.load(tmp_path / "m.safetensors") as again:
        np.testing.assert_array_equal(again.predict(x), before)
        assert again.scores == {"loss": 1.0} and again.evaluate(x, y)["accuracy"] > 0.3


def test_gradients_are_finite_differences():
    x, y = rows()
    with layerctl.Model.from_yaml(TEXT.replace("OPTIMIZER", "adam")) as model:
        grads, weights = model.gradients(x, y), model.weights
        name, step = "dense/kernel", 1e-2
        sides = []
        for sign in (1, -1):
            moved = {k: v.copy() for k, v in weights.items()}
            moved[name][2, 3] += sign * step
            model.set_weights(moved)
            sides.append(model.evaluate(x, y, batch_size=40)["loss"])
        assert grads[name][2, 3] == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=2e-2, abs=1e-4)


def test_what_arrays_cannot_be_is_said():
    with layerctl.Model.from_yaml(TEXT.replace("OPTIMIZER", "adam")) as model:
        with pytest.raises(LayerctlError, match=r"the input 'input' needs the shape \(None, 6\), got \(2, 5\)"):
            model.predict(np.zeros((2, 5)))
        with pytest.raises(LayerctlError, match="needs numbers"):
            model.predict(np.array([["a"] * 6]))
        with pytest.raises(LayerctlError, match="has class 7 in row 1; the output has 3 classes"):
            model.fit(np.zeros((2, 6)), np.array([0, 7]))
        with pytest.raises(LayerctlError, match="the file has no 'data' section"):
            model.evaluate()


@pytest.mark.parametrize("form", ["[mse, {Huber: {delta: 0.5}}]", "{dense: [mse, {Huber: {delta: 0.5}}]}"])
def test_several_losses_of_an_output_are_added_up(form):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8, 3)).astype(np.float32), rng.standard_normal((8, 2)).astype(np.float32)

    def loss(text):
        with layerctl.Model.from_yaml(f"layerctl: 1\nname: m\nmodel:\n  - Input: {{shape: [3]}}\n  - Dense: 2\ncompile: {{loss: {text}}}\n") as model:
            return model.evaluate(x, y)["loss"]

    assert loss(form) == pytest.approx(loss("mse") + loss("{Huber: {delta: 0.5}}"), rel=1e-6)
    with pytest.raises(LayerctlError, match="need different targets"):
        loss("[mse, sparse_categorical_crossentropy]")


def test_rates_and_decay_by_weight():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8, 3)).astype(np.float32), rng.standard_normal((8, 2)).astype(np.float32)
    head = "layerctl: 1\nname: m\nmodel:\n  - Input: {shape: [3]}\n  - Dense: {units: 4, name: base}\n  - Dense: {units: 2, name: top}\n"

    def moved(optimizer):
        with layerctl.Model.from_yaml(f"{head}compile: {{loss: mse, optimizer: {{SGD: {optimizer}}}}}\nfit: {{epochs: 1, batch_size: 8}}\n") as model:
            model.session(None)
            before = model.weights
            model.fit(x, y)
            return {n: model.weights[n] - before[n] for n in before}

    plain, slow = moved("{}"), moved("{learning_rate_multipliers: {base: 0.1, 'top/b*': 0.0}}")
    np.testing.assert_allclose(slow["base/kernel"], plain["base/kernel"] * 0.1, rtol=1e-3, atol=1e-8)
    np.testing.assert_array_equal(slow["top/kernel"], plain["top/kernel"])
    assert not slow["top/bias"].any() and plain["top/bias"].any()
    decayed, kept = moved("{weight_decay: 0.5}"), moved("{weight_decay: 0.5, exclude_from_weight_decay: ['*/kernel']}")
    np.testing.assert_array_equal(kept["base/kernel"], plain["base/kernel"])
    assert not np.array_equal(decayed["base/kernel"], plain["base/kernel"])
    with pytest.raises(LayerctlError, match=r"no weight of the model fits 'bas' in learning_rate_multipliers; did you mean 'base'\?"):
        moved("{learning_rate_multipliers: {bas: 0.1}}")
