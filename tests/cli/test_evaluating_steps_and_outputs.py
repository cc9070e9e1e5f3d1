"""`layerctl eval` of a class a step and of several outputs, in processes of their own: each is judged as scikit-learn judges its rows."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn import metrics

TAGS = ["D", "N", "V"]
WORDS = {"the": "D", "a": "D", "cat": "N", "mat": "N", "run": "N", "sat": "V", "is": "V"}
SEQUENCE = """layerctl: 1
name: tags
seed: 2
data: {source: tagged.csv, features: {w: {columns: [words], kind: text, length: 7}}, target: {column: tags, kind: sequence}, split: {validation: 0.2}}
model:
  - Embedding: {input_dim: "${features.w.size}", output_dim: 6, mask_zero: true}
  - GRU: {units: 6, return_sequences: true}
  - Dense: 3
compile: {optimizer: {Adam: 0.02}, loss: {SparseCategoricalCrossentropy: {from_logits: true}}, metrics: [accuracy]}
fit: {epochs: 4}
"""
OUTPUTS = """layerctl: 1
name: outputs
seed: 2
data:
  source: table.csv
  features: {x: {columns: [a, b]}}
  target:
    side: {column: side, kind: category}
    kind: {column: kind, kind: category}
    size: {column: size, kind: number, scale: standard}
    marks: {column: marks, kind: labels, separator: ";"}
  split: {validation: 0.3}
model:
  layers:
    - Dense: {units: 8, activation: tanh}
      name: trunk
    - Dense: {units: 1, activation: sigmoid}
      name: side
      from: trunk
    - Dense: {units: 3, activation: softmax}
      name: kind
      from: trunk
    - Dense: 1
      name: size
      from: trunk
    - Dense: {units: 2, activation: sigmoid}
      name: marks
      from: trunk
  outputs: [side, kind, size, marks]
compile:
  optimizer: {Adam: 0.02}
  loss: {side: binary_crossentropy, kind: sparse_categorical_crossentropy, size: mse, marks: binary_crossentropy}
  metrics: {kind: accuracy}
fit: {epochs: 6}
"""


def layerctl(*arguments, cwd):
    done = subprocess.run([sys.executable, "-m", "layerctl", *arguments], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Both models trained, with noise in what they are to tell, and files to judge them by."""
    folder = tmp_path_factory.mktemp("steps")
    rng = np.random.default_rng(5)
    said = []
    for _ in range(260):
        words = rng.choice(list(WORDS), rng.integers(1, 8))
        said.append(f"{' '.join(words)},{' '.join(WORDS[w] if rng.random() > 0.15 else TAGS[rng.integers(3)] for w in words)}\n")
    (folder / "tagged.csv").write_text("words,tags\n" + "".join(said[:200]))
    (folder / "tagged-other.csv").write_text("words,tags\n" + "".join(said[200:]))
    x = rng.normal(size=(500, 2))
    side, kind = x[:, 0] + rng.normal(size=500) > 0, np.argmax(x @ rng.normal(size=(2, 3)) + rng.normal(size=(500, 3)), axis=1)
    size, marks = 10 + 3 * x[:, 1] + rng.normal(size=500), x + rng.normal(size=(500, 2)) > 0.3
    lines = [f"{a:.5f},{b:.5f},{'left' if s else 'right'},{'xyz'[k]},{v:.4f},{';'.join(n for n, t in zip('pq', m, strict=True) if t)}\n"
             for (a, b), s, k, v, m in zip(x, side, kind, size, marks, strict=True)]  # fmt: skip
    (folder / "table.csv").write_text("a,b,side,kind,size,marks\n" + "".join(lines[:300]))
    (folder / "table-other.csv").write_text("a,b,side,kind,size,marks\n" + "".join(lines[300:]))
    (folder / "tags.yaml").write_text(SEQUENCE)
    (folder / "outputs.yaml").write_text(OUTPUTS)
    for name in ("tags", "outputs"):
        layerctl("train", f"{name}.yaml", "-q", "--no-report", cwd=folder)
    return folder


