"""Options that would change nothing are refused by name, whatever the kind of model and source; those that have a meaning are heeded."""

import csv
import io
import subprocess
import sys

import numpy as np
import pytest

LANGUAGE = """
layerctl: 1
name: lines
data:
  source: lines.tsv
  columns: [text]
  quote: none
  features: {text: {kind: text, split: characters, length: 8}}
  target: next
model:
  - Embedding: {input_dim: "${features.text.size}", output_dim: 4, mask_zero: true}
  - {LSTM: {units: 3, return_sequences: true}, name: hidden}
  - Dense: {units: "${features.text.size}"}
compile: {optimizer: adam, loss: {SparseCategoricalCrossentropy: {from_logits: true}}}
fit: {epochs: 1}
"""
CLASSES = """
layerctl: 1
name: kinds
data: {source: kinds.csv, features: {x: {columns: [a, b]}}, ignore: [id], target: kind, split: {validation: 0.2, test: 0.2}}
model: [{Dense: 4, name: hidden}, {Dense: 1}]
compile: {optimizer: adam, loss: {BinaryCrossentropy: {from_logits: true}}}
fit: {epochs: 2}
"""


def layerctl(*arguments, cwd, status=0, given=None):
    done = subprocess.run([sys.executable, "-m", "layerctl", *arguments], cwd=cwd, capture_output=True, timeout=300, input=given)
    assert done.returncode == status, done.stderr.decode()
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unused")
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 2)).round(3)
    (folder / "kinds.csv").write_text("id,a,b,kind\n" + "".join(f"{i},{a},{b},{'yes' if a > b else 'no'}\n" for i, (a, b) in enumerate(rows)))
    (folder / "lines.tsv").write_text("the cat sat\na dog ran\nthe dog sat\n" * 4)
    (folder / "lines.yaml").write_text(LANGUAGE)
    (folder / "kinds.yaml").write_text(CLASSES)
    for name in ("lines", "kinds"):
        layerctl("train", f"{name}.yaml", "-q", "--no-report", cwd=folder)
    return folder


@pytest.mark.parametrize("option", ["--keep=text", "--top=2", "--proba", "--on-error=skip", "--batch=2", "--input-format=csv"])
@pytest.mark.parametrize("prompt", [["--prompt", "the"], ["-"]])
def test_a_text_that_is_gone_on_with(folder, option, prompt):
    said = layerctl("predict", "runs/lines", *prompt, option, cwd=folder, status=2, given=b"the")
    name = option.split("=")[0]
    assert said.stdout == b"" and said.stderr.decode().startswith(f"{name}: error: {name} does not apply: one text is gone on with")


def test_all_that_do_not_apply_are_named_at_once(folder):
    said = layerctl("predict", "runs/lines", "--prompt", "the", "--top", "3", "--layer", "hidden", cwd=folder, status=2).stderr.decode()
    assert "--layer: error: " in said and "--top: error: " in said and "--top-k N draws among the N likeliest tokens" in said


def test_a_layer_of_a_language_model_is_told_for_rows(folder):
    options = ["--layer", "hidden", "--keep", "text", "--batch", "5"]
    rows = list(csv.reader(io.StringIO(layerctl("predict", "runs/lines", "lines.tsv", *options, cwd=folder).stdout.decode())))
    assert rows[0] == ["text", *(f"prediction_{i}" for i in range(24))] and [r[0] for r in rows[1:4]] == ["the cat sat", "a dog ran", "the dog sat"]
    layerctl("predict", "runs/lines", "lines.tsv", *options[:2], "-o", "hidden.npz", cwd=folder)
    np.testing.assert_allclose(np.load(folder / "hidden.npz")["hidden"].reshape(12, 24), np.array([r[1:] for r in rows[1:]], float), rtol=1e-6)


