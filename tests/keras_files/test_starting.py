"""Starting from other weights, and from other models."""

import keras
import numpy as np
import pytest
from architectures import stacked_bidirectional
from keras import layers as L
from saved import shaken

from layerctl.api import Model, load
from layerctl.diagnostics import LayerctlError
from layerctl.export import npz
from layerctl.training.events import Observer

TEXT = """
layerctl: 1
name: base
vars: {w: 8}
define:
  Twice: {args: {k: 2}, call: "x * k * w"}
model:
  - Input: {shape: [6]}
  - Dense: {units: "${w}", activation: relu}
    repeat: 2
  - BatchNormalization
  - Twice
  - Dense: 4
    name: features
  - Dense: 3
    name: head
compile: {optimizer: adam, loss: mean_squared_error}
fit: {epochs: 2}
"""
NEW = """
layerctl: 1
name: new
model:
  - Input: {shape: [6]}
  - model: base.safetensors
    upto: features
    trainable: false
  - Dense: 2
compile: {optimizer: adam, loss: mean_squared_error}
fit: {epochs: 2}
"""
SHAPES = "features/kernel (8, 5), in the file (8, 4), features/bias (5,), in the file (4,)"
X = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)


class Heard(Observer):
    def __init__(self):
        self.lines = []

    def message(self, text):
        self.lines.append(text)


@pytest.fixture
def base(tmp_path):
    with Model.from_yaml(TEXT) as model:
        model.fit(X, X[:, :3])
        model.save(tmp_path / "base.safetensors")
        npz.export(model, tmp_path / "base.npz")
        (tmp_path / "base.yaml").write_text(TEXT)
        yield model


def new_model(folder, text=NEW):
    (folder / "new.yaml").write_text(text)
    return Model.from_yaml(folder / "new.yaml")


def codes(folder, text):
    with pytest.raises(LayerctlError) as caught:
        new_model(folder, text)
    return [(d.code, d.message, str(d.span).rpartition("/")[2]) for d in caught.value.diagnostics]


@pytest.mark.parametrize("name", ["base.safetensors", "base.npz"])
def test_weights_by_name(name, base, tmp_path):
    with Model.from_yaml(TEXT, seed=5) as other:
        found = other.load_weights(tmp_path / name)
        assert found.loaded == list(base.weights) and not (found.missing or found.mismatched or found.unused)
        np.testing.assert_array_equal(other.predict(X), base.predict(X))


def test_all_that_does_not_fit_is_named(base, tmp_path):
    text = TEXT.replace("name: head", "name: other").replace("Dense: 4", "Dense: 5")
    with Model.from_yaml(text, seed=5) as other:
        before = other.weights
        with pytest.raises(LayerctlError) as caught:
            other.load_weights(tmp_path / "base.safetensors")
        assert [(d.code, d.message) for d in caught.value.diagnostics] == [
            ("wrong-weight", f"weights of another shape in 'base.safetensors': {SHAPES}"),
            ("missing-weight", "the model's weights that 'base.safetensors' lacks: other/kernel, other/bias; did you mean 'head/kernel'?"),
            ("unknown-weight", "weights of 'base.safetensors' that the model does not have: head/bias, head/kernel"),
        ]  # fmt: skip
        assert all(np.array_equal(a, other.weights[n]) for n, a in before.items())
        found = other.load_weights(tmp_path / "base.safetensors", partial=True)
        assert found.missing == ["other/kernel", "other/bias"] and found.unused == ["head/bias", "head/kernel"] and len(found.loaded) == 8
        np.testing.assert_array_equal(other.weights["dense/kernel"], base.weights["dense/kernel"])
        np.testing.assert_array_equal(other.weights["other/kernel"], before["other/kernel"])
        with pytest.raises(LayerctlError, match="no-order"):
            other.load_weights(tmp_path / "base.safetensors", by_name=False)


def test_weights_by_order(base, tmp_path):
    with Model.from_yaml(TEXT.replace("name: head", "name: other"), seed=5) as other:
        assert len(other.load_weights(tmp_path / "base.npz", by_name=False).loaded) == len(base.weights)
        np.testing.assert_array_equal(other.predict(X), base.predict(X))


YAML_OF_KERAS = """
layerctl: 1
model:
  - Input: {shape: [9], dtype: int32}
  - Embedding: {input_dim: 11, output_dim: 6, mask_zero: true}
    name: words
  - Bidirectional: {layer: {LSTM: {units: 5, return_sequences: true}}}
    name: one
  - Bidirectional: {layer: {LSTM: {units: 4, name: own}}, merge_mode: ave}
    name: two
  - Dense: 3
    name: last
"""


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".h5"])
def test_keras_weights_by_layer(ending, tmp_path):
    model = shaken(keras.Sequential([
        keras.Input((9,), dtype="int32"), L.Embedding(11, 6, mask_zero=True, name="words"),
        L.Bidirectional(L.LSTM(5, return_sequences=True), name="one"), L.Bidirectional(L.LSTM(4, name="own"), merge_mode="ave", name="two"),
        L.Dense(3, name="last"),
    ]))  # fmt: skip
    (model.save_weights if "weights" in ending else model.save)(tmp_path / f"m{ending}")
    ids = np.random.default_rng(0).integers(0, 11, (4, 9)).astype(np.int32)
    with Model.from_yaml(YAML_OF_KERAS) as ours:
        assert len(ours.load_weights(tmp_path / f"m{ending}").loaded) == len(model.weights)
        np.testing.assert_allclose(ours.predict(ids), np.asarray(model(ids)), atol=1e-5)
    other = shaken(stacked_bidirectional())
    other.save_weights(tmp_path / "other.weights.h5")
    with Model.from_yaml(YAML_OF_KERAS) as ours, pytest.raises(LayerctlError) as caught:
        ours.load_weights(tmp_path / "other.weights.h5")
    assert {d.code for d in caught.value.diagnostics} == {"missing-weight"} and "none of the model's weights" in str(caught.value)