def same_classes(out, true, told, p, names):
    """A classified output's tables, curves and areas beside scikit-learn's."""
    np.testing.assert_array_equal(out["confusion"], metrics.confusion_matrix(true, told, labels=names))
    theirs = metrics.precision_recall_fscore_support(true, told, labels=names, zero_division=0)
    for i, own in enumerate(out["classes"]):
        assert (own["class"], own["support"]) == (names[i], theirs[3][i])
        np.testing.assert_allclose([own["precision"] or 0.0, own["recall"], own["f1"]], [t[i] for t in theirs[:3]], rtol=1e-9)
    for curve, other in zip(out["roc"], out["precision_recall"], strict=True):
        positive, score = true == curve["class"], p[:, names.index(curve["class"])]
        assert curve["area"] == pytest.approx(metrics.roc_auc_score(positive, score), abs=1e-6)
        assert other["area"] == pytest.approx(metrics.average_precision_score(positive, score), abs=1e-6)
        # what lies on a straight line may be left out of either
        places, heights = uppermost(*metrics.roc_curve(positive, score)[:2])
        np.testing.assert_allclose(np.interp(places, *uppermost(curve["x"], curve["y"])), heights, atol=1e-6)
    confidence, right = p.max(1), told == true
    if len(names) > 2:
        for i, b in enumerate(out["calibration"]):
            within = np.minimum(confidence * 10, 9).astype(int) == i
            assert b["rows"] == within.sum()
            if b["rows"]:
                assert b["observed"] == pytest.approx(right[within].mean()) and b["predicted"] == pytest.approx(confidence[within].mean(), abs=1e-6)


def uppermost(x, y):
    """The uppermost point above each place of a curve."""
    places = np.unique(x)
    return places, np.array([np.max(np.asarray(y)[np.asarray(x) == v]) for v in places])


def test_a_class_a_step_counts_the_steps_that_rows_have(folder):
    (out,) = json.loads(layerctl("eval", "runs/tags", "tagged-other.csv", "--json", cwd=folder))["outputs"]
    source = rows_of((folder / "tagged-other.csv").read_text())
    true = np.array([t for row in source for t in row["tags"].split()])
    told = np.array([t for row in rows_of(layerctl("predict", "runs/tags", "tagged-other.csv", cwd=folder)) for t in row["prediction"].split()])
    assert len(told) == len(true) == out["rows"]
    layerctl("predict", "runs/tags", "tagged-other.csv", "--layer", "dense", "-o", "logits.npz", cwd=folder)
    with np.load(folder / "logits.npz") as found:
        logits = found["dense"]
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    p = np.concatenate([row[: len(r["tags"].split())] for row, r in zip(shifted / shifted.sum(-1, keepdims=True), source, strict=True)])
    names = [c["class"] for c in out["classes"]]
    assert sorted(names) == TAGS
    same_classes(out, true, told, p, names)


def test_each_of_several_outputs_is_judged_by_its_kind(folder):
    found = json.loads(layerctl("eval", "runs/outputs", "table-other.csv", "--json", cwd=folder))
    out = {o["output"]: o for o in found["outputs"]}
    assert {n: o["kind"] for n, o in out.items()} == {"side": "category", "kind": "category", "size": "number", "marks": "labels"}
    true, told = rows_of((folder / "table-other.csv").read_text()), rows_of(layerctl("predict", "runs/outputs", "table-other.csv", "--proba", cwd=folder))
    column = lambda rows, name: np.array([r[name] for r in rows])  # noqa: E731
    for name, names in (("side", ["left", "right"]), ("kind", list("xyz"))):
        p = np.array([[float(r[f"{name}_probability_{c}"]) for c in names] for r in told])
        same_classes(out[name], column(true, name), column(told, f"{name}_prediction"), p, names)
    sizes = column(true, "size").astype(float), column(told, "size_prediction").astype(float)
    assert found["measured"]["size_mae"] == pytest.approx(metrics.mean_absolute_error(*sizes), rel=1e-5)
    assert found["measured"]["size_r2"] == pytest.approx(metrics.r2_score(*sizes), rel=1e-5)
    marked = np.array([[n in t.split(";") for n in "pq"] for t in column(true, "marks")])
    p = np.array([[float(r[f"marks_probability_{n}"]) for n in "pq"] for r in told])
    assert found["measured"]["marks_roc_auc"] == pytest.approx(metrics.roc_auc_score(marked, p), abs=1e-6)
    assert found["measured"]["marks_f1_micro"] == pytest.approx(metrics.f1_score(marked, p > 0.5, average="micro"))