def test_arrays_have_probabilities_if_asked_for(folder):
    rows = list(csv.DictReader(io.StringIO(layerctl("predict", "runs/kinds", "kinds.csv", "--proba", cwd=folder).stdout.decode())))
    layerctl("predict", "runs/kinds", "kinds.csv", "--proba", "-o", "p.npz", cwd=folder)
    layerctl("predict", "runs/kinds", "kinds.csv", "-o", "logits.npz", cwd=folder)
    (p,), (logits,) = np.load(folder / "p.npz").values(), np.load(folder / "logits.npz").values()
    np.testing.assert_allclose(p, [[float(r["probability_no"]), float(r["probability_yes"])] for r in rows], rtol=1e-8)
    np.testing.assert_allclose(p[:, 1:], 1 / (1 + np.exp(-logits.astype(float))), rtol=1e-6)


REFUSED = [
    ("predict runs/kinds kinds.csv --format npz --keep id", "--keep", "npz has the model's results as arrays"),
    ("predict runs/kinds kinds.csv --format npz --top 2", "--top", "npz has the model's results as arrays"),
    ("predict runs/kinds builtin:iris --input-format csv", "--input-format", "builtin:iris ships with layerctl"),
    ("eval runs/kinds kinds.csv --split validation", "--split", "a file is judged whole"),
    ("build kinds.yaml --show ops --profile", "--profile", "--show ops prints a stage"),
    ("build kinds.yaml --show features --batch 3", "--batch", "--show features is the same"),
    ("train kinds.yaml --lr-find --out other", "--out", "--lr-find writes no run"),
    ("train kinds.yaml --lr-find --max-time 9s", "--max-time", "a range test has as many steps"),
    ("train kinds.yaml --overfit-one-batch --force", "--force", "--overfit-one-batch writes no run"),
    ("data kinds.yaml --columns a,b", "--columns", "the model's file says how its data are read"),
    ("data builtin:iris --columns a,b", "--columns", "the columns of builtin:iris have names"),
    ("init builtin:iris --columns a,b", "--columns", "the columns of builtin:iris have names"),
    ("init --template cnn --validation 0.2", "--validation", "a template comes with its own data"),
    ("init builtin:digits --template cnn --as classes", "--as", "the template cnn says it itself"),
    ("init lines.tsv --template language --target text", "--target", "the template language predicts its own input"),
]


@pytest.mark.parametrize(("command", "option", "why"), REFUSED, ids=[c for c, _, _ in REFUSED])
def test_options_without_a_meaning_are_refused(folder, command, option, why):
    said = layerctl(*command.split(), cwd=folder, status=2)
    assert said.stdout == b"" and said.stderr.decode().startswith(f"{option}: error: {option} does not apply: {why}")


def test_probabilities_of_a_layer_that_is_no_output(folder):
    said = layerctl("predict", "runs/kinds", "kinds.csv", "--layer", "hidden", "--proba", cwd=folder, status=2).stderr.decode()
    assert said.startswith("--proba: error: --proba tells of classes' probabilities, and --layer names no output")


def test_a_kept_column_with_the_name_of_a_prediction(folder):
    (folder / "again.csv").write_text("a,b,prediction\n1,2,old\n")
    said = layerctl("predict", "runs/kinds", "again.csv", "--format", "jsonl", "--keep", "prediction", cwd=folder, status=2).stderr.decode()
    assert said.startswith("--keep: error: --keep names the column 'prediction', and so is called what is predicted: a line of JSON has a key once")
    assert layerctl("predict", "runs/kinds", "again.csv", "--keep", "prediction", cwd=folder).stdout.startswith(b"prediction,prediction,probability\nold,")


def test_stages_are_of_the_batch_that_is_asked_for(folder):
    def shown(*options):
        return layerctl("build", "kinds.yaml", "--show", "memory", *options, cwd=folder).stdout

    assert shown() == shown("--batch", "32") != shown("--batch", "900")


def test_folds_without_reports(folder):
    layerctl("train", "kinds.yaml", "--folds", "2", "--no-report", "-q", "--out", "folds", cwd=folder)
    assert (folder / "folds" / "fold-2" / "model.safetensors").is_file() and not list((folder / "folds").rglob("report.html"))
