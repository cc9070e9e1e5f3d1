"""Looking into a model: layers' results while it trains and in predictions, and where a loss that is not finite began."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from layerctl.api import Model
from layerctl.diagnostics import LayerctlError, NumericalError
from layerctl.training.events import Observer

RNG = np.random.default_rng(8)
X = RNG.standard_normal((40, 3)).astype(np.float32)
Y = X[:, :1].copy()
HEAD = "layerctl: 1\nname: looked\nseed: 4\n"


def trained(body, x=X, y=Y, fit="{epochs: 3, batch_size: 8}", optimizer="{SGD: 0.01}", **options):
    text = f"{HEAD}{body}\ncompile: {{optimizer: {optimizer}, loss: mean_squared_error}}\nfit: {fit}\n"
    with Model.from_yaml(text, threads=1) as model:
        return model.fit(x, y, **options), model


def refused(body, **options):
    with pytest.raises(NumericalError) as caught:
        trained(body, **options)
    (diagnostic,) = caught.value.diagnostics
    (note,) = diagnostic.notes
    return diagnostic, note


MODEL = """model:
  - Input: {{shape: [3]}}
  - Dense: {{units: 3, name: before}}
  - {layer}
  - Dense: {{units: 1, name: after}}"""


def test_division_by_zero_in_a_row():
    x = X.copy()
    x[29, 1] = 0.0
    _, note = refused(MODEL.replace("Dense: {{units: 3, name: before}}", "Identity").format(layer="Lambda: {function: '1 / x', name: ratio}"), x=x)
    assert note.message == "it began in Lambda 'ratio', whose result is inf at [1], in row 29 (1 of 24 numbers are not finite)"
    assert note.span.line == 7


def test_log_of_a_negative_number_in_a_block_on_a_later_step():
    body = """define:
  Logarithmic:
    layers:
      - Dense: {units: 2, name: inner, kernel_initializer: zeros, bias_initializer: ones}
      - Lambda: {function: log(x), name: log}
""" + MODEL.format(layer="{Logarithmic: {}, name: block}").replace("units: 3, name: before", "units: 3, name: before, trainable: false")
    diagnostic, note = refused(body, y=np.full_like(Y, -30.0), optimizer="{SGD: 0.1}", fit="{epochs: 30, batch_size: 8}")
    assert "became NaN or infinite at step " in diagnostic.message and "at step 1 " not in diagnostic.message
    assert note.message.startswith("it began in Lambda 'block/log', whose result is nan at [") and note.span.line == 8


def test_a_gradient_that_is_not_finite_shows_in_the_weights():
    body = MODEL.format(layer="Lambda: {function: 'sqrt(x * 0)', name: root}")
    diagnostic, note = refused(body)
    assert "at step 2" in diagnostic.message
    assert note.message == "the weight 'before/kernel' was not finite before that step: a gradient of the step before was not"


def test_a_gradient_of_the_last_step_is_no_model(tmp_path):
    """No loss comes after it: the weights tell, before a checkpoint of them is written over a good one."""
    body = MODEL.format(layer="Lambda: {function: 'sqrt(x * 0)', name: root}")
    diagnostic, note = refused(body, fit="{epochs: 1, batch_size: 40}", run=tmp_path / "run")
    assert diagnostic.code == "loss-not-finite" and diagnostic.message == "the weights became NaN or infinite by step 1"
    assert note.message == "the weight 'before/kernel' is not finite: a gradient of that step, or of one shortly before, was not"
    assert not list((tmp_path / "run").rglob("*.safetensors"))


def test_data_and_losses():
    x, y = X.copy(), Y.copy()
    x[3, 2] = np.nan
    _, note = refused(MODEL.format(layer="ReLU"), x=x)
    assert note.message == "it began in the data: the input 'input' is nan at [2], in row 3 (1 of 24 numbers are not finite)"
    y[5] = np.inf
    _, note = refused(MODEL.format(layer="ReLU"), y=y)
    assert note.message.startswith("it began in the data: the target 'after' is inf at [0], in row 5")
    _, note = refused(MODEL.format(layer="ReLU"), y=np.full_like(Y, 1e30))
    assert note.message == "it began in the loss: the results of all layers are finite"


def test_dropout_s_numbers_are_those_of_the_step():
    """The pass that looks draws what the step drew: only what dropout lets through overflows."""
    blow = "Lambda: {function: 'where(x > 0, x / 0, x)', name: blow}"
    body = MODEL.replace("Dense: {{units: 3, name: before}}", "Dropout: 0.99").format(layer=blow)
    diagnostic, note = refused(body, x=np.ones_like(X), fit="{epochs: 99, batch_size: 8}")
    assert "at step 1 " not in diagnostic.message
    assert note.message.startswith("it began in Lambda 'blow', whose result is inf at [")


class Heard(Observer):
    def __init__(self):
        self.seen = []

    def layer(self, shown):
        self.seen.append(shown)


PRINTED = """define:
  Pair:
    layers:
      - {Dense: 2, name: first, print: true}
      - Dense: {units: 2, name: second}
