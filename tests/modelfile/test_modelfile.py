import json
import math

import numpy as np
import pytest
from test_tensorfile import refused, same

from layerctl.modelfile import tensors
from layerctl.modelfile.artifact import ModelFile, metadata_of, read_model, write_model

MODEL = ModelFile(
    yaml="layerctl: 1\nname: größe\n",
    tensors={"dense/kernel": np.ones((2, 3), "f4"), "dense/bias": np.zeros(3, "f4")},
    features={"flower": {"mean": [1.5, 2.5]}, "a": {"classes": ["x", "y"]}},
    data="sha256:abc",
    scores={"val_loss": np.float64(0.1), "worst": math.inf, "none": math.nan},
    created_by={"numpy": "2.0"},
)


def test_round_trip(tmp_path):
    assert write_model(tmp_path / "a", MODEL) is None
    read = read_model(tmp_path / "a")
    same(read.tensors, MODEL.tensors)
    for field in ("yaml", "features", "data", "created_by", "layerctl_version", "format"):
        assert getattr(read, field) == getattr(MODEL, field)
    assert list(read.features) == ["flower", "a"]
    assert read.scores["val_loss"] == 0.1 and read.scores["worst"] == math.inf and math.isnan(read.scores["none"])
    write_model(tmp_path / "b", read)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_metadata_are_json_for_any_reader(tmp_path):
    def no_constant(name):
        raise AssertionError(name)

    for key in ("features", "scores", "created_by"):
        json.loads(metadata_of(MODEL)[f"layerctl.{key}"], parse_constant=no_constant)


@pytest.mark.parametrize("value", [{1: 2}, {"a": np.zeros(3)}, {"a": object()}, {"$float": "inf"}])
def test_features_must_be_plain_data(tmp_path, value):
    with pytest.raises(TypeError):
        write_model(tmp_path / "a", ModelFile("", {}, features=value))


BAD = {
    "layerctl.format": ["", "x", "0", "-1", "1.0", "9" * 30, "١", None],
    "layerctl.version": [None],
    "layerctl.data": [None],
    "layerctl.features": ["[]", "1", "null", "{", '{"a":1,"a":2}', '{"a":NaN}', '{"a":1e999}', "[" * 100_000,
                          "9" * 5000, '{"$float":"x"}', '{"$float":[]}', '{"$float":"inf"}', None],
    "layerctl.scores": ["[]", '{"a":"1"}', '{"a":[]}', '{"a":true}', '{"a":null}', None],
    "layerctl.created_by": ['{"a":1}', "{}x", None],
    "layerctl.training": ["{}", "[1]", "[[]]"],
}


@pytest.mark.parametrize("key", BAD)
def test_fields_of_wrong_types(tmp_path, key):
    for value in BAD[key]:
        metadata = metadata_of(MODEL)
        metadata.pop(key, None)
        if value is not None:
            metadata[key] = value
        tensors.save(tmp_path / "w", {}, metadata)
        assert refused(lambda: read_model(tmp_path / "w")) == "bad-metadata", value


def test_newer_format(tmp_path):
    tensors.save(tmp_path / "w", {}, metadata_of(MODEL) | {"layerctl.format": "2", "layerctl.version": "9.0\x1b[2J"})
    assert refused(lambda: read_model(tmp_path / "w")) == "newer-format"


def test_no_model(tmp_path):
    tensors.save(tmp_path / "w", {}, {"layerctl.format": "1", "layerctl.version": "1"})
    assert refused(lambda: read_model(tmp_path / "w")) == "not-a-model-file"


def test_a_whole_number_beyond_floats(tmp_path):
    tensors.save(tmp_path / "w", {}, metadata_of(MODEL) | {"layerctl.scores": '{"a":%s}' % ("9" * 400)})
    assert read_model(tmp_path / "w").scores["a"] == math.inf
