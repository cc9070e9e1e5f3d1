"""Layers and blocks that a file defines, beside compositions of built-in ones."""

import numpy as np
import pytest

from layerctl.api import Model
from layerctl.diagnostics import LayerctlError

RNG = np.random.default_rng(5)
HEAD = "layerctl: 1\nname: m\n"


def model(define, layers, inputs="{x: {shape: [5, 4]}}", outputs="[out]", extra=""):
    return Model.from_yaml(f"{HEAD}define:\n{define}\nmodel:\n  inputs: {inputs}\n  layers:\n{layers}\n  outputs: {outputs}\n{extra}")


def test_weights_and_an_expression():
    m = model("""  Mine:
    args: {units: 3}
    weights:
      w: {shape: ["${input[-1]}", "${units * 2}"]}
      b: {shape: ["${units * 2}"], initializer: {Constant: 0.5}}
    call: relu(x @ w + b)""", "    - Mine: {units: 2}\n      name: out")  # fmt: skip
    x = RNG.standard_normal((3, 5, 4)).astype(np.float32)
    w = m.weights
    assert {k: v.shape for k, v in w.items()} == {"out/w": (4, 4), "out/b": (4,)}
    np.testing.assert_allclose(m.predict(x), np.maximum(x @ w["out/w"] + w["out/b"], 0), rtol=1e-5, atol=1e-6)


CELL = """  MyCell:
    args: {units: 6}
    weights:
      w: {shape: ["${input[-1]}", "${units}"]}
      u: {shape: ["${units}", "${units}"], initializer: orthogonal}
    state: {h: "${units}"}
    call: tanh(x @ w + h @ u)"""


def test_a_cell_of_ones_own_is_carried_over_time():
    m = model(CELL, "    - RNN: {cell: {MyCell: {units: 6}}, return_sequences: true}\n      name: out\n      from: x")
    x = RNG.standard_normal((3, 5, 4)).astype(np.float32)
    w, u = m.weights.values()
    h, want = np.zeros((3, 6)), []
    for t in range(5):
        h = np.tanh(x[:, t] @ w + h @ u)
        want.append(h)
    np.testing.assert_allclose(m.predict(x), np.stack(want, 1), rtol=1e-5, atol=1e-6)


def test_initial_state_and_constants():
    define = """  Plus:
    args: {units: 4}
    state: {h: "${units}"}
    call: x + h * constant
    next: {h: output * 0.5}"""
    m = model(define, "    - RNN: {cell: Plus}\n      name: out\n      from: {sequence: x, initial_state: s, constants: c}",
              "{x: {shape: [3, 4]}, s: {shape: [4]}, c: {shape: [4]}}")  # fmt: skip
    x, s, c = (RNG.standard_normal(n).astype(np.float32) for n in ((2, 3, 4), (2, 4), (2, 4)))
    h = s
    for t in range(3):
        out = x[:, t] + h * c
        h = out * 0.5
    np.testing.assert_allclose(m.predict({"x": x, "s": s, "c": c}), out, rtol=1e-5, atol=1e-6)


def test_state_is_updated_in_training_alone_and_before_the_call():
    m = model("""  Sum:
    weights:
      total: {shape: ["${input[-1]}"], initializer: zeros, trainable: false}
    update: {total: "total + sum(x, axis=0)"}
    call: x * 0.0 + total""", "    - Sum\n    - Dense: {units: 2, kernel_initializer: ones}\n      name: out", "{x: {shape: [2]}}",
              extra="compile: {optimizer: sgd, loss: mse}\nfit: {epochs: 2, batch_size: 2, shuffle: false}\n")  # fmt: skip
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    assert m.predict(x)[0, 0] == 0.0
    m.fit(x, np.zeros((4, 2), np.float32))
    np.testing.assert_allclose(m.weights["sum/total"], 2 * x.sum(0))


def test_blocks_are_used_again_with_their_own_weights():
    m = model("""  Twice:
    args: {units: 3}
    layers:
      - Dense: {units: "${units}", activation: tanh}
        name: first
      - Dense: "${units}"
      - Add:
        from: [first, dense]""", "    - Twice: {units: 4}\n      repeat: 2\n    - Flatten:\n      name: out")  # fmt: skip
    assert sorted(m.weights) == sorted(f"{b}/{d}/{w}" for b in ("twice", "twice_1") for d in ("first", "dense") for w in ("kernel", "bias"))
    assert m.predict(RNG.standard_normal((2, 5, 4)).astype(np.float32)).shape == (2, 20)


def test_a_penalty_is_added_to_the_loss():
    m = model("""  Penal:
    weights: {w: {shape: ["${input[-1]}"], initializer: ones}}
    call: x * w
    add_loss: sum(square(w)) * 3""", "    - Penal:\n      name: out", "{x: {shape: [2]}}", extra="compile: {optimizer: sgd, loss: mse}\n")  # fmt: skip
    zero = np.zeros((4, 2), np.float32)
    np.testing.assert_allclose(m.gradients(zero, zero)["out/w"], [6.0, 6.0])


def test_stateful_layers_go_on_from_batch_to_batch():
    text = "    - LSTM: {units: 3, stateful: true}\n      name: out\n      from: x"
    m = model("  Unused: {call: x}", text, "{x: {shape: [2, 4]}}", extra="fit: {batch_size: 2}\n")
    whole = model("  Unused: {call: x}", text.replace(", stateful: true", ""), "{x: {shape: [4, 4]}}")
    whole.set_weights([v for k, v in m.weights.items() if "state_" not in k])
    x = RNG.standard_normal((2, 4, 4)).astype(np.float32)
    halves = np.concatenate([x[:, :2], x[:, 2:]])
    np.testing.assert_allclose(m.predict(halves, batch_size=2)[2:], whole.predict(x), rtol=1e-5, atol=1e-6)


def test_mistakes_in_definitions_have_their_places():
    with pytest.raises(LayerctlError, match=r"<text>:5:11: error: there is no function 'tahnn'"):
        model("  Mine:\n    call: tahnn(x)", "    - Mine:\n      name: out")
