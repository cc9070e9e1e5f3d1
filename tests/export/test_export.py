"""Exported files beside layerctl: layers and raw columns as ONNX, weights as npz."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from layerctl.api import Model
from layerctl.commands.export import targets
from layerctl.data.features import encode_feature
from layerctl.data.table import Table
from layerctl.diagnostics import LayerctlError
from layerctl.export import npz, onnx
from layerctl.ops.softmax import Softmax
from layerctl.ops.value import Op

ROOT = Path(__file__).parents[2]


FUNCTIONAL = """
layerctl: 1
name: many
model:
  inputs: {a: {shape: [6, 8]}, ids: {shape: [6], dtype: int32}}
  layers:
    - Embedding: {input_dim: 11, output_dim: 8, mask_zero: true}
      from: ids
      name: words
    - Bidirectional: {layer: {LSTM: {units: 3, return_sequences: true}}, merge_mode: concat}
      name: both
    - GRU: {units: 4, reset_after: false}
      from: both
      name: gru
    - Conv1D: {filters: 5, kernel_size: 3, padding: causal, dilation_rate: 2, activation: gelu}
      from: a
      name: conv
    - LayerNormalization
    - AveragePooling1D: {pool_size: 2, padding: same}
    - GlobalMaxPooling1D
      name: top
    - Lambda: "logsumexp(x, axis=-1, keepdims=True) + clip(x, -1, 1) ** 2 % 0.7"
      from: top
      name: mixed
    - Concatenate:
      from: [gru, mixed]
      name: all
    - Dense: {units: 3, activation: softmax}
      name: out
      from: all
  outputs: [out, gru]
"""


def test_many_ops_with_an_open_batch(tmp_path):
    text = FUNCTIONAL.replace("    - GlobalMaxPooling1D\n      name: top", "    - GlobalMaxPooling1D:\n      name: top")
    with Model.from_yaml(text) as model:
        assert onnx.export(model, tmp_path / "m.onnx").difference <= 1e-4


def test_whole_numbers_below_zero_and_an_input_as_a_result(tmp_path):
    text = """
layerctl: 1
model:
  inputs: {input: {shape: [7]}}
  layers:
    - Lambda: "cast(x * 3, 'int32') // 2"
      name: halves
    - Lambda: "one_hot(x, 3)"
      name: hot
  outputs: [halves, hot, input]
