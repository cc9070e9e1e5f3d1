"""Recurrent layers as ONNX's own operators: any batch, any length, any mask."""

import numpy as np
import onnx
import onnxruntime
import pytest

from layerctl.api import Model
from layerctl.diagnostics import LayerctlError
from layerctl.export import onnx as to_onnx

LAYERS = {
    "LSTM: {units: 4, return_sequences: true}": ["LSTM"], "GRU: 4": ["GRU"], "SimpleRNN: {units: 4, use_bias: false}": ["RNN"],
    "LSTM: {units: 5, use_bias: false, go_backwards: true}": ["LSTM"],
    "Bidirectional: {layer: {GRU: {units: 3, reset_after: false}}}": ["GRU", "GRU"],
    "Bidirectional: {layer: {LSTM: {units: 3, return_sequences: true}}, merge_mode: sum}": ["LSTM", "LSTM"],
    "RNN: {cell: [{LSTMCell: 4}, {GRUCell: 3}]}": ["LSTM", "GRU"],
}  # fmt: skip


def exported(text, path):
    """(a model with weights that are no initializer's, its ONNX file's operators, a session of it)."""
    model, rng = Model.from_yaml(text), np.random.default_rng(0)
    model.set_weights({k: rng.standard_normal(v.shape).astype(np.float32) * 0.4 for k, v in model.weights.items()})
    to_onnx.export(model, path)
    return model, [n.op_type for n in onnx.load(path).graph.node], onnxruntime.InferenceSession(str(path))


def compare(model, session, *arrays):
    theirs = session.run(None, dict(zip([i.name for i in session.get_inputs()], arrays, strict=True)))[0]
    np.testing.assert_allclose(theirs, model.predict(dict(zip(model.graph.inputs, arrays, strict=True))), atol=2e-6)


@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
@pytest.mark.parametrize("layer", LAYERS)
def test_any_batch_length_and_mask(layer, masked, tmp_path):
    text = "layerctl: 1\nmodel:\n  - Input: {shape: [null, 3]}\n" + ("  - Masking\n" if masked else "") + f"  - {layer}\n"
    model, operators, session = exported(text, tmp_path / "m.onnx")
    assert [o for o in operators if o in ("LSTM", "GRU", "RNN")] == LAYERS[layer] and operators.count("MatMul") == 0
    rng = np.random.default_rng(1)
    with model:
        for rows, steps in ((1, 1), (1, 7), (5, 23)):
            x = rng.standard_normal((rows, steps, 3)).astype(np.float32)
            if masked:
                x *= rng.random((rows, steps, 1)) < 0.5  # gaps anywhere
                x[-1] = 0  # a row of which no step counts
            compare(model, session, x)


def test_given_states(tmp_path):
    text = """
layerctl: 1
model:
  inputs: {x: {shape: [6, 3]}, y: {shape: [null, 2]}}
  layers:
    - Masking:
      from: x
    - LSTM: {units: 4, return_state: true}
      name: [last, h, c]
    - LSTM: {units: 4, return_sequences: true}
      from: {sequence: y, initial_state: [h, c]}
      name: all
    - Concatenate: {axis: -1}
      from: [all, all]
      name: out
  outputs: [out]
"""
    model, operators, session = exported(text, tmp_path / "m.onnx")
    assert operators.count("LSTM") == 2
    x = np.random.default_rng(1).standard_normal((4, 6, 3)).astype(np.float32)
    x[0, 3:], x[1] = 0, 0
    with model:
        compare(model, session, x, np.ones((4, 9, 2), np.float32))


def test_other_activations_are_written_step_by_step(tmp_path):
    text = "layerctl: 1\nmodel:\n  - Input: {shape: [5, 3]}\n  - LSTM: {units: 4, activation: relu}\n"
    model, operators, session = exported(text, tmp_path / "m.onnx")
    assert "LSTM" not in operators
    with model:
        compare(model, session, np.random.default_rng(1).standard_normal((4, 5, 3)).astype(np.float32))
    with Model.from_yaml(text.replace("5, 3", "null, 3")) as model, pytest.raises(LayerctlError, match="give the input's open dimension a size"):
        to_onnx.export(model, tmp_path / "n.onnx")


@pytest.mark.parametrize("part", ["x[:, -1]", "x[:, -3:]", "x[:, 1:-2]", "x[:, 2:5]", "x[:, -4:-1]", "x[:, ::2]", "x[:, ::-1]", "x[:, 0]", "x[:, 1:]"])
def test_parts_of_an_open_dimension(part, tmp_path):
    text = f"layerctl: 1\nmodel:\n  - Input: {{shape: [null, 3]}}\n  - Lambda: '{part} * 2'\n"
    model, _, session = exported(text, tmp_path / "m.onnx")
    with model:
        for steps in (6, 16, 21):
            compare(model, session, np.random.default_rng(1).standard_normal((2, steps, 3)).astype(np.float32))
