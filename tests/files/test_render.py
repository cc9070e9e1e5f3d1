"""`layerctl render`: everything filled in means the same; `--diff` sees meanings and no spellings."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from layerctl.api import Model
from layerctl.catalogue import catalogue
from layerctl.commands.examples import example_of
from layerctl.commands.render import diff, render

CONFIGS = Path(__file__).parents[2] / "configs"
FILE = """layerctl: 1
vars: {width: 16}
define:
  Pair:
    args: {n: 4}
    layers:
      - Dense: ${n}
      - Dense: {units: "${n}", activation: relu}
model:
  - Input: [6, 6, 1]
  - Conv2D: {filters: 4, kernel_size: 3}
  - Flatten
  - Pair: ${width}
  - Dense: 1
    name: out
compile:
  optimizer: adam
  loss: mse
  metrics: [mae]
"""


def run(arguments, folder, **more):
    command = [sys.executable, "-m", "layerctl", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env={**os.environ, "GITHUB_ACTIONS": ""}, **more)


def lines(folder, a, b):
    """Differences of two texts."""
    for name, text in (("a", a), ("b", b)):
        (folder / f"{name}.yaml").write_text(text)
    return [str(d) for d in diff(str(folder / "a.yaml"), str(folder / "b.yaml"))]


def same_model(source, rendered):
    first, second = Model.from_yaml(source), Model.from_yaml(rendered)
    a, b = first.weights, second.weights
    assert list(a) == list(b)
    assert all(a[k].dtype == b[k].dtype and a[k].tobytes() == b[k].tobytes() for k in a)
    assert [list(o.metrics) for o in first.outputs.values()] == [list(o.metrics) for o in second.outputs.values()]


@pytest.mark.parametrize("config", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.stem)
def test_each_config_builds_to_the_same_weights(config, tmp_path):
    shutil.copytree(CONFIGS / "data", tmp_path / "data")
    done = run(["render", str(config)], tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / config.name).write_text(done.stdout)
    same_model(config, tmp_path / config.name)
    again = run(["render", config.name], tmp_path)
    assert again.stdout == done.stdout
    compared = run(["render", "--diff", str(config), config.name], tmp_path)
    assert (compared.returncode, compared.stdout) == (0, "")


@pytest.mark.parametrize("name", [n for n in catalogue("layers").entries if n != "Input"])
def test_each_layer_with_all_its_arguments_is_the_same_layer(name):
    text = example_of(name).yaml
    rendered = render(text).text
    same_model(text, rendered)
    assert render(rendered).text == rendered


def test_what_is_filled_in():
    plain = render(FILE).text
    for part in ("kernel_size: [3, 3]", "strides: [1, 1]", "glorot_uniform: {", "Pair: {n: \"${width}\"}", "n: 4",
                 "learning_rate: 0.001", "epochs: 10", "seed: 0",
                 "mean_absolute_error:", "name: mae", "width: 16", "beta_1: 0.9"):  # fmt: skip
        assert part in plain, (part, plain)
    changed = render(FILE, overrides=["vars.width=3", "fit.epochs=2"], seed=9).text
    assert "width: 3" in changed and "epochs: 2" in changed and "seed: 9" in changed


def test_standard_input_and_json(tmp_path):
    done = run(["render", "-", "--json"], tmp_path, input=FILE)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"].startswith("layerctl: 1\n")


def test_mistakes_are_diagnostics(tmp_path):
    (tmp_path / "m.yaml").write_text(FILE.replace("relu", "rellu"))
    done = run(["render", "m.yaml"], tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and "m.yaml:8:44: error: there is no activation 'rellu'" in done.stderr
    for arguments in (["render", "--diff", "m.yaml"], ["render", "m.yaml", "m.yaml"], ["render", "--diff", "m.yaml", "m.yaml", "--seed", "1"]):
        assert run(arguments, tmp_path).returncode == 2
    assert "[file-not-found]" in run(["render", "--diff", "m.yaml", "none.yaml"], tmp_path).stderr


@pytest.mark.parametrize(("old", "new"), [
    ("optimizer: adam", "optimizer: {Adam: {learning_rate: 1.0e-3, beta_2: 0.999}}"),
    ("loss: mse", "loss: {MeanSquaredError: {reduction: sum_over_batch_size}}"),
    ("loss: mse", "loss: MeanSquaredError"),
    ("kernel_size: 3", "kernel_size: [3, 3], strides: 1, kernel_initializer: {GlorotUniform: {seed: null}}"),
    ("- Flatten", "- Flatten: {}"),
    ("- Dense: 1\n", "- Dense: {use_bias: true, units: 1}\n"),
    ("Pair: ${width}", "Pair: {n: 16}"),
    ("args: {n: 4}", "args: {n: 4}    # a comment"),
    ("width: 16", "w: 3, width: 16"),
    ("metrics: [mae]", "metrics: [mae]\nfit: {epochs: 10, shuffle: true}"),
    ("layerctl: 1\n", "layerctl: 1\nname: a\nseed: 0\n"),
])  # fmt: skip
def test_spellings_make_no_difference(tmp_path, old, new):
    assert old in FILE
    assert lines(tmp_path, FILE, FILE.replace(old, new)) == []
    sections = FILE.split("compile:")
    assert lines(tmp_path, FILE, "compile:" + sections[1].replace("  loss: mse\n", "") + "  loss: mse\n" + sections[0]) == []


@pytest.mark.parametrize(("old", "new", "expected"), [
    ("optimizer: adam", "optimizer: {Adam: {learning_rate: 0.01}}", ["compile.optimizer.Adam.learning_rate: 0.001 → 0.01"]),
    ("optimizer: adam", "optimizer: {SGD: 0.1}", ["compile.optimizer: Adam → {SGD: {learning_rate: 0.1}}"]),
    ("kernel_size: 3", "kernel_size: [3, 5]", ["model.1.Conv2D.kernel_size: [3, 3] → [3, 5]"]),
    ("width: 16", "width: 8", ["model.3.Pair.n: 16 → 8"]),
    ("activation: relu", "activation: tanh", ["define.Pair.layers.1.Dense.activation: relu → tanh"]),
    ("- Flatten", "- Dropout: 0.5\n  - Flatten", ["model.2: nothing → {Dropout: {rate: 0.5}}"]),
    ("  - Dense: 1\n    name: out\n", "", ["model.out: {Dense: {units: 1}, name: out} → nothing"]),
    ("- Dense: 1\n", "- Dense: {units: 1, use_bias: false}\n", ["model.out.Dense.use_bias: true → false"]),
    ("metrics: [mae]", "metrics: [mae]\nfit: {epochs: 3, callbacks: [TerminateOnNaN]}", ["fit.epochs: 10 → 3", "fit.callbacks.0: nothing → TerminateOnNaN"]),
    ("layerctl: 1\n", "layerctl: 1\nname: other\n", ["name: a → other"]),
])  # fmt: skip
def test_meanings_do(tmp_path, old, new, expected):
    assert old in FILE
    assert lines(tmp_path, FILE, FILE.replace(old, new)) == expected


def test_exit_codes_and_json_of_runs(tmp_path):
    text = "layerctl: 1\nname: tiny\ndata: {source: builtin:iris, features: {x: {}}, target: species}\nmodel: [{Dense: 3}, {Activation: softmax}]\n"
    text += "compile: {loss: sparse_categorical_crossentropy, optimizer: adam}\nfit: {epochs: 1}\n"
    (tmp_path / "m.yaml").write_text(text)
    for out, change in (("one", "seed=0"), ("two", "compile.optimizer={Adam: 0.1}")):
        done = run(["train", "m.yaml", "--out", out, "-q", "--set", change], tmp_path)
        assert done.returncode == 0, done.stderr
    done = run(["render", "--diff", "m.yaml", "one"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = run(["render", "--diff", "one", "two/model.safetensors", "--json"], tmp_path)
    assert done.returncode == 1
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"event": "difference", "version": 1, "path": "compile.optimizer.Adam.learning_rate", "before": 0.001, "after": 0.1, "has": [True, True]},
        {"event": "diff", "equal": False, "differences": 1},
    ]


def test_ranges_of_a_search_are_filled_with_their_defaults(tmp_path):
    (tmp_path / "ranges.yaml").write_text(FILE.replace("filters: 4", "filters: {search: [2, 8], default: 4}"))
    (tmp_path / "plain.yaml").write_text(FILE)
    assert render(str(tmp_path / "ranges.yaml")).text.replace("name: ranges", "") == render(str(tmp_path / "plain.yaml")).text.replace("name: plain", "")
    assert diff(str(tmp_path / "ranges.yaml"), str(tmp_path / "plain.yaml")) == []
