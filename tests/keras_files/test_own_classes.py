"""Classes of the program that saved a file: named with a cure, and read with definitions of what they compute."""

import json

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer
from saved import called, check_both_ways, close, outputs, rows, shaken

import layerctl
from layerctl.diagnostics import LayerctlError
from layerctl.export.keras import export
from layerctl.importing.keras import import_model


@keras.saving.register_keras_serializable()
class Patches(L.Layer):
    def __init__(self, patch_size, **more):
        super().__init__(**more)
        self.patch_size = patch_size

    def call(self, x):
        cut = ops.image.extract_patches(x, size=self.patch_size)
        return ops.reshape(cut, (ops.shape(x)[0], -1, cut.shape[-1]))

    def get_config(self):
        return {**super().get_config(), "patch_size": self.patch_size}


@keras.saving.register_keras_serializable(package="own")
class PatchEncoder(L.Layer):
    def __init__(self, places, size, **more):
        super().__init__(**more)
        self.places, self.size = places, size
        self.projection, self.position = L.Dense(size), L.Embedding(places, size)

    def call(self, x):
        return self.projection(x) + self.position(ops.arange(self.places))

    def get_config(self):
        return {**super().get_config(), "places": self.places, "size": self.size}


@keras.saving.register_keras_serializable()
class Block(L.Layer):
    def __init__(self, size, **more):
        super().__init__(**more)
        self.size = size
        self.first_norm, self.second_norm = L.LayerNormalization(epsilon=1e-6), L.LayerNormalization(epsilon=1e-6)
        self.widen, self.narrow = L.Dense(2 * size, activation="gelu"), L.Dense(size)

    def build(self, shape):
        self.first_norm.build(shape), self.second_norm.build(shape), self.widen.build(shape), self.narrow.build((*shape[:-1], 2 * self.size))

    def call(self, x):
        return self.second_norm(self.first_norm(x) + self.narrow(self.widen(x)))

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable()
class Sampling(L.Layer):
    def call(self, given):
        mean, log_var = given
        return mean + ops.exp(0.5 * log_var) * 0.5


