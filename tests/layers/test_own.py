"""Blocks that ask for sizes, layers with inputs by name and several results, losses and metrics by expressions."""

import numpy as np
import pytest

from layerctl.api import Model
from layerctl.diagnostics import LayerctlError

X = np.random.default_rng(0).standard_normal((6, 5, 8)).astype(np.float32)
TEXT = """
layerctl: 1
define:
  Squeeze:
    args: {ratio: 2}
    layers:
      - Dense: {units: "${input[-1] // ratio}", activation: relu}
      - Dense: "${input[-1]}"
        name: wide
      - Add:
        from: [input, wide]
  Film:
    inputs: [x, condition]
    weights:
      scale: {shape: ["${condition[-1]}", "${x[-1]}"]}
    call: x * (condition @ scale)
  Halves: {call: "split(x, 2, axis=-1)"}
model:
  inputs: {input: {shape: [5, 8]}}
  layers:
    - Squeeze: 4
      repeat: 2
      name: first
    - Halves:
      name: [left, right]
    - Film:
      from: {condition: right, x: left}
      name: out
  outputs: [out]
"""


def refused(text):
    with pytest.raises(LayerctlError) as caught:
        Model.from_yaml(text)
    return [(d.code, d.message) for d in caught.value.diagnostics]


def test_sizes_names_and_results():
    with Model.from_yaml(TEXT) as model:
        w = model.weights
        assert [a.shape for n, a in w.items() if n.endswith("kernel")] == [(8, 2), (2, 8)] * 2 and w["out/scale"].shape == (4, 4)
        y = X
        for name in ("first_1", "first"):
            hidden = np.maximum(y @ w[f"{name}/dense/kernel"] + w[f"{name}/dense/bias"], 0)
            y = y + hidden @ w[f"{name}/wide/kernel"] + w[f"{name}/wide/bias"]
        np.testing.assert_allclose(model.predict(X), y[..., :4] * (y[..., 4:] @ w["out/scale"]), atol=1e-5)


def test_mistakes_in_own_layers():
    assert refused(TEXT.replace("condition: right, x: left", "conditon: right, x: left"))[0] == (
        "unknown-argument", "Film takes no 'conditon' at its call; did you mean 'condition'?")  # fmt: skip
    assert refused(TEXT.replace("condition: right, x: left", "x: left"))[0] == ("missing-argument", "Film needs condition at its call")
    assert refused(TEXT.replace("input[-1] // ratio", "input[-1] // rato"))[0][0] == "unknown-variable"
    open_size = TEXT.replace("shape: [5, 8]", "shape: [5, null]")
    assert "unsupported operand" in refused(open_size)[0][1] or "None" in refused(open_size)[0][1]


JUDGED = """
layerctl: 1
define:
  Pinball: {args: {q: 0.5}, call: "maximum(q * (y_true - y_pred), (q - 1) * (y_true - y_pred))"}
  Within: {args: {by: 0.5}, call: "mean(cast(abs(y_true - y_pred) < by, 'float32'))"}
model:
  - Input: {shape: [3]}
  - Dense: 1
compile:
  optimizer: {SGD: {learning_rate: 0.1}}
  loss: {Pinball: {q: 0.9}}
  metrics: [mae, {Within: {by: 1.0}}]
fit: {epochs: 1, batch_size: 4}
"""


def test_own_losses_and_metrics():
    x = np.random.default_rng(0).standard_normal((10, 3)).astype(np.float32)
    y = x.sum(1, keepdims=True)
    with Model.from_yaml(JUDGED) as model:
        scores = model.evaluate(x, y)
        d = y - model.predict(x)
    assert scores["loss"] == pytest.approx(float(np.maximum(0.9 * d, -0.1 * d).mean()), rel=1e-5)
    assert scores["within"] == pytest.approx(float((np.abs(d) < 1).mean()), rel=1e-6)


def test_mistakes_in_own_judges():
    assert refused(JUDGED.replace("{Pinball:", "{Pinbal:").replace("loss: {Pinbal: {q: 0.9}}", "loss: Pinbal"))[0] == (
        "unknown-loss", "there is no loss 'Pinbal'; did you mean 'Pinball'?")  # fmt: skip
    assert refused(JUDGED.replace("{q: 0.9}", "{p: 0.9}"))[0][1] == "Pinball has no argument 'p'"
    assert refused(JUDGED.replace('y_pred))"}', 'y_pred))", weights: {w: {shape: [1]}}}', 1))[0][0] == "unknown-key"
