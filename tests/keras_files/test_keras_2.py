"""Models of Keras 2 with TensorFlow's functions between layers: `keras_2_functions.json` was written, and computed, by tf_keras 2.21."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from layerctl import Model
from layerctl.diagnostics import LayerctlError
from layerctl.importing.keras import import_model

SAVED = json.loads((Path(__file__).parent / "keras_2_functions.json").read_text())


def written(folder, change=lambda layers: None):
    """The model as a file of its own, changed."""
    model = json.loads(json.dumps(SAVED["model"]))
    change({layer["name"]: layer for layer in model["config"]["layers"]})
    (folder / "old.json").write_text(json.dumps(model))
    return folder / "old.json"


def test_all_functions_compute_what_keras_2_computes(tmp_path):
    command = [sys.executable, "-m", "layerctl", "import", str(written(tmp_path)), "-o", str(tmp_path / "new.yaml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with Model.from_yaml(tmp_path / "new.yaml") as ours:
        found = ours.predict({n: np.array(SAVED[n], np.float32) for n in ("a", "b")})
    assert len(found) == len(SAVED["outputs"])
    for (name, ours), theirs in zip(found.items(), SAVED["outputs"], strict=True):
        assert ours.shape == tuple(theirs["shape"]), name
        np.testing.assert_allclose(ours.ravel(), theirs["numbers"], rtol=2e-5, atol=2e-6, err_msg=name)


def test_a_size_stands_where_it_is_used(tmp_path):
    import_model(written(tmp_path), tmp_path / "new.yaml")
    text = (tmp_path / "new.yaml").read_text()
    assert "reshape(x, [shape(x)[0], -1])" in text and "tf.compat.v1.shape" not in text


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("tf.nn.silu", {"function": "raw_ops.Exotic"}, "calls TensorFlow's function 'tf.raw_ops.Exotic', which has no form here"),
        ("tf.math.cumsum", {"exclusive": True}, "calls TensorFlow's function 'tf.math.cumsum' with exclusive=True"),
    ],
)
def test_what_has_no_form_is_named_and_nothing_is_written(name, change, said, tmp_path):
    def changed(layers):
        layer = layers[name]
        where = layer["config"] if "function" in change else layer["inbound_nodes"][0][3]
        where |= change

    with pytest.raises(LayerctlError) as error:
        import_model(written(tmp_path, changed), tmp_path / "new.yaml")
    assert [d.code for d in error.value.diagnostics] == ["cannot-import"]
    assert f"layer '{name}': {said}" in str(error.value)
    assert not (tmp_path / "new.yaml").exists()