DEFINE = """\
define:
  Patches:
    args: {patch_size: 4}
    layers:
      - Lambda: "extract_patches(x, ${patch_size})"
      - Reshape: [-1, "${patch_size * patch_size * input[-1]}"]
  PatchEncoder:
    args: {places: 4, size: 6}
    weights:
      kernel: {shape: ["${input[-1]}", "${size}"]}
      bias: {shape: ["${size}"], initializer: zeros}
      position: {shape: ["${places}", "${size}"]}
    call: x @ kernel + bias + position
  Block:
    args: {size: 6}
    layers:
      - Dense: {units: "${2 * size}", activation: gelu}
        name: widen
      - Dense: "${size}"
        name: narrow
      - LayerNormalization: {epsilon: 1e-6}
        from: input
        name: first_norm
      - Add:
        from: [first_norm, narrow]
      - LayerNormalization: {epsilon: 1e-6}
        name: second_norm
  Sampling:
    inputs: [mean, log_var]
    call: mean + exp(0.5 * log_var) * 0.5
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    inputs = keras.Input((8, 8, 3))
    x = PatchEncoder(4, 6)(Patches(4)(inputs))
    x = Block(6, name="second")(Block(6, name="first")(x))
    x = L.GlobalAveragePooling1D()(x)
    model = shaken(keras.Model(inputs, Sampling()([L.Dense(3)(x), L.Dense(3)(x)])))
    path = tmp_path_factory.mktemp("own") / "saved.keras"
    model.save(path)
    return model, path


def test_each_class_is_named_once_with_what_to_write(saved, tmp_path):
    with pytest.raises(LayerctlError) as refused:
        import_model(saved[1], tmp_path / "model.yaml")
    found = refused.value.diagnostics
    assert [d.message.partition(": ")[0] for d in found] == ["layer 'patches'", "layer 'patch_encoder'", "layer 'first' and 1 more", "layer 'sampling'"]
    assert "PatchEncoder: {args: {places: 4, size: 6}, call: …}" in found[1].hint and "--define FILE" in found[1].hint
    assert not (tmp_path / "model.yaml").exists()


def test_definitions_stand_for_the_classes(saved, tmp_path):
    model, path = saved
    (tmp_path / "own.yaml").write_text(DEFINE)
    done = import_model(path, tmp_path / "model.yaml", tmp_path / "own.yaml")
    assert not done.warnings
    x = rows(model)
    with layerctl.load(done.model) as ours:
        close(outputs(ours.predict(dict(zip(ours.graph.inputs, x, strict=True))))[0], outputs(called(model, x))[0])


def test_weights_that_order_alone_tells_apart_are_said(saved, tmp_path):
    (tmp_path / "own.yaml").write_text(DEFINE.replace("first_norm", "one").replace("second_norm", "two"))
    done = import_model(saved[1], tmp_path / "model.yaml", tmp_path / "own.yaml")
    assert any("is told by their order" in d.message for d in done.warnings)


def test_a_file_without_definitions(saved, tmp_path):
    (tmp_path / "own.yaml").write_text("layerctl: 1\n")
    with pytest.raises(LayerctlError, match="no 'define' section"):
        import_model(saved[1], tmp_path / "model.yaml", tmp_path / "own.yaml")


def test_layers_of_keras_applications_are_known(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(6, 4, 4)(inputs)
    y = StochasticDepth(0.2)(LayerScale(1e-6, 6)(L.Dense(6)(L.DepthwiseConv2D(3, padding="same")(x))))
    done = check_both_ways(keras.Model(inputs, CustomScaleLayer(0.17)([x, y])), tmp_path)
    assert "EinsumDense" in done.yaml.read_text() and "x[0] + x[1] * 0.17" in done.yaml.read_text()


def test_a_lookup_with_its_vocabulary(tmp_path):
    """As Keras 3.15 writes it; the numbers are Keras's, which needs TensorFlow for this layer."""
    lookup = {"name": "lookup", "num_oov_indices": 1, "oov_token": -1, "mask_token": None, "output_mode": "one_hot", "vocabulary_dtype": "int64",
              "idf_weights": None, "vocabulary": [1, 2, 3], "vocabulary_size": 4, "oov_method": "floormod", "salt": None}  # fmt: skip
    layers = [{"class_name": "InputLayer", "config": {"batch_shape": [None, 1], "dtype": "int64", "name": "ids"}},
              {"module": "keras.layers", "class_name": "IntegerLookup", "config": lookup, "build_config": {}}]  # fmt: skip
    (tmp_path / "saved.json").write_text(json.dumps({"module": "keras", "class_name": "Sequential", "config": {"name": "m", "layers": layers}}))
    import_model(tmp_path / "saved.json", tmp_path / "model.yaml")
    ids, wanted = np.array([[2], [7]]), [[0, 0, 1, 0], [1, 0, 0, 0]]
    model = layerctl.Model.from_yaml(tmp_path / "model.yaml")
    assert np.array_equal(model.predict(ids), wanted)
    export(model, tmp_path / "back.keras")
    import_model(tmp_path / "back.keras", tmp_path / "again.yaml")
    assert np.array_equal(layerctl.Model.from_yaml(tmp_path / "again.yaml").predict(ids), wanted)


def test_names_of_older_versions_are_answered(tmp_path):
    config = json.loads(keras.Sequential([keras.Input((2,)), L.Dense(1)]).to_json())
    config["compile_config"] = {"optimizer": {"class_name": "TFOptimizer", "config": {}}, "loss": "mse", "metrics": ["matthews_correlation"]}
    (tmp_path / "saved.json").write_text(json.dumps(config))
    said = " ".join(f"{d.message} {d.hint}" for d in import_model(tmp_path / "saved.json", tmp_path / "model.yaml").warnings)
    assert "TFOptimizer" in said and "matthews_correlation" in said and "f1_score" in said