def test_a_threshold_of_one_of_several_outputs_is_kept_and_used_for_it_alone(folder):
    before = rows_of(layerctl("predict", "runs/outputs", "table-other.csv", "--proba", cwd=folder))
    chosen = json.loads(layerctl("eval", "runs/outputs", "--split", "validation", "--threshold", "recall=0.95", "--keep", "--json", cwd=folder))
    side = next(t["threshold"] for t in chosen["thresholds"] if t["output"] == "side")
    after = rows_of(layerctl("predict", "runs/outputs", "table-other.csv", "--proba", cwd=folder))
    p = np.array([float(r["side_probability_right"]) for r in after])
    assert [r["side_prediction"] for r in after] == ["right" if v > side else "left" for v in p]
    assert all([r[f"{n}_prediction"] for r in after] == [r[f"{n}_prediction"] for r in before] for n in ("kind", "size"))
    out = {o["output"]: o for o in chosen["outputs"]}
    recall = next(c["recall"] for c in out["side"]["classes"] if c["class"] == "right")
    assert recall >= 0.95


@pytest.mark.parametrize("target, taken, columns", [
    ("[a, far]", "[b]", ["a", "far"]), ("{columns: [a, far], scale: standard}", "[b]", ["a", "far"]), ("input", "[b, far]", ["b", "far"]),
])  # fmt: skip
def test_each_column_of_several_numbers_is_judged_in_its_own_unit(folder, tmp_path, target, taken, columns):
    rows = rows_of((folder / "table-other.csv").read_text())
    (tmp_path / "far.csv").write_text("a,b,far\n" + "".join(f"{r['a']},{r['b']},{5000 + 900 * float(r['size']):.3f}\n" for r in rows))
    (tmp_path / "m.yaml").write_text(
        f"layerctl: 1\nname: m\ndata: {{source: far.csv, features: {{x: {{columns: {taken}}}}}, target: {target}, split: {{validation: 0.2}}}}\n"
        "model: [{Dense: 2}]\ncompile: {optimizer: {Adam: 0.1}, loss: mse}\nfit: {epochs: 2}\n"
    )
    layerctl("train", "m.yaml", "-q", cwd=tmp_path)
    (out,) = json.loads(layerctl("eval", "runs/m", "far.csv", "--json", cwd=tmp_path))["outputs"]
    told = rows_of(layerctl("predict", "runs/m", "far.csv", cwd=tmp_path))
    source = rows_of((tmp_path / "far.csv").read_text())
    assert [c["column"] for c in out["columns"]] == columns
    for own in out["columns"]:
        true, predicted = [float(r[own["column"]]) for r in source], [float(r[f"prediction_{own['column']}"]) for r in told]
        assert own["mae"] == pytest.approx(metrics.mean_absolute_error(true, predicted), rel=1e-5)
        assert own["rmse"] == pytest.approx(metrics.mean_squared_error(true, predicted) ** 0.5, rel=1e-5)
        assert own["r2"] == pytest.approx(metrics.r2_score(true, predicted), abs=1e-5)
    assert "each column\ncolumn  mean absolute error" in layerctl("eval", "runs/m", "far.csv", cwd=tmp_path)
    assert "by column" in (tmp_path / "runs" / "m" / "report.html").read_text()


def test_a_folder_of_folds_says_where_its_models_are(folder):
    layerctl("train", "outputs.yaml", "--folds", "2", "-q", "--no-report", "--set", "fit.epochs=1", "--out", "runs/folds", cwd=folder)
    done = subprocess.run([sys.executable, "-m", "layerctl", "eval", "runs/folds"], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and "there are 2 trained ones in folders within it: name one, as in runs/folds/fold-1" in done.stderr