def test_fit_starts_from_weights(base, tmp_path):
    text = TEXT.replace("name: head", "name: other").replace("fit: {epochs: 2}", "fit: {epochs: 1, weights: {file: base.npz, partial: true}}")
    text = text.replace("optimizer: adam", "optimizer: {SGD: {learning_rate: 0.0}}")
    heard = Heard()
    with new_model(tmp_path, text) as model:
        model.fit(X, X[:, :3], observer=heard)
        np.testing.assert_array_equal(model.weights["dense_1/kernel"], base.weights["dense_1/kernel"])
        model.set_weights({p: w * 2 for p, w in model.weights.items()})
        model.save(tmp_path / "new.safetensors")
    with load(tmp_path / "new.safetensors") as again:
        again.fit(X, X[:, :3])
        np.testing.assert_array_equal(again.weights["dense_1/kernel"], base.weights["dense_1/kernel"] * 2)
    assert heard.lines == ["10 weights from base.npz", "not in the file: other/kernel, other/bias", "in the file alone: head/kernel, head/bias"]
    with new_model(tmp_path, text.replace("partial: true", "partial: false")) as model, pytest.raises(LayerctlError) as caught:
        model.fit(X, X[:, :3])
    assert {str(d.span).rpartition(":")[0].endswith("new.yaml:18") for d in caught.value.diagnostics} == {True}
    assert codes(tmp_path, text.replace("partial: true", "parts: true"))[0][:2] == (
        "unknown-argument", "fit: 'weights' has no argument 'parts'; did you mean 'partial'?",
    )  # fmt: skip


def test_a_trained_model_as_a_layer(base, tmp_path):
    features = base.predict(X, layers=("features",))["features"]
    with new_model(tmp_path) as model:
        assert [n for n in model.weights if n.startswith("base/")] == [f"base/{n}" for n in base.weights if not n.startswith("head")]
        np.testing.assert_array_equal(model.predict(X, layers=("base",))["base"], features)
        model.fit(X, X[:, :2])
        np.testing.assert_array_equal(model.predict(X, layers=("base",))["base"], features)
        model.save(tmp_path / "new.safetensors")
        (tmp_path / "base.safetensors").unlink()
        with load(tmp_path / "new.safetensors") as again:
            np.testing.assert_array_equal(again.predict(X), model.predict(X))
        text = model.resolved()
        assert "base.safetensors" not in text and "head" not in text and "Twice" in text


def test_a_trained_model_goes_on_training(base, tmp_path):
    with new_model(tmp_path, NEW.replace("    trainable: false\n", "").replace("    upto: features\n", "")) as model:
        np.testing.assert_array_equal(model.predict(X, layers=("base",))["base"], base.predict(X))
        model.fit(X, X[:, :2])
        assert np.abs(model.weights["base/dense/kernel"] - base.weights["dense/kernel"]).max() > 1e-5


def test_two_of_one_model_in_a_graph(base, tmp_path):
    text = """
layerctl: 1
model:
  inputs: {a: {shape: [6]}, b: {shape: [6]}}
  layers:
    - {model: base.safetensors, upto: dense_1, name: left, from: a}
    - {model: base.safetensors, name: right, from: b}
    - use: left
      from: b
      name: again
    - Concatenate:
      from: [left, right, again]
      name: all
  outputs: [all]
"""
    with new_model(tmp_path, text) as model:
        out = model.predict({"a": X, "b": X})
        wanted = base.predict(X, layers=("dense_1", "head"))
        np.testing.assert_array_equal(out, np.concatenate([wanted["dense_1"], wanted["head"], wanted["dense_1"]], 1))


def test_what_is_wrong_in_such_an_item(base, tmp_path):
    assert codes(tmp_path, NEW.replace("upto: features", "upto: featurs"))[0] == (
        "unknown-layer", "the trained model has no layer 'featurs'; did you mean 'features'?", "new.yaml:7:11")
    assert codes(tmp_path, NEW.replace("shape: [6]", "shape: [5]"))[0] == (
        "wrong-weight", "'base/dense/kernel' has shape (6, 8) in the trained model, here it would have (5, 8)", "new.yaml:6:5")
    assert codes(tmp_path, NEW.replace("trainable", "trainble"))[0][:2] == (
        "unknown-key", "'trainble' is not a key of a trained model's item; did you mean 'trainable'?")
    assert codes(tmp_path, NEW.replace("base.safetensors", "bas.safetensors"))[0][0] == "file-not-found"
    assert codes(tmp_path, NEW.replace("model: base.safetensors", "model: [1]"))[0][0] == "wrong-type"
    assert codes(tmp_path, NEW.replace("name: new", "name: new\ndefine: {Twice: {call: x * 3}}"))[0][0] == "duplicate-name"
    (tmp_path / "bad.safetensors").write_bytes(b"\x80\x04pickle")
    assert codes(tmp_path, NEW.replace("base.safetensors", "bad.safetensors"))[0][0] == "not-a-model-file"