model:
  - Input: {shape: [3]}
  - {Dense: 4, name: wide, print: a label}
  - {Pair: {}, name: pair}
  - {Dense: 1, print: false}"""


def test_print_shows_the_first_batch_once_an_epoch():
    heard = Heard()
    fit = "{epochs: 3, batch_size: 8, shuffle: false}"
    _, model = trained(PRINTED, observer=heard, fit=fit)
    assert [(s.epoch, s.layer, s.text, s.shape) for s in heard.seen] == [
        (e, *rest) for e in (1, 2, 3) for rest in (("wide", "a label", (8, 4)), ("pair/first", "", (8, 2)))
    ]
    _, untouched = trained(PRINTED.replace("print: true", "print: false").replace(", print: a label", ""), fit=fit)
    assert all(np.array_equal(a, untouched.weights[k]) for k, a in model.weights.items())
    with Model.from_yaml(f"{HEAD}{PRINTED}\ncompile: {{optimizer: sgd, loss: mse}}\n", threads=1) as fresh:
        expected = fresh.predict(X[:8], layers=["wide"])["wide"]
    one = heard.seen[0]
    assert (one.least, one.mean, one.greatest) == pytest.approx((expected.min(), expected.mean(), expected.max()), rel=1e-6)
    assert one.first == pytest.approx(expected.reshape(-1)[:4].tolist()) and one.dtype == "float32"


def test_print_takes_a_flag_or_a_text():
    with pytest.raises(LayerctlError, match="'print' must be true, false or a text, got 3"):
        Model.from_yaml(HEAD + PRINTED.replace("print: true", "print: 3"))


def test_predict_inner_layers_beside_keras():
    with Model.from_yaml(f"{HEAD}{PRINTED}", threads=1) as model:
        found = model.predict(X, layers=["pair/first", "pair", "wide", "input"])
        weights = list(model.weights.values())
        with pytest.raises(LayerctlError, match="no layer 'pair/frist'; did you mean 'pair/first'"):
            model.predict(X, layers=["pair/frist"])
    inputs = keras.Input((3,))
    wide = keras.layers.Dense(4)(inputs)
    first = keras.layers.Dense(2)(wide)
    pair = keras.layers.Dense(2)(first)
    theirs = keras.Model(inputs, [first, pair, wide, keras.layers.Dense(1)(pair)])
    theirs.set_weights(weights)
    for name, expected in zip(("pair/first", "pair", "wide"), theirs.predict(X, verbose=0), strict=False):
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found["input"], X)


def test_a_layer_used_twice_and_one_within_a_wrapper():
    body = """model:
  inputs: {a: {shape: [4, 3]}, b: {shape: [4, 3]}}
  layers:
    - {TimeDistributed: {layer: {Dense: 2}}, name: each, from: a}
    - {use: each, name: again, from: b}
    - {Concatenate: {}, from: [each, again], name: both}
    - GlobalAveragePooling1D
    - Dense: 1"""
    a, b = (RNG.standard_normal((5, 4, 3)).astype(np.float32) for _ in range(2))
    with Model.from_yaml(HEAD + body, threads=1) as model:
        found = model.predict({"a": a, "b": b}, layers=["each", "again", "both"])
        swapped = model.predict({"a": b, "b": a}, layers=["again"])
    np.testing.assert_array_equal(found["both"], np.concatenate([found["each"], found["again"]], -1))
    np.testing.assert_array_equal(found["each"], swapped["again"])


def test_on_the_command_line(tmp_path):
    rows = "".join(f"{a:.4f},{b:.4f},{a - b:.4f}\n" for a, b in X[:, :2])
    (tmp_path / "rows.csv").write_text("a,b,t\n" + rows)
    data = "data: {source: rows.csv, features: {x: {columns: [a, b]}}, target: {column: t, kind: number, scale: standard}}\n"
    model = PRINTED.replace("  - Input: {shape: [3]}\n", "").replace("{units: 2, name: second}", "{units: 1, name: second}")
    (tmp_path / "m.yaml").write_text(f"{HEAD}{data}{model}\ncompile: {{optimizer: sgd, loss: mse}}\nfit: {{epochs: 2}}\n")

    def layerctl(*arguments):
        return subprocess.run([sys.executable, "-m", "layerctl", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=300, env=os.environ)

    done = layerctl("train", "m.yaml", "--out", "run", "--json")
    assert done.returncode == 0, done.stderr
    seen = [r for r in map(json.loads, done.stdout.splitlines()) if r.get("event") == "layer"]
    assert [(r["epoch"], r["layer"], r["text"]) for r in seen] == [(e, *r) for e in (1, 2) for r in (("wide", "a label"), ("pair/first", ""))]
    assert set(seen[0]) == {"event", "epoch", "layer", "text", "shape", "dtype", "min", "mean", "max", "first"}
    plain = layerctl("train", "m.yaml", "--out", "other")
    assert sum(line.startswith("epoch 1  a label  wide (32, 4) float32  min ") for line in plain.stderr.splitlines()) == 1
    one = layerctl("predict", "run", "rows.csv", "--layer", "pair/first")
    assert one.returncode == 0 and one.stdout.splitlines()[0] == "prediction_0,prediction_1" and one.stdout.count("\n") == 41
    several = layerctl("predict", "run", "rows.csv", "--layer", "pair", "--layer", "wide", "--format", "jsonl")
    row = json.loads(several.stdout.splitlines()[0])
    assert set(row) == {"pair_prediction", *(f"wide_prediction_{i}" for i in range(4))}
    # an inner number is not in the target's unit: it stays as it is
    from layerctl.api import load

    with load(tmp_path / "run") as loaded:
        piece = next(iter(loaded.predict_stream(str(tmp_path / "rows.csv"), layers=("pair",))))
    assert row["pair_prediction"] == pytest.approx(float(piece.arrays["pair"][0, 0]), rel=1e-6)
    wrong = layerctl("predict", "run", "rows.csv", "--layer", "pear")
    assert wrong.returncode == 2 and "did you mean 'pair'" in wrong.stderr and "[unknown-layer]" in wrong.stderr