"""
    with Model.from_yaml(text) as model:
        onnx.export(model, tmp_path / "m.onnx")
        x = np.random.default_rng(0).standard_normal((9, 7)).astype(np.float32)
        found = onnxruntime.InferenceSession(str(tmp_path / "m.onnx")).run(list(model.graph.outputs), {"input": x})
        for theirs, ours in zip(found, model.predict(x).values(), strict=True):
            np.testing.assert_array_equal(theirs, ours)


CONV = "Conv2D: {filters: 2, kernel_size: 3"
DEEP = f"[{{{CONV}, strides: 2}}}}, MaxPooling2D, MaxPooling2D, {{{CONV}}}}}, MaxPooling2D, GlobalAveragePooling2D]"
OF_ANY_SIZE = {
    "over time": ("[null, 3]", "[GlobalAveragePooling1D, {Dense: 2}]", [(5,), (33,)]),
    "groups": ("[null, 4]", "[{GroupNormalization: 2}]", [(7,), (20,)]),
    "over the batch": ("[4]", "[{Lambda: 'x - mean(x, axis=0)'}]", [()]),
    "small images, which leave one line": ("[null, null, 1]", DEEP, [(50, 66), (90, 70)]),
}


@pytest.mark.parametrize("name", OF_ANY_SIZE)
def test_means_over_open_dimensions(name, tmp_path):
    shape, layers, sizes = OF_ANY_SIZE[name]
    text = f"layerctl: 1\nmodel: [{{Input: {{shape: {shape}}}}}, {layers[1:]}\n"
    with Model.from_yaml(text) as model:
        onnx.export(model, tmp_path / "m.onnx")
        session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
        for rows, size in [(n, s) for n in (1, 3) for s in sizes]:
            x = np.random.default_rng(0).standard_normal((rows, *size, int(shape[1:-1].split(",")[-1]))).astype(np.float32)
            np.testing.assert_allclose(session.run(None, {"input": x})[0], model.predict(x), atol=1e-6)


def test_what_onnx_cannot_say_is_named_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(Softmax, "onnx", Op.onnx)
    named = pytest.raises(LayerctlError, match=r"has no form for 'softmax' of dense_1 \[cannot-export\]")
    with Model.from_yaml(ROOT / "configs" / "iris.yaml") as model, named:
        onnx.export(model, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_a_function_that_onnx_lacks_is_named(tmp_path):
    text = 'layerctl: 1\nmodel: [{Input: {shape: [3]}}, {Lambda: "erfinv(x)"}]\n'
    named = pytest.raises(LayerctlError, match=r"has no form for 'elementwise' of lambda: ONNX has no function 'erf_inv' \[cannot-export\]")
    with Model.from_yaml(text) as model, named:
        onnx.export(model, tmp_path / "m.onnx")


def test_a_result_that_differs_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(Softmax, "onnx", lambda op, c, n: c.done(n, c.add("Sigmoid", [c.name(n.inputs[0])])))
    with Model.from_yaml(ROOT / "configs" / "iris.yaml") as model, pytest.raises(LayerctlError, match="export-differs"):
        onnx.export(model, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_weights_as_npz(tmp_path, monkeypatch):
    with Model.from_yaml(ROOT / "configs" / "iris.yaml") as model:
        npz.export(model, tmp_path / "a.npz")
        npz.export(model, tmp_path / "b.npz")
        with np.load(tmp_path / "a.npz") as found:
            assert {k: v.tolist() for k, v in found.items()} == {k: v.tolist() for k, v in model.weights.items()}
        kept = (tmp_path / "a.npz").read_bytes()
        assert kept == (tmp_path / "b.npz").read_bytes()
        model.set_weights({**model.weights, "dense/bias": np.full(16, np.nan, np.float32)})
        npz.export(model, tmp_path / "b.npz")  # they are what they are
        written = np.lib.format.write_array
        monkeypatch.setattr(np.lib.format, "write_array", lambda body, array, **_: written(body, array + 1))
        with pytest.raises(LayerctlError, match="export-differs"):
            npz.export(model, tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == kept
    assert targets() == ["c", "keras", "npz", "onnx", "python"]


@pytest.mark.parametrize("layer", [
    "Conv2DTranspose: {filters: 3, kernel_size: 3, strides: 2, padding: same}", "Conv2DTranspose: {filters: 3, kernel_size: 2, strides: 3}",
    "SeparableConv2D: {filters: 4, kernel_size: 3, dilation_rate: 2}", "GroupNormalization: {groups: 2}", "AdaptiveMaxPooling2D: 3",
    "AdaptiveAveragePooling2D: 3",
    "UpSampling2D: {size: 2, interpolation: bicubic}", "PReLU", "MultiHeadAttention: {num_heads: 2, key_dim: 3}",
    "EinsumDense: {equation: '...x,xy->...y', output_shape: 6, bias_axes: y}", "Activation: sparsemax", "ZeroPadding2D: 1", "Resizing: {height: 5, width: 9}",
    "Lambda: 'cumsum(x, axis=1) + sort(x, axis=2)'", "RandomRotation: 0.2", "RMSNormalization",
])  # fmt: skip
def test_layers_as_onnx(layer, tmp_path):
    text = f"layerctl: 1\nname: m\nmodel:\n  - Input: {{shape: [7, 8, 4]}}\n  - {layer}\n  - Flatten\n  - Dense: 2\n"
    with Model.from_yaml(text) as model:
        assert onnx.export(model, tmp_path / "m.onnx").difference <= 1e-4


def test_what_onnx_has_no_form_for_is_named_all_at_once(tmp_path):
    text = "layerctl: 1\nname: m\nmodel:\n  - Input: {shape: [7]}\n  - Lambda: 'cumprod(x, axis=1)'\n  - Dense: 3\n  - Lambda: 'cumprod(x, axis=1)'\n"
    with Model.from_yaml(text) as model, pytest.raises(LayerctlError) as caught:
        onnx.export(model, tmp_path / "m.onnx")
    assert [d.span.line for d in caught.value.diagnostics] == [5, 7]
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_config_as_onnx_from_raw_columns(path, tmp_path):
    with Model.from_yaml(path) as model:
        report = onnx.export(model, tmp_path / "m.onnx", raw=True)
    assert report.difference <= 1e-4 and report.rows >= 20
    assert [n.split("'")[1] for n in report.notes] == (["words"] if path.stem == "messages" else [])


def test_raw_columns_with_what_is_missing_and_what_is_new(tmp_path):
    rows = ["12.5,a b,x,2020-01-02,no", "?,c,x,2020-02-03,yes", "20,NA,y,2021-03-04,no", "7,a b,,2022-01-01,yes"] * 8
    (tmp_path / "t.csv").write_text("n,job,city,day,class\n" + "\n".join(rows))
    (tmp_path / "t.yaml").write_text("""
layerctl: 1
name: t
data:
  source: t.csv
  features:
    both: {columns: [n, job], missing: most_frequent}
    ids: {columns: [job, city], kind: category, encode: index, missing: constant, constant: x}
    day: {columns: [day]}
  target: class
model:
  inputs: {both: {shape: ["${features.both.width}"]}, ids: {shape: [2], dtype: int32}, day: {shape: [20]}}
  layers:
    - Embedding: {input_dim: "${features.ids.size}", output_dim: 3}
      from: ids
    - Flatten:
      name: e
    - Concatenate:
      from: [both, e, day]
    - Dense: {units: 1, activation: sigmoid}
      name: out
  outputs: [out]
compile: {loss: binary_crossentropy}
""")
    with Model.from_yaml(tmp_path / "t.yaml") as model:
        report = onnx.export(model, tmp_path / "t.onnx", raw=True)
        assert report.notes == ("'day' takes the encoded feature: ONNX has no dates",)
        session = onnxruntime.InferenceSession(str(tmp_path / "t.onnx"))
        assert [i.name for i in session.get_inputs()] == ["day", "n", "job", "city"]
        (tmp_path / "new.csv").write_text("n,job,city,day\n?,never seen,y,2021-01-01\n-3e2,?,,2021-01-01\n")
        wanted = [p for piece in model.predict_stream(str(tmp_path / "new.csv")) for p in piece.arrays["out"].ravel()]
        day = encode_feature("day", Table("new", {"day": ["2021-01-01"] * 2}), model.schema.features["day"])
        texts = {"job": [["never seen"], ["?"]], "city": [["y"], [""]]}
        given = {"n": np.array([[np.nan], [-300.0]]), "day": day, **{k: np.array(v, object) for k, v in texts.items()}}
        np.testing.assert_allclose(session.run(["out"], given)[0].ravel(), wanted, rtol=1e-5)
